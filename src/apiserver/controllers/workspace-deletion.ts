import { withCondition } from '#api/conditions.ts';
import {
  coreKcpGroup,
  type LogicalClusterObject,
  logicalClusterName,
  logicalClustersGvr,
} from '#api/core-kcp/logical-cluster.ts';
import {
  logicalClusterFinalizer,
  phaseLabel,
  tenancyGroup,
  type WorkspaceObject,
  workspaceDefinition,
  workspacesGvr,
} from '#api/tenancy/workspace.ts';
import { nowTime } from '#apimachinery/rfc3339.ts';
import type { ReconcileResult } from '#client/reconcile.ts';
import type { CacheEntry, CacheEvent, CacheSnapshot } from '#storage/cached-storage.ts';
import { objectKey, parseObjectKey } from '#storage/keys.ts';
import type { Guard, Operation, Revision, StorageKey } from '#storage/storage.ts';
import { foregroundFinalizer, orphanFinalizer } from '../registry/deletion.ts';
import { encodeStored } from '../registry/encode-stored.ts';
import { clusterOf, internalPrefix } from '../registry/key-parts.ts';
import { hasDeletionTimestamp, headerOf, objectOf } from '../registry/stored-object.ts';
import { isGeneratedClusterId } from '../workspace/cluster-ref.ts';
import { logicalClusterKey, type WorkspaceRecord } from '../workspace/workspace-index.ts';
import { type ControllerContext, KeyedController } from './controller.ts';
import { deleteEach } from './delete-each.ts';
import { deleteEntries, orRaced } from './delete-entries.ts';

/** Looks again at a workspace that waits for others, in case an event did not tell. */
const recheckMs = 15_000;
/** Time in which many events of one workspace make one look. */
const settleMs = 50;

const workspacePrefix = `/${tenancyGroup}/workspaces/`;
const logicalClusterPrefix = `/${coreKcpGroup}/logicalclusters/`;
const crdPrefix = '/apiextensions.k8s.io/customresourcedefinitions/';

/**
 * What those need who still have to take finalizers off: it goes last, when nothing has any.
 */
const supporting = [
  '/core/namespaces/',
  '/core/serviceaccounts/',
  '/core/secrets/',
  '/rbac.authorization.k8s.io/',
  crdPrefix,
];

/** Finalizers that ask for work which a workspace's end makes pointless, or that the sweep does itself. */
const ownFinalizers: ReadonlySet<string> = new Set([
  foregroundFinalizer,
  orphanFinalizer,
  logicalClusterFinalizer,
  'customresourcecleanup.apiextensions.k8s.io',
]);

interface Content {
  /** Removable at once. */
  readonly free: CacheEntry[];
  /** Held by somebody's finalizer. */
  readonly held: CacheEntry[];
  readonly children: CacheEntry[];
}

/**
 * Deletes workspaces: children first, then what has finalizers through the API, then all the rest by range, together
 * with the LogicalCluster and the Workspace, in one transaction where it fits. Nothing of a deleted workspace stays
 * behind, not even what was written while it was being deleted.
 */
export class WorkspaceDeletion extends KeyedController {
  /** Clusters that wait for an event inside. */
  readonly #waiting = new Set<string>();
  /** Clusters whose last keys are being removed: that they go is no news. */
  readonly #removing = new Set<string>();
  /** Newest snapshot by resource, shared by the deletions of one burst. */
  readonly #snapshots = new Map<string, CacheSnapshot>();

  constructor(context: ControllerContext) {
    super(context, { name: 'workspace-deletion', concurrency: 16 });
  }

  protected listen(): (() => void)[] {
    const { events, index } = this.context;
    const { queue } = this;
    return [
      index.onChange((record, change) => {
        if (change !== 'removed' && isClosing(record)) queue.add(record.id);
      }),
      events.listen(undefined, { event: (event) => this.#notice(event), reset: () => this.resync() }),
    ];
  }

  /** What happens in a workspace that waits may be what it waits for; what is written into none belongs nowhere. */
  #notice({ key, entry, previous }: CacheEvent): void {
    const clusterId = clusterOf(key);
    if (entry === undefined && previous !== undefined && key.startsWith(workspacePrefix)) {
      // Somebody took our finalizer off: the cluster has lost its Workspace.
      const cluster = (objectOf(previous) as WorkspaceObject).spec?.cluster;
      if (cluster !== undefined && this.context.storage.peek(logicalClusterKey(cluster)) !== undefined) {
        this.queue.add(cluster);
      }
    }
    if (this.#waiting.has(clusterId)) {
      if (entry === undefined && this.#removing.has(clusterId)) return;
      this.queue.addAfter(clusterId, settleMs);
      return;
    }
    if (entry === undefined || !isGeneratedClusterId(clusterId)) return;
    const { index, storage } = this.context;
    if (index.recordOf(clusterId) !== undefined) return;
    // A creation's events come in the order of keys, and here before they come to the index.
    if (storage.peek(logicalClusterKey(clusterId)) !== undefined) return;
    this.queue.addAfter(clusterId, settleMs);
  }

  protected resync(): void {
    for (const record of this.context.index.records()) if (isClosing(record)) this.queue.add(record.id);
    this.#findStrays().catch((error: unknown) => {
      if (!this.signal.aborted) {
        this.context.logger.warn({ err: error }, 'could not look for what deleted workspaces left behind');
      }
    });
  }

  /** Clusters that have keys and no LogicalCluster, or a LogicalCluster without its Workspace. */
  async #findStrays(): Promise<void> {
    const { storage, events, index } = this.context;
    let looks = 0;
    for (const prefix of events.resourcePrefixes()) {
      const snapshot = storage.snapshot(prefix);
      let after: StorageKey | undefined;
      for (;;) {
        if (++looks % 1_000 === 0) await new Promise((resolve) => setImmediate(resolve));
        if (this.signal.aborted) return;
        const next = snapshot.entries(after).next();
        if (next.done === true) break;
        const clusterId = clusterOf(next.value.key);
        if (isGeneratedClusterId(clusterId) && index.recordOf(clusterId) === undefined) {
          this.queue.add(clusterId);
        } else if (prefix === logicalClusterPrefix && this.#isOwnerless(next.value)) {
          this.queue.add(clusterId);
        }
        after = `${prefix}${clusterId}/\uffff` as StorageKey;
      }
    }
  }

  protected async reconcile(clusterId: string, signal: AbortSignal): Promise<ReconcileResult> {
    try {
      return await this.#lookAt(clusterId, signal);
    } finally {
      // The burst is over: what the snapshots hold may be let go of.
      if (this.queue.size <= 1) this.#snapshots.clear();
    }
  }

  async #lookAt(clusterId: string, signal: AbortSignal): Promise<ReconcileResult> {
    const { storage, index } = this.context;
    const record = index.recordOf(clusterId);
    const cluster = storage.peek(logicalClusterKey(clusterId));
    if (cluster === undefined) {
      await storage.awaitFresh();
      if (storage.peek(logicalClusterKey(clusterId)) === undefined) await this.#removeStray(clusterId);
      return undefined;
    }
    if (record === undefined) return undefined;
    if (!isClosing(record)) {
      if (!this.#isOwnerless(cluster)) return undefined;
      await storage.awaitFresh();
      if (!this.#isOwnerless(cluster)) return undefined;
      await this.#markCluster(record, cluster);
      return undefined;
    }
    return this.#sweep(record, cluster, signal);
  }

  async #sweep(record: WorkspaceRecord, cluster: CacheEntry, signal: AbortSignal): Promise<ReconcileResult> {
    const { id } = record;
    const { storage } = this.context;
    // Nothing is created inside since the Workspace was marked, so that any later state will do for a first look; a
    // second one is for what changed.
    const marked = this.#ownerEntry(cluster)?.revision ?? cluster.revision;
    const atLeast = this.#waiting.has(id) ? storage.revision : marked;
    // Listening before looking: what happens between is noticed.
    this.#waiting.add(id);
    const object = objectOf(cluster) as LogicalClusterObject;
    const terminators = object.status?.terminators ?? [];
    const content = this.#contentOf(record, Math.max(atLeast, cluster.revision));
    if (content.children.length === 0 && content.held.length === 0 && terminators.length === 0) {
      if (!(await this.#removeAll(record, cluster, content.free))) return { requeueAfterMs: settleMs };
      this.#waiting.delete(id);
      return undefined;
    }
    if (!hasDeletionTimestamp(cluster)) await this.#markCluster(record, cluster);
    await this.#deleteThroughApi(content.children, signal);
    if (terminators.length === 0) {
      await this.#deleteThroughApi(content.held, signal);
      const free = content.free.filter((entry) => !isSupporting(entry.key));
      await deleteEach(this.context.storage, free);
    }
    await this.#report(record, content, terminators, signal);
    return { requeueAfterMs: recheckMs };
  }

  #contentOf(record: WorkspaceRecord, atLeast: number): Content {
    const content: Content = { free: [], held: [], children: [] };
    for (const prefix of this.context.events.resourcePrefixes()) {
      if (prefix === logicalClusterPrefix) continue;
      for (const entry of this.#entriesOf(prefix, record.id, atLeast)) {
        if (prefix === workspacePrefix) content.children.push(entry);
        else if (record.kind !== 'cell' && isHeld(entry)) content.held.push(entry);
        else content.free.push(entry);
      }
    }
    return content;
  }

  /** A snapshot serves all deletions that began before it was taken: one that is new enough is as good as another. */
  *#entriesOf(prefix: string, clusterId: string, atLeast: number): Generator<CacheEntry> {
    let snapshot = this.#snapshots.get(prefix);
    if (snapshot === undefined || snapshot.revision < atLeast) {
      snapshot = this.context.storage.snapshot(prefix);
      this.#snapshots.set(prefix, snapshot);
    }
    const range = `${prefix}${clusterId}/`;
    for (const entry of snapshot.entries(range as StorageKey)) {
      if (!entry.key.startsWith(range)) return;
      yield entry;
    }
  }

  /** False when something changed meanwhile. */
  async #removeAll(
    record: WorkspaceRecord,
    cluster: CacheEntry,
    free: readonly CacheEntry[],
  ): Promise<boolean> {
    const last = this.#ownerOperation(cluster);
    this.#removing.add(record.id);
    try {
      if (!(await deleteEach(this.context.storage, free))) return this.#forgetSnapshots();
      if (!(await this.#remove(cluster, last))) return this.#forgetSnapshots();
    } finally {
      this.#removing.delete(record.id);
    }
    this.context.logger.debug({ workspace: record.path, cluster: record.id }, 'workspace deleted');
    return true;
  }

  #forgetSnapshots(): false {
    this.#snapshots.clear();
    return false;
  }

  async #remove(
    { key, revision }: CacheEntry,
    more: { readonly guards: readonly Guard[]; readonly operations: readonly Operation[] },
  ): Promise<boolean> {
    const result = await this.context.storage.transact({
      guards: [...more.guards, { key, revision }],
      operations: [...more.operations, { type: 'delete', key }],
    });
    return result.committed;
  }

  /** What lies under a cluster id that no LogicalCluster bears: guarded by that absence. */
  async #removeStray(clusterId: string): Promise<void> {
    const guard: Guard = { key: logicalClusterKey(clusterId), revision: 0 as Revision };
    for (const prefix of this.context.events.resourcePrefixes()) {
      const range = `${prefix}${clusterId}/`;
      const entries = [...this.context.storage.snapshot(range).entries()];
      if (!(await deleteEach(this.context.storage, entries, [guard]))) {
        throw new Error('what a deleted workspace left behind changed while it was removed');
      }
    }
  }

  /** Takes our finalizer off the Workspace, and the Workspace away when it was the last. */
  #ownerOperation(cluster: CacheEntry): { readonly guards: Guard[]; readonly operations: Operation[] } {
    const entry = this.#ownerEntry(cluster);
    if (entry === undefined) return { guards: [], operations: [] };
    const { key, revision } = entry;
    const workspace = objectOf(entry) as WorkspaceObject;
    const finalizers = (workspace.metadata.finalizers ?? []).filter((one) => one !== logicalClusterFinalizer);
    const guards = [{ key, revision }];
    if (finalizers.length === 0) return { guards, operations: [{ type: 'delete', key }] };
    workspace.metadata.finalizers = finalizers;
    workspace.metadata.deletionTimestamp ??= nowTime(this.context.clock.now());
    workspace.metadata.deletionGracePeriodSeconds ??= 0;
    return {
      guards,
      operations: [{ type: 'put', key, value: encodeStored(workspace, workspaceDefinition) }],
    };
  }

  /** The Workspace that the cluster belongs to: the same object, not one of the same name. */
  #ownerEntry(cluster: CacheEntry): CacheEntry | undefined {
    const { owner } = (objectOf(cluster) as LogicalClusterObject).spec ?? {};
    const id = clusterOf(cluster.key);
    if (owner === undefined) return this.#ownerByPath(id);
    const key = workspaceKey(owner.cluster, owner.name);
    const entry = this.context.storage.peek(key);
    return entry !== undefined && headerOf(entry).uid === owner.uid ? entry : undefined;
  }

  #ownerByPath(id: string): CacheEntry | undefined {
    const { index, storage } = this.context;
    const path = index.recordOf(id)?.path ?? '';
    const colon = path.lastIndexOf(':');
    const parent = colon < 0 ? undefined : index.find(path.slice(0, colon));
    if (parent === undefined) return undefined;
    const entry = storage.peek(workspaceKey(parent.id, path.slice(colon + 1)));
    return entry !== undefined && (objectOf(entry) as WorkspaceObject).spec?.cluster === id
      ? entry
      : undefined;
  }

  /** Its Workspace is gone although a finalizer should have kept it. */
  #isOwnerless(cluster: CacheEntry): boolean {
    const { owner } = (objectOf(cluster) as LogicalClusterObject).spec ?? {};
    return owner !== undefined && this.#ownerEntry(cluster) === undefined;
  }

  async #markCluster({ id }: WorkspaceRecord, cluster: CacheEntry): Promise<void> {
    const preconditions = { uid: headerOf(cluster).uid };
    await orRaced(
      this.context.client.delete(
        { cluster: id, gvr: logicalClustersGvr, name: logicalClusterName },
        { preconditions },
      ),
    );
  }

  /** Those that nobody serves any more can be let go of by nobody either: they are removed. */
  async #deleteThroughApi(entries: readonly CacheEntry[], signal: AbortSignal): Promise<void> {
    await deleteEach(this.context.storage, await deleteEntries(this.context, entries, signal));
  }

  /** Tells in LogicalCluster and Workspace what is being waited for. */
  async #report(
    record: WorkspaceRecord,
    content: Content,
    terminators: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    const { client, storage, clock } = this.context;
    const now = nowTime(clock.now());
    const condition = {
      type: 'WorkspaceContentDeleted',
      status: 'False' as const,
      severity: 'Info',
      reason: terminators.length > 0 ? 'TerminatorExists' : 'SomeResourcesRemain',
      message: remainingText(content, terminators),
    };
    const cluster = storage.peek(logicalClusterKey(record.id));
    if (cluster === undefined) return;
    const object = objectOf(cluster) as LogicalClusterObject;
    const conditions = withCondition(object.status?.conditions, condition, now);
    if (object.status?.phase !== 'Deleting' || conditions !== object.status.conditions) {
      const status = { ...object.status, phase: 'Deleting', conditions };
      const ref = { cluster: record.id, gvr: logicalClustersGvr, name: logicalClusterName };
      await orRaced(client.update(ref, { ...object, status }, { subresource: 'status', signal }));
    }
    await this.#reportToOwner(cluster, condition, now, signal);
  }

  async #reportToOwner(
    cluster: CacheEntry,
    condition: Parameters<typeof withCondition>[1],
    now: string,
    signal: AbortSignal,
  ): Promise<void> {
    const entry = this.#ownerEntry(cluster);
    if (entry === undefined) return;
    const { clusterId, name } = parseObjectKey(entry.key);
    const workspace = objectOf(entry) as WorkspaceObject;
    const conditions = withCondition(workspace.status?.conditions, condition, now);
    if (workspace.status?.phase === 'Deleting' && conditions === workspace.status.conditions) return;
    const ref = { cluster: clusterId, gvr: workspacesGvr, name };
    const status = { ...workspace.status, phase: 'Deleting' as const, conditions };
    const { client } = this.context;
    await orRaced(client.update(ref, { ...workspace, status }, { subresource: 'status', signal }));
    const labels = { [phaseLabel]: 'Deleting' };
    await orRaced(client.patch(ref, { type: 'merge', body: { metadata: { labels } } }, { signal }));
  }
}

function isClosing({ phase }: WorkspaceRecord): boolean {
  return phase === 'Terminating' || phase === 'Deleting';
}

function isSupporting(key: string): boolean {
  return supporting.some((prefix) => key.startsWith(prefix));
}

function isHeld(entry: CacheEntry): boolean {
  if (entry.key.startsWith(internalPrefix)) return false;
  return headerOf(entry).finalizers.some((finalizer) => !ownFinalizers.has(finalizer));
}

function workspaceKey(clusterId: string, name: string): StorageKey {
  return objectKey({ ...workspaceDefinition.storedAs, clusterId, namespace: '', name });
}

/** Kubernetes' words of a namespace's deletion, as kcp uses them for workspaces. */
function remainingText({ children, held }: Content, terminators: readonly string[]): string {
  if (terminators.length > 0) return `Some terminators remain: ${terminators.join(', ')}`;
  const counts = new Map<string, number>();
  for (const { key } of [...children, ...held]) {
    const { group, resource } = parseObjectKey(key);
    const name = `${resource}.${group}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const shown = [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, 20);
  const list = shown.map(([name, count]) => `${name} has ${count} resource instances`);
  const finalizers = new Set(held.flatMap((entry) => headerOf(entry).finalizers));
  const held20 = [...finalizers].sort().slice(0, 20);
  const tail = held20.length === 0 ? '' : `; finalizers remaining: ${held20.join(', ')}`;
  return `Some resources are remaining: ${list.join(', ')}${tail}`;
}
