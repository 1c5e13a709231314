import { Histogram, kubernetesDurationBounds, kubernetesObjectiveBounds } from '#apimachinery/histogram.ts';
import { labelPairs } from '#client/metrics/metric-text.ts';

/** What kube-apiserver tells requests apart by, without the code of the answer. */
export interface RequestLabels {
  /** As dashboards have it: `GET LIST WATCH POST PUT PATCH APPLY DELETE DELETECOLLECTION`. */
  readonly verb: string;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  readonly scope: '' | 'cluster' | 'namespace' | 'resource';
  readonly component: string;
  readonly dryRun: string;
}

/** kube-apiserver's, in bytes (endpoints/metrics, endpoints/handlers/metrics). */
const responseBytesBounds = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9] as const;
const requestBytesBounds: readonly number[] = Array.from({ length: 31 }, (_, at) => 50_000 + at * 100_000);
const readingVerbs: ReadonlySet<string> = new Set(['GET', 'LIST']);

/** How long the requests of one set of labels took: in all, and without what they waited for their seats. */
export class RequestDurations {
  readonly #text: string;
  readonly #all = new Histogram(kubernetesDurationBounds);
  readonly #served = new Histogram(kubernetesObjectiveBounds);
  /** Of the answers, where it was read. */
  readonly #sizes: Histogram | undefined;
  readonly #sizesText: string;

  constructor(labels: RequestLabels) {
    this.#text = textOf(labels);
    const { dryRun: _, ...told } = labels;
    this.#sizesText = labelPairs(told);
    this.#sizes = readingVerbs.has(labels.verb) ? new Histogram(responseBytesBounds) : undefined;
  }

  observeSize(bytes: number): void {
    this.#sizes?.observe(bytes);
  }

  renderSizes(lines: string[]): void {
    if (this.#sizes !== undefined)
      renderHistogram(lines, 'apiserver_response_sizes', this.#sizesText, this.#sizes);
  }

  /** `waitedMs`: of the duration, what went by in flow control's queues. */
  observe(durationMs: number, waitedMs: number): void {
    this.#all.observe(durationMs / 1_000);
    this.#served.observe(Math.max(0, durationMs - waitedMs) / 1_000);
  }

  render(lines: string[]): void {
    renderHistogram(lines, 'apiserver_request_duration_seconds', this.#text, this.#all);
  }

  renderServed(lines: string[]): void {
    renderHistogram(lines, 'apiserver_request_sli_duration_seconds', this.#text, this.#served);
  }
}

/** Bodies of writes of one kind by one verb. */
export class BodySizes {
  readonly #text: string;
  readonly #bytes = new Histogram(requestBytesBounds);

  constructor(labels: { readonly group: string; readonly resource: string; readonly verb: string }) {
    this.#text = labelPairs(labels);
  }

  observe(bytes: number): void {
    this.#bytes.observe(bytes);
  }

  render(lines: string[]): void {
    if (this.#bytes.count > 0)
      renderHistogram(lines, 'apiserver_request_body_size_bytes', this.#text, this.#bytes);
  }
}

/** The requests of one set of labels: how many by code. */
export class RequestSeries {
  readonly #text: string;
  readonly #byCode = new Map<number, number>();
  readonly #durations: RequestDurations | undefined;
  readonly #bodies: BodySizes | undefined;

  /**
   * `durations`: where they are counted in; none for watches, whose lengths mean nothing. `bodies`: the same of what is written.
   */
  constructor(labels: RequestLabels, durations: RequestDurations | undefined, bodies: BodySizes | undefined) {
    this.#text = textOf(labels);
    this.#durations = durations;
    this.#bodies = bodies;
  }

  /** Of the bodies; 0 where there was none. */
  observeSizes(receivedBytes: number, sentBytes: number): void {
    if (receivedBytes > 0) this.#bodies?.observe(receivedBytes);
    if (sentBytes > 0) this.#durations?.observeSize(sentBytes);
  }

  observe(code: number, durationMs: number, waitedMs: number): void {
    this.#byCode.set(code, (this.#byCode.get(code) ?? 0) + 1);
    this.#durations?.observe(durationMs, waitedMs);
  }

  render(lines: string[]): void {
    for (const [code, count] of this.#byCode) {
      lines.push(`apiserver_request_total{${this.#text},code="${code}"} ${count}`);
    }
  }
}

function textOf({ verb, group, version, resource, subresource, scope, component, dryRun }: RequestLabels) {
  return labelPairs({ verb, group, version, resource, subresource, scope, component, dry_run: dryRun });
}

/** `labels` is text already: it is made once for a series and told in fifty lines. */
function renderHistogram(lines: string[], name: string, labels: string, histogram: Histogram): void {
  for (const [le, count] of histogram.cumulative())
    lines.push(`${name}_bucket{${labels},le="${le}"} ${count}`);
  lines.push(`${name}_sum{${labels}} ${histogram.sum}`, `${name}_count{${labels}} ${histogram.count}`);
}
