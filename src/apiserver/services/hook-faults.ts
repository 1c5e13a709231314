import { isJsonObject } from '#apimachinery/json.ts';
import { ServiceAddressError, type ServiceReference } from './service-address.ts';

/** What ends a call whose time is over. */
export const deadlineExceeded = 'context deadline exceeded';

/** apimachinery NewGenericServerResponse: what client-go says of an answer of this code. */
const answers: { readonly [code: number]: string } = {
  400: 'the server rejected our request for an unknown reason',
  401: 'the server has asked for the client to provide credentials',
  404: 'the server could not find the requested resource',
  405: 'the server does not allow this method on the requested resource',
  406: 'the server was unable to respond with a content type that the client supports',
  409: 'the server reported a conflict',
  415: 'the server was unable to process the content type',
  422: 'the server rejected our request due to an error in our request',
  429: 'the server has received too many requests and has asked us to try again later',
  503: 'the server is currently unable to handle the request',
  504: 'the server was unable to return a response in the time allotted, but may still be processing the request',
};
const shownLengthMax = 2048;

/**
 * Why an answer that is no success came, from its code and body: a Status tells itself, a text too (client-go rest
 * isTextResponse).
 */
export function answerFault(code: number, body: string, contentType = ''): string {
  const isText = contentType === '' || contentType.trimStart().startsWith('text/');
  const text = isText ? body.slice(0, shownLengthMax) : 'unknown';
  const status = statusMessage(body);
  if (status !== undefined) return status;
  if (code === 403) return text === '' ? 'the server does not allow access to the requested resource' : text;
  const known = answers[code];
  if (known !== undefined) return known;
  if (code >= 500) {
    return `an error on the server (${JSON.stringify(text.trim())}) has prevented the request from succeeding`;
  }
  return `the server responded with the status code ${code} but did not return more information`;
}

function statusMessage(body: string): string | undefined {
  try {
    const value: unknown = JSON.parse(body);
    if (!isJsonObject(value) || value['kind'] !== 'Status') return undefined;
    return typeof value['message'] === 'string' ? value['message'] : undefined;
  } catch {
    return undefined;
  }
}

/** Why no answer came, in the words of Go's net package, or kube-apiserver's of the Service, where they have any. */
export function callFault(error: unknown, service?: ServiceReference): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof ServiceAddressError && service !== undefined) return serviceFault(error, service);
  const { code, address, port, hostname } = error as Error & {
    readonly code?: string;
    readonly address?: string;
    readonly port?: number;
    readonly hostname?: string;
  };
  switch (code) {
    case 'ECONNREFUSED':
      return `dial tcp ${address?.includes(':') ? `[${address}]` : address}:${port}: connect: connection refused`;
    case 'ENOTFOUND':
      return `dial tcp: lookup ${hostname}: no such host`;
    case 'ECONNRESET':
    case 'UND_ERR_SOCKET':
      return 'EOF';
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
      return 'tls: failed to verify certificate: x509: certificate signed by unknown authority';
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return nameFault(error);
    default:
      return error.message;
  }
}

/** crypto/x509 HostnameError. */
function nameFault(error: Error): string {
  const { host = '', cert } = error as Error & {
    readonly host?: string;
    readonly cert?: { readonly subjectaltname?: string };
  };
  const names = (cert?.subjectaltname ?? '')
    .split(', ')
    .filter((name) => name.startsWith('DNS:'))
    .map((name) => name.slice('DNS:'.length));
  const wanted = host.replace(/\.$/, '');
  const told =
    names.length === 0
      ? `certificate is not valid for any names, but wanted to match ${wanted}`
      : `certificate is valid for ${names.join(', ')}, not ${wanted}`;
  return `tls: failed to verify certificate: x509: ${told}`;
}

/** proxy.ResolveEndpoint of kube-aggregator. */
function serviceFault({ reason }: ServiceAddressError, { name, port }: ServiceReference): string {
  const quoted = JSON.stringify(name);
  switch (reason) {
    case 'ServiceNotFound':
      return `service ${quoted} not found`;
    case 'ServicePortError':
      return `no service port ${port} found for service ${quoted}`;
    default:
      return `no endpoints available for service ${quoted}`;
  }
}
