import { removedReleaseOf } from '#api/builtin/deprecations.ts';
import type { ResourceVersion } from '#apimachinery/resource-definition.ts';
import type { ServedResource } from '#apimachinery/scheme.ts';
import { escapeLabel, labelPairs } from '#client/metrics/metric-text.ts';
import type { ResourceRequest } from '../../request/request-info.ts';
import { kubernetesVersion, versionInfo } from '../version-info.ts';
import { processMetrics } from './process-metrics.ts';
import { BodySizes, RequestDurations, type RequestLabels, RequestSeries } from './request-series.ts';
import { WatchSeries, watchEvents } from './watch-series.ts';

/** Sets of labels that requests are told apart by; what comes beyond is counted under the resource `other`. */
const seriesMax = 5_000;
/** The same of durations: each is fifty lines of an answer that is made at a stretch. */
const durationsMax = 300;
/** The same of watches. */
const watchSeriesMax = 1_000;
/** Deprecated APIs that are told; those of CRDs are whatever tenants write. */
const deprecatedMax = 500;

const verbs: ReadonlyMap<string, string> = new Map([
  ['get', 'GET'],
  ['list', 'LIST'],
  ['watch', 'WATCH'],
  ['create', 'POST'],
  ['update', 'PUT'],
  ['patch', 'PATCH'],
  ['apply', 'APPLY'],
  ['delete', 'DELETE'],
  ['deletecollection', 'DELETECOLLECTION'],
  ['post', 'POST'],
  ['put', 'PUT'],
  ['head', 'HEAD'],
]);

/** What writes with a body are called in `apiserver_request_body_size_bytes` (endpoints/handlers/metrics). */
const bodyVerbs: ReadonlyMap<string, string> = new Map([
  ['POST', 'create'],
  ['PUT', 'update'],
  ['PATCH', 'patch'],
  ['APPLY', 'patch'],
  ['DELETE', 'delete'],
  ['DELETECOLLECTION', 'delete_collection'],
]);

/** Paths beside resources that are told apart, under the label `subresource` as in Kubernetes. */
const plainPath = /^\/(?:(healthz|livez|readyz)|(apis?|openapi\/v[23]|version|metrics))(?:\/|$)/;

/** A request that was answered. */
export interface ObservedRequest {
  readonly verb: string;
  readonly code: number;
  readonly durationMs: number;
  /** Of that, in flow control's queues. */
  readonly waitedMs: number;
}

export interface ObservedResourceRequest extends ObservedRequest {
  readonly served: ServedResource;
  readonly resource: ResourceRequest;
  readonly isApply: boolean;
  readonly isDryRun: boolean;
  /** Of the bodies, as they are on the wire; 0 where there was none. */
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

/**
 * What the HTTP server counts, under the names and labels that Kubernetes' dashboards and alerts know. No label tells a
 * workspace: series must not grow with tenants.
 */
export class HttpMetrics {
  readonly #series = new Map<string, RequestSeries>();
  /** The same ones by definition, so that counting makes little text. */
  readonly #byVersion = new WeakMap<ResourceVersion, Map<string, RequestSeries>>();
  readonly #durations = new Map<string, RequestDurations>();
  readonly #bodies = new Map<string, BodySizes>();
  readonly #deprecated = new Map<string, string>();
  /** Requests that wait for an answer. */
  readonly underWay = { mutating: 0, readOnly: 0 };
  readonly #watches = new Map<string, WatchSeries>();
  readonly #watchesByVersion = new WeakMap<ResourceVersion, Map<string, WatchSeries>>();
  slowWatchersEnded = 0;
  watchFrames = 0;
  watchFramesShared = 0;
  rejected = 0;

  readonly #productVersion: string;

  constructor(productVersion: string) {
    this.#productVersion = productVersion;
  }

  /** A request for a resource. */
  observe(request: ObservedResourceRequest): void {
    const { verb, served, resource, isApply, isDryRun } = request;
    const { version } = served;
    let known = this.#byVersion.get(version);
    if (known === undefined) {
      known = new Map();
      this.#byVersion.set(version, known);
      if (version.deprecationWarning !== undefined) this.#noteDeprecated(served);
    }
    const asked = isApply ? 'apply' : verb;
    const scope = scopeOf(verb, resource);
    const subresource = subresourceOf(version, resource);
    let key = asked + scope;
    if (subresource !== '') key += `/${subresource}`;
    if (isDryRun) key += '?';
    let series = known.get(key);
    if (series === undefined) {
      series = this.#seriesOf({
        verb: verbs.get(asked) ?? 'other',
        group: served.definition.group,
        version: version.version,
        resource: served.definition.resource,
        subresource,
        scope,
        component: 'apiserver',
        dryRun: isDryRun ? 'All' : '',
      });
      known.set(key, series);
    }
    series.observe(request.code, request.durationMs, request.waitedMs);
    series.observeSizes(request.receivedBytes, request.sentBytes);
  }

  /** Any other request: of a path that is no resource's, or refused before its resource was looked for. */
  observePlain({ verb, code, durationMs, waitedMs }: ObservedRequest, path: string): void {
    const [, health, other = ''] = plainPath.exec(path) ?? [];
    const isDiscovery = other.startsWith('api');
    const series = this.#seriesOf({
      verb: verbs.get(verb) ?? 'other',
      group: '',
      version: '',
      resource: '',
      subresource: health === undefined ? other : `/${health}`,
      scope: '',
      component: isDiscovery ? 'apiserver' : '',
      dryRun: '',
    });
    series.observe(code, durationMs, waitedMs);
  }

  /** The series that a watch is counted in while it lasts. */
  watchesOf({ definition, version }: ServedResource, resource: ResourceRequest): WatchSeries {
    const scope = scopeOf('watch', resource);
    const known = this.#watchesByVersion.get(version)?.get(scope);
    if (known !== undefined) return known;
    const { group, resource: name } = definition;
    const labels = { verb: 'WATCH', group, version: version.version, resource: name, subresource: '', scope };
    const make = (shown: RequestLabels) => new WatchSeries(shown);
    const series = getOrMake(
      this.#watches,
      watchSeriesMax,
      { ...labels, component: 'apiserver', dryRun: '' },
      make,
    );
    const byScope = this.#watchesByVersion.get(version) ?? new Map<string, WatchSeries>();
    this.#watchesByVersion.set(version, byScope.set(scope, series));
    return series;
  }

  #seriesOf(labels: RequestLabels): RequestSeries {
    const durations = () => (labels.verb === 'WATCH' ? undefined : this.#durationsOf(labels));
    return getOrMake(
      this.#series,
      seriesMax,
      labels,
      (shown) => new RequestSeries(shown, durations(), this.#bodiesOf(labels)),
    );
  }

  /** Of writes of resources, which are told apart by kind and verb alone. */
  #bodiesOf({ group, resource, verb }: RequestLabels): BodySizes | undefined {
    const told = bodyVerbs.get(verb);
    if (resource === '' || told === undefined) return undefined;
    const isKnown = this.#bodies.has(`${told} ${resource}.${group}`) || this.#bodies.size < durationsMax;
    const labels = isKnown ? { group, resource, verb: told } : { group: '', resource: 'other', verb: told };
    const key = `${told} ${labels.resource}.${labels.group}`;
    const kept = this.#bodies.get(key) ?? new BodySizes(labels);
    this.#bodies.set(key, kept);
    return kept;
  }

  #durationsOf(labels: RequestLabels): RequestDurations {
    return getOrMake(this.#durations, durationsMax, labels, (shown) => new RequestDurations(shown));
  }

  #noteDeprecated({ definition, version }: ServedResource): void {
    const { group, resource, kind } = definition;
    const removed = removedReleaseOf(group, version.version, kind) ?? '';
    const pairs = { group, version: version.version, resource, subresource: '', removed_release: removed };
    const key = `${group}/${version.version}/${resource}`;
    if (this.#deprecated.size < deprecatedMax) this.#deprecated.set(key, labelPairs(pairs));
  }

  /** Prometheus text exposition format 0.0.4. */
  render(): string {
    const lines: string[] = ['# TYPE apiserver_request_total counter'];
    for (const series of this.#series.values()) series.render(lines);
    lines.push('# TYPE apiserver_request_duration_seconds histogram');
    for (const durations of this.#durations.values()) durations.render(lines);
    lines.push('# TYPE apiserver_request_sli_duration_seconds histogram');
    for (const durations of this.#durations.values()) durations.renderServed(lines);
    lines.push('# TYPE apiserver_response_sizes histogram');
    for (const durations of this.#durations.values()) durations.renderSizes(lines);
    lines.push('# TYPE apiserver_request_body_size_bytes histogram');
    for (const sizes of this.#bodies.values()) sizes.render(lines);
    lines.push('# TYPE apiserver_requested_deprecated_apis gauge');
    for (const labels of this.#deprecated.values()) {
      lines.push(`apiserver_requested_deprecated_apis{${labels}} 1`);
    }
    lines.push('# TYPE apiserver_longrunning_requests gauge');
    for (const watches of this.#watches.values()) watches.renderOpen(lines);
    lines.push('# TYPE apiserver_watch_events_total counter', ...watchEvents(this.#watches.values()));
    const { mutating, readOnly } = this.underWay;
    const { major, minor, patch } = kubernetesVersion;
    lines.push(
      '# TYPE apiserver_current_inflight_requests gauge',
      `apiserver_current_inflight_requests{request_kind="mutating"} ${mutating}`,
      `apiserver_current_inflight_requests{request_kind="readOnly"} ${readOnly}`,
      '# TYPE apiserver_request_terminations_total counter',
      `apiserver_request_terminations_total{component="apiserver",code="429"} ${this.rejected}`,
      '# TYPE version_info gauge',
      `version_info{binary="${major}.${minor}.${patch}",component="kube"} 1`,
      '# TYPE kubernetes_build_info gauge',
      `kubernetes_build_info{${buildLabels(this.#productVersion)}} 1`,
    );
    const { rss, heapUsed, external } = process.memoryUsage();
    const { user, system } = process.cpuUsage();
    const plain: [string, 'counter' | 'gauge', number][] = [
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
    return `${lines.join('\n')}\n${processMetrics()}`;
  }
}

/** By which alerts find servers of several releases side by side (KubeVersionMismatch). */
function buildLabels(productVersion: string): string {
  const info = versionInfo(productVersion);
  const labels = {
    build_date: info['buildDate'],
    compiler: info['compiler'],
    git_commit: info['gitCommit'],
    git_tree_state: info['gitTreeState'],
    git_version: info['gitVersion'],
    go_version: info['goVersion'],
    major: info['major'],
    minor: info['minor'],
    platform: info['platform'],
  };
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${escapeLabel(String(value))}"`)
    .join(',');
}

/** One object, a namespace's, or all (apiserver's CleanScope). */
function scopeOf(verb: string, { name, namespace }: ResourceRequest): 'resource' | 'namespace' | 'cluster' {
  if (name !== '' || verb === 'create') return 'resource';
  return namespace === '' ? 'cluster' : 'namespace';
}

/** What a client writes into a path is no label of ours unless it exists. */
function subresourceOf({ subresources }: ResourceVersion, { subresource }: ResourceRequest): string {
  if (subresource === '' || subresources.some(({ name }) => name === subresource)) return subresource;
  return 'other';
}

/** What is kept under the labels; under those of `other` where the map is full. */
function getOrMake<T>(
  map: Map<string, T>,
  max: number,
  labels: RequestLabels,
  make: (labels: RequestLabels) => T,
): T {
  const known = map.get(keyOf(labels));
  if (known !== undefined) return known;
  const isFull = map.size >= max;
  const shown = isFull ? { ...labels, group: '', version: '', resource: 'other', subresource: '' } : labels;
  const key = keyOf(shown);
  const kept = map.get(key) ?? make(shown);
  map.set(key, kept);
  return kept;
}

function keyOf({ verb, group, version, resource, subresource, scope, dryRun }: RequestLabels): string {
  return `${verb} ${group}/${version}/${resource}/${subresource} ${scope} ${dryRun}`;
}
