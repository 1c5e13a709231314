/** Series that one family may have; what comes beyond is counted under the label value `other`. */
const seriesMax = 5_000;
const durationBuckets = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] as const;

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
  readonly #requests = new Map<string, number>();
  readonly #durations = new Map<string, Histogram>();
  watches = 0;
  slowWatchersEnded = 0;
  watchFrames = 0;
  watchFramesShared = 0;
  rejected = 0;

  observe(
    labels: {
      readonly verb: string;
      readonly group: string;
      readonly version: string;
      readonly resource: string;
    },
    code: number,
    durationMs: number,
  ): void {
    let key = `${labels.verb}|${labels.group}|${labels.version}|${labels.resource}|${code}`;
    let count = this.#requests.get(key);
    if (count === undefined) {
      if (this.#requests.size >= seriesMax) key = `${labels.verb}|other|other|other|${code}`;
      count = this.#requests.get(key) ?? 0;
    }
    this.#requests.set(key, count + 1);
    if (labels.verb !== 'watch') this.#observeDuration(labels.verb, durationMs / 1000);
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
    for (const [key, count] of this.#requests) {
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
      ['apiserver_flowcontrol_rejected_requests_total', 'counter', this.rejected],
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
