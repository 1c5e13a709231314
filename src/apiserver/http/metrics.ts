import type { ResourceVersion } from '#apimachinery/resource-definition.ts';
import type { ServedResource } from '#apimachinery/scheme.ts';

/** Series that one family may have; what comes beyond is counted under the label value `other`. */
const seriesMax = 5_000;
const durationBuckets = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] as const;

const knownVerbs = new Set([
  'get',
  'list',
  'watch',
  'create',
  'update',
  'patch',
  'delete',
  'deletecollection',
]);

interface Histogram {
  readonly buckets: number[];
  count: number;
  sum: number;
}

/**
 * What the HTTP server counts, under the names that Kubernetes' dashboards and alerts know. No label tells a workspace:
 * series must not grow with tenants.
 */
export class HttpMetrics {
  /** `verb|group|version|resource|code` → requests. */
  readonly #requests = new Map<string, { count: number }>();
  /** The same counters by definition, verb and code, so that counting makes no text. */
  readonly #byVersion = new WeakMap<ResourceVersion, Map<string, { count: number }>>();
  readonly #durations = new Map<string, Histogram>();
  watches = 0;
  slowWatchersEnded = 0;
  watchFrames = 0;
  watchFramesShared = 0;
  rejected = 0;

  /** A request for a resource. */
  observe(verb: string, { definition, version }: ServedResource, code: number, durationMs: number): void {
    let counters = this.#byVersion.get(version);
    if (counters === undefined) {
      counters = new Map();
      this.#byVersion.set(version, counters);
    }
    const key = `${verb}${code}`;
    let counter = counters.get(key);
    if (counter === undefined) {
      counter = this.#counter(
        `${verb}|${definition.group}|${version.version}|${definition.resource}|${code}`,
        verb,
        code,
      );
      counters.set(key, counter);
    }
    counter.count++;
    if (verb !== 'watch') this.#observeDuration(verb, durationMs / 1000);
  }

  /** Any other request. */
  observePlain(verb: string, code: number, durationMs: number): void {
    const known = knownVerbs.has(verb) ? verb : 'other';
    this.#counter(`${known}||||${code}`, known, code).count++;
    if (known !== 'watch') this.#observeDuration(known, durationMs / 1000);
  }

  #counter(key: string, verb: string, code: number): { count: number } {
    const known = this.#requests.get(key);
    if (known !== undefined) return known;
    if (this.#requests.size >= seriesMax) {
      const rest = `${verb}|other|other|other|${code}`;
      const other = this.#requests.get(rest) ?? { count: 0 };
      this.#requests.set(rest, other);
      return other;
    }
    const made = { count: 0 };
    this.#requests.set(key, made);
    return made;
  }

  #observeDuration(verb: string, seconds: number): void {
    let histogram = this.#durations.get(verb);
    if (histogram === undefined) {
      histogram = { buckets: durationBuckets.map(() => 0), count: 0, sum: 0 };
      this.#durations.set(verb, histogram);
    }
    histogram.count++;
    histogram.sum += seconds;
    for (let i = durationBuckets.length - 1; i >= 0 && seconds <= durationBuckets[i]!; i--)
      histogram.buckets[i]!++;
  }

  /** Prometheus text exposition format 0.0.4. */
  render(requestsInFlight: number): string {
    const lines: string[] = ['# TYPE apiserver_request_total counter'];
    for (const [key, { count }] of this.#requests) {
      const [verb, group, version, resource, code] = key.split('|').map(escapeLabel);
      lines.push(
        `apiserver_request_total{verb="${verb?.toUpperCase()}",group="${group}",version="${version}",resource="${resource}",code="${code}"} ${count}`,
      );
    }
    lines.push('# TYPE apiserver_request_duration_seconds histogram');
    for (const [verb, { buckets, count, sum }] of this.#durations) {
      const label = `verb="${escapeLabel(verb).toUpperCase()}"`;
      durationBuckets.forEach((bound, index) => {
        lines.push(`apiserver_request_duration_seconds_bucket{${label},le="${bound}"} ${buckets[index]}`);
      });
      lines.push(`apiserver_request_duration_seconds_bucket{${label},le="+Inf"} ${count}`);
      lines.push(`apiserver_request_duration_seconds_sum{${label}} ${sum}`);
      lines.push(`apiserver_request_duration_seconds_count{${label}} ${count}`);
    }
    const { rss, heapUsed, external } = process.memoryUsage();
    const { user, system } = process.cpuUsage();
    const plain: [string, 'counter' | 'gauge', number][] = [
      ['apiserver_current_inflight_requests', 'gauge', requestsInFlight],
      ['apiserver_longrunning_requests', 'gauge', this.watches],
      ['cellplane_requests_rejected_total', 'counter', this.rejected],
      ['cellplane_watch_frames_total', 'counter', this.watchFrames],
      ['cellplane_watch_frames_shared_total', 'counter', this.watchFramesShared],
      ['cellplane_slow_watchers_ended_total', 'counter', this.slowWatchersEnded],
      ['process_resident_memory_bytes', 'gauge', rss],
      ['process_heap_used_bytes', 'gauge', heapUsed],
      ['process_external_memory_bytes', 'gauge', external],
      ['process_cpu_seconds_total', 'counter', (user + system) / 1e6],
      ['process_start_time_seconds', 'gauge', Math.round(performance.timeOrigin / 1000)],
    ];
    for (const [name, type, value] of plain) lines.push(`# TYPE ${name} ${type}`, `${name} ${value}`);
    return `${lines.join('\n')}\n`;
  }
}

function escapeLabel(value: string): string {
  return value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');
}
