import { Histogram, kubernetesDurationBounds, kubernetesObjectiveBounds } from '#apimachinery/histogram.ts';
import { escapeLabel } from '#client/metrics/metric-text.ts';

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

/** How long the requests of one set of labels took: in all, and without what they waited for their seats. */
export class RequestDurations {
  readonly #text: string;
  readonly #all = new Histogram(kubernetesDurationBounds);
  readonly #served = new Histogram(kubernetesObjectiveBounds);

  constructor(labels: RequestLabels) {
    this.#text = textOf(labels);
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

/** The requests of one set of labels: how many by code. */
export class RequestSeries {
  readonly #text: string;
  readonly #byCode = new Map<number, number>();
  readonly #durations: RequestDurations | undefined;

  /** `durations`: where they are counted in; none for watches, whose lengths mean nothing. */
  constructor(labels: RequestLabels, durations: RequestDurations | undefined) {
    this.#text = textOf(labels);
    this.#durations = durations;
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
  const pairs = Object.entries({ verb, group, version, resource, subresource, scope, component });
  return [...pairs, ['dry_run', dryRun] as const]
    .map(([name, value]) => `${name}="${escapeLabel(value)}"`)
    .join(',');
}

/** `labels` is text already: it is made once for a series and told in fifty lines. */
function renderHistogram(lines: string[], name: string, labels: string, histogram: Histogram): void {
  for (const [le, count] of histogram.cumulative())
    lines.push(`${name}_bucket{${labels},le="${le}"} ${count}`);
  lines.push(`${name}_sum{${labels}} ${histogram.sum}`, `${name}_count{${labels}} ${histogram.count}`);
}
