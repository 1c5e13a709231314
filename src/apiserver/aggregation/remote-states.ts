import { withCondition } from '#api/conditions.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { Clock } from '#apimachinery/clock.ts';
import { equalJson, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { nowTime } from '#apimachinery/rfc3339.ts';
import type { Scheme } from '#apimachinery/scheme.ts';
import type { KubeClient } from '#client/client.ts';
import type { Logger } from '#client/logger.ts';
import { ReconcileLoop, type ReconcileResult } from '#client/reconcile.ts';
import { WorkQueue } from '#client/workqueue.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import { objectKey } from '#storage/keys.ts';
import { objectOf } from '../registry/stored-object.ts';
import type { ClusterId } from '../workspace/workspace.ts';
import type { WorkspaceDirectory } from '../workspace/workspace-index.ts';
import { apiServiceGroup, apiServiceResource, leadsAlike, type RemoteApiService } from './api-service.ts';
import { type ApiServiceCatalog, remoteServicesMax } from './api-service-catalog.ts';
import { type Probe, probe, unavailable } from './availability.ts';
import type { RemoteRequests } from './remote-requests.ts';

/** Probes under way at once: each is a request that waits, with its own deadline. */
const probesMax = 128;
const lookAgainMs = 30_000;
const retryMinMs = 1_000;

const gvr = { group: apiServiceGroup, version: 'v1', resource: apiServiceResource } as const;

/** What is known of one remote. */
interface RemoteState {
  readonly remote: RemoteApiService;
  readonly available: boolean;
  /** Its last APIResourceList: kept while it is not available, then told as stale. */
  readonly resources: JsonObject | undefined;
  readonly failures: number;
}

/**
 * Keeps in mind which remote API servers answer (KUBERNETES.md O1): each APIService is probed when it changes, every 30
 * seconds while it is available, and within growing pauses from one second on while it is not. Every server probes for
 * itself, for it proxies by what it sees; the condition Available is written only when it changes.
 */
export class RemoteStates {
  readonly #parts: {
    readonly catalog: ApiServiceCatalog;
    readonly requests: RemoteRequests;
    readonly storage: CachedStorage;
    readonly directory: WorkspaceDirectory;
    readonly client: KubeClient;
    readonly clock: Clock;
    readonly onDocument: (clusterId: string) => void;
  };
  readonly #states = new Map<string, RemoteState>();
  readonly #queue: WorkQueue;
  readonly #loop: ReconcileLoop;

  constructor(parts: {
    readonly catalog: ApiServiceCatalog;
    readonly requests: RemoteRequests;
    readonly storage: CachedStorage;
    readonly directory: WorkspaceDirectory;
    /** The loopback client. */
    readonly client: KubeClient;
    readonly clock: Clock;
    readonly logger: Logger;
    /** The discovery of a workspace's remotes, or their availability, has changed. */
    readonly onDocument: (clusterId: string) => void;
  }) {
    this.#parts = parts;
    this.#queue = new WorkQueue({ clock: parts.clock, backoffMinMs: 50, backoffMaxMs: lookAgainMs });
    this.#loop = new ReconcileLoop({
      name: 'apiservices',
      queue: this.#queue,
      reconcile: (key, signal) => this.#reconcile(key, signal),
      concurrency: probesMax,
      logger: parts.logger,
    });
    parts.catalog.onChange((clusterId, name) => this.#queue.add(`${clusterId}/${name}`));
  }

  start(): void {
    for (const { clusterId, name } of this.#parts.catalog.all()) this.#queue.add(`${clusterId}/${name}`);
    this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  /** Before its first probe a remote counts as what was last stored of it. */
  isAvailable(remote: RemoteApiService): boolean {
    const state = this.#stateOf(remote);
    return state === undefined ? remote.wasAvailable : state.available;
  }

  /** To be called when it did not answer, or may be elsewhere: it is probed at once. */
  suspect({ clusterId, name }: RemoteApiService): void {
    this.#queue.add(`${clusterId}/${name}`);
  }

  /** Undefined until it has once been had. */
  resourcesOf(remote: RemoteApiService): JsonObject | undefined {
    return this.#stateOf(remote)?.resources;
  }

  #stateOf(remote: RemoteApiService): RemoteState | undefined {
    const state = this.#states.get(`${remote.clusterId}/${remote.name}`);
    return state !== undefined && leadsAlike(state.remote, remote) ? state : undefined;
  }

  async #reconcile(key: string, signal: AbortSignal): Promise<ReconcileResult> {
    const slash = key.indexOf('/');
    const clusterId = key.slice(0, slash);
    const { catalog, requests, directory, onDocument } = this.#parts;
    const remote = catalog.get(clusterId, key.slice(slash + 1));
    const record = directory.recordOf(clusterId);
    if (remote === undefined || record === undefined || record.kind === 'cell') {
      if (this.#states.delete(key)) onDocument(clusterId);
      return undefined;
    }
    if (record.phase !== 'Ready') return { requeueAfterMs: lookAgainMs };
    const found = await this.#find(remote, requests, signal);
    signal.throwIfAborted();
    const { condition, resources } = found;
    const before = this.#stateOf(remote);
    const available = condition.status === 'True';
    const state: RemoteState = {
      remote,
      available,
      resources: resources ?? before?.resources,
      failures: available ? 0 : (before?.failures ?? 0) + 1,
    };
    this.#states.set(key, state);
    if (before?.available !== available || !sameDocument(before?.resources, state.resources)) {
      onDocument(clusterId);
    }
    await this.#tell(remote, found);
    if (available) return { requeueAfterMs: lookAgainMs };
    return { requeueAfterMs: Math.min(lookAgainMs, retryMinMs * 2 ** Math.min(state.failures - 1, 5)) };
  }

  #find(remote: RemoteApiService, requests: RemoteRequests, signal: AbortSignal): Promise<Probe> {
    const { clusterId, group, version } = remote;
    const scheme = this.#parts.directory.byId(clusterId as ClusterId)?.scheme;
    if (scheme !== undefined && isOurs(scheme, group, version)) {
      const why = `the workspace itself serves ${group}/${version}`;
      return Promise.resolve(unavailable('ServedLocally', why));
    }
    if (!this.#parts.catalog.remotesOf(clusterId).has(`${group}/${version}`)) {
      const why = `a workspace may have ${remoteServicesMax} APIServices with a service`;
      return Promise.resolve(unavailable('TooManyAPIServices', why));
    }
    return probe(requests, remote, signal);
  }

  async #tell({ clusterId, name }: RemoteApiService, { condition }: Probe): Promise<void> {
    const { storage, client, clock } = this.#parts;
    const key = objectKey({
      group: apiServiceGroup,
      resource: apiServiceResource,
      clusterId,
      namespace: '',
      name,
    });
    const entry = storage.peek(key);
    if (entry === undefined) return;
    const object: KubeObject = objectOf(entry, entry.revision);
    const status = (object['status'] ?? {}) as { conditions?: Parameters<typeof withCondition>[0] };
    const conditions = withCondition(status.conditions, condition, nowTime(clock.now()));
    if (conditions === status.conditions) return;
    try {
      const next = { ...object, status: { ...status, conditions } };
      await client.update({ cluster: clusterId, gvr, name }, next, { subresource: 'status' });
    } catch (error) {
      // Deleted meanwhile: that is an event, and brings the key back.
      if (!isApiError(error, 'NotFound')) throw error;
    }
  }
}

/** What every workspace of its type serves is not to be taken over; a CRD's group version may be, as in Kubernetes. */
export function isOurs(scheme: Scheme, group: string, version: string): boolean {
  if (!scheme.hasGroupVersion(group, version)) return false;
  return scheme.definitions.some(
    (one) =>
      one.origin !== 'custom' &&
      one.group === group &&
      one.versions.some((served) => served.served && served.version === version),
  );
}

function sameDocument(a: JsonObject | undefined, b: JsonObject | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && equalJson(a, b));
}
