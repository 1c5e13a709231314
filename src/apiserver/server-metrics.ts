import { Histogram } from '#apimachinery/histogram.ts';
import { MetricText } from '#client/metrics/metric-text.ts';
import { WorkQueueMetrics } from '#client/metrics/work-queue-metrics.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import { AdmissionMetrics } from './admission/admission-metrics.ts';
import type { Auditor } from './audit/audit.ts';
import { AuthenticationMetrics } from './authn/counted-authenticator.ts';
import { TokenCacheMetrics } from './authn/token-cache-metrics.ts';
import { AuthorizationMetrics } from './authz/counted-authorizer.ts';

/** Kinds that are told one by one; objects of those that are fewer are counted under `other`. */
const kindsMax = 500;
/** Kinds of our own that no client sees: reservations and the like. */
const isInternal = (group: string) => group.startsWith('internal.');

/** What rules about certificates that end soon ask for (kube-apiserver's authentication/request/x509), in seconds. */
const lifetimeBounds = [
  0, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400, 172_800, 345_600, 604_800, 2_592_000, 7_776_000, 15_552_000,
  31_104_000,
] as const;

/**
 * What is to be told of a server beside its requests, under the names that dashboards and rules for Kubernetes ask for:
 * objects, calls to the store, certificates of clients. Nothing is counted for it but what passes anyway.
 */
export class ServerMetrics {
  readonly certificateLifetimes = new Histogram(lifetimeBounds);
  /** Of the server's own controllers. */
  readonly queues = new WorkQueueMetrics();
  readonly admission = new AdmissionMetrics();
  readonly authentication = new AuthenticationMetrics();
  readonly tokenCache = new TokenCacheMetrics();
  readonly authorization = new AuthorizationMetrics();
  readonly #storage: CachedStorage;
  readonly #auditor: Pick<Auditor, 'render'> | undefined;

  constructor(storage: CachedStorage, auditor?: Pick<Auditor, 'render'>) {
    this.#storage = storage;
    this.#auditor = auditor;
  }

  /** Prometheus text exposition format 0.0.4. */
  render(): string {
    const text = new MetricText();
    text.histogram(
      'apiserver_client_certificate_expiration_seconds',
      'How long the certificates that clients came with are still valid.',
      this.certificateLifetimes,
    );
    this.queues.render(text);
    this.admission.render(text);
    this.authentication.render(text);
    this.tokenCache.render(text);
    this.authorization.render(text);
    this.#auditor?.render(text);
    const figures = this.#storage.figures?.();
    if (figures === undefined) return text.toString();
    for (const { group, resource, count } of byKind(figures.keysByRange)) {
      const name = group === '' ? resource : `${resource}.${group}`;
      text.gauge('apiserver_resource_objects', 'Stored objects by kind.', count, { group, resource });
      text.gauge('apiserver_storage_objects', 'The same by one label.', count, { resource: name });
    }
    for (const [operation, seconds] of Object.entries(figures.transactionSeconds)) {
      text.histogram(
        'etcd_request_duration_seconds',
        'How long the store, whichever it is, took for a transaction.',
        seconds,
        { operation, type: '' },
      );
    }
    text.gauge('cellplane_cache_keys', 'Keys in memory.', figures.keys);
    text.gauge('cellplane_cache_bytes', 'Memory taken for their values.', figures.slabBytes);
    text.gauge('cellplane_cache_events', 'Recent events that watches can go back to.', figures.ringEvents);
    text.gauge('cellplane_cache_event_bytes', 'Memory that these keep.', figures.ringBytes);
    text.gauge('cellplane_cache_watchers', 'Who is told of changes.', figures.watchers);
    return text.toString();
  }
}

function byKind(keysByRange: ReadonlyMap<string, number>) {
  const kinds: { readonly group: string; readonly resource: string; count: number }[] = [];
  for (const [prefix, count] of keysByRange) {
    const [, group = '', resource = ''] = prefix.split('/');
    if (resource === '' || isInternal(group) || count === 0) continue;
    kinds.push({ group: group === 'core' ? '' : group, resource, count });
  }
  if (kinds.length <= kindsMax) return kinds;
  kinds.sort((a, b) => b.count - a.count);
  const others = kinds.splice(kindsMax - 1).reduce((sum, { count }) => sum + count, 0);
  return [...kinds, { group: '', resource: 'other', count: others }];
}
