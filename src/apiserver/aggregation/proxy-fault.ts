/**
 * What the aggregator answers in place of the API server behind it (KUBERNETES.md O1): one line of text, as kube-aggregator
 * has it (k8s.io/kube-aggregator/pkg/apiserver/handler_proxy.go; decision 223), which kubectl tells from what such a server says itself.
 */
export class ProxyFault extends Error {
  override readonly name = 'ProxyFault';
  readonly code: 502 | 503;

  constructor(code: 502 | 503, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }

  /** Go's http.Error ends its line; what stands for an answer that is not passed on is that and no more. */
  get text(): string {
    return this.code === 503 ? `${this.message}\n` : this.message;
  }
}

export function serviceUnavailable(): ProxyFault {
  return new ProxyFault(503, 'service unavailable');
}
