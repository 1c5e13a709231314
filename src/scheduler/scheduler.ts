import { setMaxListeners } from 'node:events';
import { logicalClustersGvr } from '#api/core-kcp/logical-cluster.ts';
import { type Cell, cellsGvr } from '#api/federation/cell.ts';
import { copiesGvr } from '#api/federation/copy.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import { clusterResourceBindingsGvr, resourceBindingsGvr } from '#api/work/group.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { Clock } from '#apimachinery/clock.ts';
import { isJsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { CollectionRef, KubeClient } from '#client/client.ts';
import { clusterAnnotation, Informer, type InformerHandler } from '#client/informer.ts';
import type { Logger } from '#client/logger.ts';
import { ReconcileLoop, type ReconcileResult } from '#client/reconcile.ts';
import { WorkQueue } from '#client/workqueue.ts';
import type { CellInfo } from './algorithm/cell.ts';
import { compilePlacement } from './algorithm/compile.ts';
import { parseTemplateAnnotation, templateAnnotation } from './binding.ts';
import { CellCrds, crdsGvr } from './cell-crds.ts';
import { CellNamespaces } from './cell-namespaces.ts';
import { type CellChange, CellStore } from './cells/cell-store.ts';
import { CopyIndex, type CopyRecord, copyRecordOf, placeKeyOf, type WatchedResource } from './copy-index.ts';
import { CopyWriter } from './copy-writer.ts';
import { Discovery } from './discovery.ts';
import { CopyReader } from './gather/gather.ts';
import { KeyStates } from './key-state.ts';
import { NamespaceKeeper } from './namespace-keeper.ts';
import { type KeyParts, keyOf, type ProjectObjectKey, splitKey } from './object-key.ts';
import { Policies } from './policies.ts';
import type { ResolvedPolicy } from './policy/policy-index.ts';
import { platformClasses } from './projection/kinds.ts';
import { bindingName, createNameMapper } from './projection/names.ts';
import { Projector } from './projector.ts';
import { Reconciler } from './reconciler.ts';
import { ResourceWatches, watchName } from './resource-watches.ts';
import { slimMetadata } from './slim-metadata.ts';
import { type WorkspaceRef, Workspaces } from './workspaces.ts';

export interface SchedulerOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Objects worked on at once. */
  readonly concurrency?: number | undefined;
  /** How long a mapped namespace must be empty before it goes. */
  readonly emptyNamespaceMs?: number | undefined;
  /** How long to wait before asking again for a kind that a policy names and nobody serves. */
  readonly discoveryRetryMs?: number | undefined;
  /** At most one gathering of an object's status in this time, after the first. Default 1,000. */
  readonly gatherIntervalMs?: number | undefined;
  /** Cuts the hash in mapped names: for tests that must see collisions. */
  readonly hashBits?: number | undefined;
}

export interface Scheduler {
  /** Resolves when all caches are complete and work has begun; rejects when `signal` fires before. */
  start(signal: AbortSignal): Promise<void>;
  /** Idempotent; resolves when nothing runs any more. */
  stop(): Promise<void>;
  /** True from the end of `start` on, while the watches are connected. */
  readonly ready: boolean;
  /** Nothing waits to be worked on now: for tests, and for an ordered shutdown. */
  readonly idle: boolean;
}

/** Places the objects of all projects into cells and brings their status back (DESIGN.md, Scheduler). */
export function createScheduler(options: SchedulerOptions): Scheduler {
  return new SchedulerProcess(options);
}

const namespacesResource: WatchedResource = { group: '', version: 'v1', resource: 'namespaces' };
const clusterRolesResource: WatchedResource = {
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  resource: 'clusterroles',
};
const roleBindingsResource: WatchedResource = { ...clusterRolesResource, resource: 'rolebindings' };
const clusterRoleBindingsName = 'clusterrolebindings.rbac.authorization.k8s.io';
const crdsName = watchName(crdsGvr);

/** Classes that projects may bring by CRD; references to them follow the rule for platform classes. */
const customClasses: readonly WatchedResource[] = [
  { group: 'gateway.networking.k8s.io', version: 'v1', resource: 'gatewayclasses' },
  { group: 'cert-manager.io', version: 'v1', resource: 'clusterissuers' },
  { group: 'snapshot.storage.k8s.io', version: 'v1', resource: 'volumesnapshotclasses' },
];
const classNames: ReadonlySet<string> = new Set(
  [...platformClasses, clusterRolesResource, ...customClasses].map(watchName),
);

class SchedulerProcess implements Scheduler {
  readonly #options: SchedulerOptions;
  readonly #stopping = new AbortController();
  readonly #queue: WorkQueue;
  readonly #policyQueue: WorkQueue;
  readonly #workspaces: Workspaces;
  readonly #cells: CellStore;
  readonly #copies = new CopyIndex();
  readonly #states = new KeyStates();
  readonly #watches: ResourceWatches;
  readonly #discovery: Discovery;
  readonly #policies: Policies;
  readonly #informers: Informer[] = [];
  readonly #loops: ReconcileLoop[] = [];
  /** Place in a cell workspace where something of another origin lies → who waits for it to go. */
  readonly #waitingForPlace = new Map<string, Set<ProjectObjectKey>>();
  #bindings: { readonly namespaced: Informer; readonly clusterWide: Informer } | undefined;
  #reconciler: Reconciler | undefined;
  #keeper: NamespaceKeeper | undefined;
  #projector: Projector | undefined;
  #controlPlaneId = '';
  #isStarted = false;
  #stopped: Promise<void> | undefined;

  constructor(options: SchedulerOptions) {
    const { client, clock, logger } = options;
    this.#options = options;
    // Every call under way listens to it; their number is bounded by the loops' concurrency, not by a leak.
    setMaxListeners(0, this.#stopping.signal);
    this.#queue = new WorkQueue({ clock });
    this.#policyQueue = new WorkQueue({ clock });
    this.#workspaces = new Workspaces(client);
    this.#cells = new CellStore((cell) => this.#workspaces.cellId(cell) !== undefined);
    this.#discovery = new Discovery(client);
    this.#watches = new ResourceWatches({
      client,
      clock,
      logger,
      listener: (resource, object, old) => this.#onObject(resource, object, old),
    });
    this.#policies = new Policies({
      client,
      clock,
      logger,
      discovery: this.#discovery,
      onPolicy: (key) => this.#policyQueue.add(key),
      onOverride: (cluster, namespace) => this.#wakeProject(cluster, namespace),
    });
    this.#workspaces.listen((now, old) => this.#onWorkspace(now, old));
  }

  get ready(): boolean {
    return (
      this.#isStarted &&
      this.#watches.connected &&
      this.#policies.connected &&
      this.#informers.every((informer) => informer.connected)
    );
  }

  get idle(): boolean {
    return this.#queue.idle && this.#policyQueue.idle;
  }

  async start(signal: AbortSignal): Promise<void> {
    const onAbort = (): void => {
      void this.stop();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      signal.throwIfAborted();
      await this.#start();
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Everything is known before the first decision: what is not seen yet must not look as if it were gone. */
  async #start(): Promise<void> {
    this.#controlPlaneId = await this.#readControlPlaneId();
    await this.#watchWorkspaces();
    this.#compose();
    await Promise.all([
      this.#watchCells(),
      this.#watchBindings(),
      this.#watchAlways(),
      this.#policies.start(),
    ]);
    await this.#resolvePolicies();
    await Promise.all([this.#watchBoundResources(), this.#watchCopiedResources()]);
    await this.#watches.synced();
    this.#stopping.signal.throwIfAborted();
    this.#wakeAll();
    this.#keeper?.start();
    for (const loop of this.#loops) loop.start();
    this.#isStarted = true;
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#isStarted = false;
    this.#stopping.abort(new Error('the scheduler was stopped'));
    await Promise.all([...this.#loops.map((loop) => loop.stop()), this.#keeper?.stop()]);
    this.#queue.close();
    this.#policyQueue.close();
    await Promise.all([
      this.#watches.stop(),
      this.#policies.stop(),
      ...this.#informers.map((informer) => informer.stop()),
    ]);
  }

  async #readControlPlaneId(): Promise<string> {
    const answer = await this.#options.client.raw(
      { cluster: undefined, method: 'GET', path: '/.well-known/cellplane' },
      { signal: this.#stopping.signal },
    );
    const id = isJsonObject(answer) ? answer['controlPlaneId'] : undefined;
    if (typeof id !== 'string' || id === '') throw new Error('the server does not tell its control-plane id');
    return id;
  }

  #compose(): void {
    const {
      client,
      clock,
      logger,
      concurrency = 16,
      hashBits,
      emptyNamespaceMs,
      gatherIntervalMs,
    } = this.#options;
    const writer = new CopyWriter(client, this.#copies, this.#controlPlaneId);
    const namespaces = new CellNamespaces(client, writer, this.#copies);
    const isDecided = (key: ProjectObjectKey, place: string): boolean =>
      this.#states.get(key)?.desired.has(place) ?? false;
    const projector = new Projector({
      cells: this.#cells,
      workspaces: this.#workspaces,
      watches: this.#watches,
      writer,
      namespaces,
      crds: new CellCrds(client, this.#controlPlaneId),
      controlPlaneId: this.#controlPlaneId,
      isDecided,
    });
    this.#projector = projector;
    this.#reconciler = new Reconciler({
      client,
      clock,
      logger,
      controlPlaneId: this.#controlPlaneId,
      workspaces: this.#workspaces,
      watches: this.#watches,
      policies: this.#policies.index,
      cells: this.#cells,
      copies: this.#copies,
      writer,
      reader: new CopyReader(client),
      projector,
      states: this.#states,
      bindingMetadata: (key) => this.#bindingMetadata(key),
      overridesOf: (cluster) => this.#policies.overridesOf(cluster),
      isUnresolved: (cluster, group) => this.#policies.isUnresolved(cluster, group),
      hashBits,
      gatherIntervalMs,
    });
    this.#keeper = new NamespaceKeeper({
      clock,
      logger,
      index: this.#copies,
      writer,
      namespaces,
      isDecided,
      refresh: (record, signal) => this.#refreshNamespace(record, signal),
      emptyMs: emptyNamespaceMs,
    });
    this.#loops.push(
      new ReconcileLoop({
        name: 'objects',
        queue: this.#queue,
        reconcile: (key) => this.#reconcileObject(key, this.#stopping.signal),
        concurrency,
        logger,
      }),
      new ReconcileLoop({
        name: 'policies',
        queue: this.#policyQueue,
        reconcile: (key) => this.#reconcilePolicy(key, this.#stopping.signal),
        concurrency: 4,
        logger,
      }),
    );
  }

  #informer(collection: CollectionRef, handler: InformerHandler, metadataOnly: boolean): Informer {
    const { client, clock, logger } = this.#options;
    const informer = new Informer({
      client,
      clock,
      logger,
      collection,
      metadataOnly,
      ...(metadataOnly
        ? { transform: collection.gvr === logicalClustersGvr ? undefined : slimMetadata }
        : {}),
    });
    informer.addHandler(handler);
    this.#informers.push(informer);
    informer.start();
    return informer;
  }

  async #watchWorkspaces(): Promise<void> {
    const handler: InformerHandler = {
      onAdd: (object) => this.#workspaces.put(object),
      onUpdate: (object) => this.#workspaces.put(object),
      onDelete: (old) => this.#workspaces.remove(old),
    };
    await this.#informer({ cluster: '*', gvr: logicalClustersGvr }, handler, true).synced;
  }

  async #watchCells(): Promise<void> {
    const handler: InformerHandler = {
      onAdd: (object) => this.#onCell(this.#cells.put(object as Cell)),
      onUpdate: (object) => this.#onCell(this.#cells.put(object as Cell)),
      onDelete: (old) => this.#onCell(this.#cells.remove(old.metadata.name ?? '')),
    };
    await this.#informer({ cluster: cellsWorkspacePath, gvr: cellsGvr }, handler, false).synced;
  }

  async #watchBindings(): Promise<void> {
    const handler: InformerHandler = {
      // Made and changed by ourselves; only one that vanished is a reason to look.
      onDelete: (old) => {
        const bound = boundObject(old);
        if (bound !== undefined) this.#wake(keyOf(bound));
      },
    };
    const namespaced = this.#informer({ cluster: '*', gvr: resourceBindingsGvr }, handler, true);
    const clusterWide = this.#informer({ cluster: '*', gvr: clusterResourceBindingsGvr }, handler, true);
    this.#bindings = { namespaced, clusterWide };
    await Promise.all([namespaced.synced, clusterWide.synced]);
  }

  /** What references and mapped namespaces depend on, whatever policies select. */
  async #watchAlways(): Promise<void> {
    const always = [namespacesResource, crdsGvr, clusterRolesResource, ...platformClasses];
    await Promise.all(always.map((resource) => this.#watches.ensure(resource)));
  }

  async #resolvePolicies(): Promise<void> {
    const { signal } = this.#stopping;
    const { logger } = this.#options;
    await Promise.all(
      Array.from(this.#policies.keys(), async (key) => {
        try {
          const resolution = await this.#policies.resolve(key, signal);
          if (resolution !== undefined) await this.#watchSelected(resolution.policy);
        } catch (error) {
          // It counts as unresolved, and its queue entry tries again.
          logger.debug({ err: error, policy: key }, 'policy is not resolved yet');
        }
      }),
    );
  }

  async #watchSelected(policy: ResolvedPolicy): Promise<void> {
    for (const { resource } of policy.selectors) {
      await this.#watches.ensure(pickResource(resource));
      if (watchName(resource) === clusterRoleBindingsName) await this.#watches.ensure(roleBindingsResource);
    }
  }

  /** Resources of objects that are bound, though no policy may select them any more. */
  async #watchBoundResources(): Promise<void> {
    const bound = new Map<string, WatchedResource>();
    for (const informer of [this.#bindings?.namespaced, this.#bindings?.clusterWide]) {
      for (const binding of informer?.values() ?? []) {
        const template = parseTemplateAnnotation(binding.metadata.annotations?.[templateAnnotation]);
        if (template !== undefined) bound.set(watchName(template), pickResource(template));
      }
    }
    await Promise.all(Array.from(bound.values(), (resource) => this.#watches.ensure(resource)));
  }

  /** Resources of copies that lie in cells, though their projects may be gone with all bindings. */
  async #watchCopiedResources(): Promise<void> {
    const { client } = this.#options;
    const copied = new Map<string, WatchedResource>();
    for (const { name } of this.#cells.snapshot().cells) {
      const cellId = this.#workspaces.cellId(name);
      if (cellId === undefined) continue;
      let token: string | undefined;
      do {
        try {
          const page = await client.list(
            { cluster: cellId, gvr: copiesGvr },
            { limit: 1_000, continue: token, signal: this.#stopping.signal },
          );
          for (const { target } of page.items) {
            if (!isJsonObject(target)) continue;
            const resource = pickResource(target as unknown as WatchedResource);
            copied.set(watchName(resource), resource);
          }
          token = page.metadata.continue === '' ? undefined : page.metadata.continue;
        } catch (error) {
          // A server that does not serve the list leaves it at what policies and bindings name.
          if (!isApiError(error, 'NotFound', 'MethodNotAllowed')) throw error;
          token = undefined;
        }
      } while (token !== undefined);
    }
    await Promise.all(Array.from(copied.values(), (resource) => this.#watches.ensure(resource)));
  }

  #wakeAll(): void {
    for (const key of this.#policies.keys()) this.#policyQueue.add(key);
    for (const key of this.#copies.keys()) this.#wake(key);
    for (const informer of [this.#bindings?.namespaced, this.#bindings?.clusterWide]) {
      for (const binding of informer?.values() ?? []) {
        const bound = boundObject(binding);
        if (bound !== undefined) this.#wake(keyOf(bound));
      }
    }
    for (const [cellId] of this.#cellIds()) {
      for (const { metadata } of this.#watches.inCluster(watchName(namespacesResource), cellId)) {
        this.#keeper?.look(cellId, metadata.name ?? '');
      }
    }
  }

  *#cellIds(): IterableIterator<readonly [id: string, cell: string]> {
    for (const { name } of this.#cells.snapshot().cells) {
      const id = this.#workspaces.cellId(name);
      if (id !== undefined) yield [id, name];
    }
  }

  #bindingMetadata(key: KeyParts): KubeObject | undefined {
    const informer = key.namespace === '' ? this.#bindings?.clusterWide : this.#bindings?.namespaced;
    return informer?.get(`${key.cluster}|${key.namespace}/${bindingName(key.group, key.resource, key.name)}`);
  }

  /** Asks for a decision. */
  #wake(key: ProjectObjectKey): void {
    this.#reconciler?.markForDecision(key);
    this.#queue.add(key);
  }

  async #reconcileObject(key: ProjectObjectKey, signal: AbortSignal): Promise<ReconcileResult> {
    const result = await this.#reconciler?.reconcile(key, signal);
    this.#waitForPlaces(key);
    return result;
  }

  /** A key whose copy found something of another origin looks again when that goes. */
  #waitForPlaces(key: ProjectObjectKey): void {
    for (const place of this.#states.get(key)?.collidedPlaces ?? []) {
      const waiting = this.#waitingForPlace.get(place);
      if (waiting === undefined) this.#waitingForPlace.set(place, new Set([key]));
      else waiting.add(key);
    }
  }

  async #reconcilePolicy(key: string, signal: AbortSignal): Promise<ReconcileResult> {
    const owned = [...this.#states.keysOf(key)];
    const former = this.#policies.index.get(key);
    const resolution = await this.#policies.resolve(key, signal);
    if (resolution !== undefined) {
      await this.#watchSelected(resolution.policy);
      this.#wakeSelected(resolution.policy);
    }
    for (const one of owned) this.#wake(one);
    if (former !== undefined) this.#wakeReleased(former);
    await this.#releaseUnused();
    if (resolution === undefined || resolution.missing.length === 0) return undefined;
    const { discoveryRetryMs = 30_000, logger } = this.#options;
    logger.debug({ policy: key, missing: resolution.missing }, 'a policy names kinds that are not served');
    return { requeueAfterMs: discoveryRetryMs };
  }

  #wakeSelected(policy: ResolvedPolicy): void {
    const { cluster } = policy;
    for (const name of new Set(policy.selectors.map(({ resource }) => watchName(resource)))) {
      for (const { metadata } of this.#watches.inCluster(name, cluster)) {
        const key = keyInWatch(name, cluster, metadata);
        const identity = {
          namespace: metadata.namespace ?? '',
          name: metadata.name ?? '',
          labels: metadata.labels,
        };
        const owner = this.#policies.index.ownerOf(cluster, name, identity, this.#states.get(key)?.policyKey);
        if (owner?.policy.key === policy.key) this.#wake(key);
      }
    }
  }

  /** Objects bound before a restart that this policy no longer selects: they have no state yet, only a binding. */
  #wakeReleased(former: ResolvedPolicy): void {
    for (const name of new Set(former.selectors.map(({ resource }) => watchName(resource)))) {
      for (const { metadata } of this.#watches.inCluster(name, former.cluster)) {
        const key = keyInWatch(name, former.cluster, metadata);
        if (this.#states.get(key) === undefined && this.#copies.ofOrigin(key).size > 0) this.#wake(key);
      }
    }
  }

  /** Ends watches that neither a policy nor a copy needs. */
  async #releaseUnused(): Promise<void> {
    for (const [name, resource] of [...this.#watches.resources()]) {
      if (isAlwaysWatched(resource) || this.#policies.index.selectsResource(name)) continue;
      if (this.#copies.holdsResource(name)) continue;
      if (
        name === watchName(roleBindingsResource) &&
        this.#policies.index.selectsResource(clusterRoleBindingsName)
      )
        continue;
      if (this.#states.keysOfResource(name).size > 0) continue;
      await this.#watches.release(name);
    }
  }

  /** All objects placed from a project, or from one of its namespaces. */
  #wakeProject(cluster: string, namespace: string | undefined): void {
    for (const key of this.#states.keysIn(cluster)) {
      if (namespace === undefined || splitKey(key).namespace === namespace) this.#wake(key);
    }
  }

  #onObject(resource: WatchedResource, object: KubeObject | undefined, old: KubeObject | undefined): void {
    const one = object ?? old;
    if (one === undefined) return;
    const cluster = one.metadata.annotations?.[clusterAnnotation] ?? '';
    if (this.#workspaces.cellOf(cluster) !== undefined) this.#onCellObject(cluster, resource, object, old);
    else if (this.#workspaces.get(cluster)?.kind === 'project')
      this.#onProjectObject(cluster, resource, object, old);
    // Objects of a workspace not known yet are looked at when it is (see onWorkspace).
  }

  #onProjectObject(
    cluster: string,
    resource: WatchedResource,
    object: KubeObject | undefined,
    old: KubeObject | undefined,
  ): void {
    const { metadata } = (object ?? old) as KubeObject;
    const name = watchName(resource);
    if (name === crdsName) {
      this.#discovery.forget(cluster);
      for (const key of this.#policies.unresolvedIn(cluster)) this.#policyQueue.add(key);
      this.#watchCustomClass(metadata.name ?? '');
      if (
        object !== undefined &&
        old !== undefined &&
        object.metadata.generation !== old.metadata.generation
      ) {
        this.#wakeResource(cluster, metadata.name ?? '');
      }
    }
    if (name === watchName(namespacesResource)) this.#onProjectNamespace(cluster, metadata.name ?? '');
    if (classNames.has(name) && (object === undefined || old === undefined))
      this.#wakeProject(cluster, undefined);
    const key = keyInWatch(name, cluster, metadata);
    const known = this.#states.get(key) !== undefined || this.#copies.ofOrigin(key).size > 0;
    if (!known && !this.#policies.index.selectsIn(cluster, name)) return;
    if (known && object !== undefined && old !== undefined && !bearsOnPlacement(object, old)) return;
    this.#wake(key);
  }

  /** A project's CRD for a class that others refer to. */
  #watchCustomClass(crdName: string): void {
    const customClass = customClasses.find((one) => watchName(one) === crdName);
    if (customClass === undefined || this.#watches.isWatched(crdName)) return;
    this.#watches.ensure(customClass).catch(() => {}); // ends only when stopped
  }

  #wakeResource(cluster: string, name: string): void {
    for (const key of this.#states.keysOfResource(name))
      if (splitKey(key).cluster === cluster) this.#wake(key);
  }

  #onProjectNamespace(cluster: string, namespace: string): void {
    const key = keyOf({ ...namespacesResource, cluster, namespace: '', name: namespace });
    for (const record of this.#copies.ofOrigin(key).values()) this.#keeper?.look(record.cellId, record.name);
  }

  #onCellObject(
    cellId: string,
    resource: WatchedResource,
    object: KubeObject | undefined,
    old: KubeObject | undefined,
  ): void {
    const { metadata } = (object ?? old) as KubeObject;
    const place = placeKeyOf({
      ...resource,
      cellId,
      namespace: metadata.namespace ?? '',
      name: metadata.name ?? '',
    });
    if (watchName(resource) === crdsName) this.#onCellCrd(cellId, metadata.name ?? '');
    const record =
      object === undefined
        ? undefined
        : copyRecordOf(cellId, resource, object.metadata, this.#controlPlaneId);
    const former = this.#copies.get(place);
    if (record !== undefined) this.#onCopy(record, former);
    else this.#onNoCopy(place, object, metadata.uid);
    if (metadata.namespace !== undefined && (object === undefined || old === undefined)) {
      this.#keeper?.look(cellId, metadata.namespace);
    }
  }

  #onCopy(told: CopyRecord, former: CopyRecord | undefined): void {
    if (told.origin.cluster === told.cellId) return; // a definition, which belongs to the cell
    // The content changed and the hash did not: somebody else wrote it, and what it holds is not what the hash says.
    const drifted =
      former?.uid === told.uid &&
      former.generation !== told.generation &&
      former.contentHash === told.contentHash;
    const record =
      drifted && former.resourceVersion !== told.resourceVersion ? { ...told, contentHash: '' } : told;
    this.#copies.put(record);
    const isNamespace = record.group === '' && record.resource === 'namespaces';
    if (isNamespace) {
      this.#keeper?.look(record.cellId, record.name);
      if (former === undefined) this.#wakeClusterRoleBindings(record.origin.cluster);
    }
    const state = this.#states.get(record.key);
    if (state === undefined) {
      if (this.#isStarted && !isNamespace) this.#wake(record.key);
      return;
    }
    const wanted = state.desired.get(placeKeyOf(record));
    // Ours as it should be: something may have come back from the edge. Anything else is set right.
    if (wanted === record.contentHash && !record.deleting) {
      if (isHeardOf(record) || (former !== undefined && isHeardOf(former))) this.#queue.add(record.key);
    } else if (
      former === undefined ||
      former.contentHash !== record.contentHash ||
      former.deleting !== record.deleting
    ) {
      this.#wake(record.key);
    }
  }

  /** Nothing of ours lies at the place (any more). */
  #onNoCopy(place: string, object: KubeObject | undefined, uid: string | undefined): void {
    const former = object === undefined ? this.#copies.remove(place, uid) : this.#copies.remove(place);
    if (former !== undefined) this.#wake(former.key);
    const waiting = this.#waitingForPlace.get(place);
    if (object !== undefined || waiting === undefined) return;
    this.#waitingForPlace.delete(place);
    for (const key of waiting) this.#wake(key);
  }

  /** A definition came or changed in a cell: what waits for it to be served may go on. */
  #onCellCrd(cellId: string, name: string): void {
    const cell = this.#workspaces.cellOf(cellId) ?? '';
    for (const key of this.#states.keysOfResource(name)) {
      if (this.#states.get(key)?.failures.has(cell) === true) this.#wake(key);
    }
  }

  #wakeClusterRoleBindings(cluster: string): void {
    for (const { metadata } of this.#watches.inCluster(clusterRoleBindingsName, cluster)) {
      const key = keyInWatch(clusterRoleBindingsName, cluster, metadata);
      if (this.#states.get(key) !== undefined) this.#wake(key);
    }
  }

  #onWorkspace(now: WorkspaceRef | undefined, old: WorkspaceRef | undefined): void {
    const id = (now ?? old)?.id ?? '';
    if (now === undefined) {
      this.#reconciler?.forgetProject(id);
      this.#discovery.forget(id);
      for (const key of this.#copies.removeCell(id)) this.#wake(key);
    }
    const isNew = old === undefined || old.kind !== now?.kind;
    const moved =
      old !== undefined && now !== undefined && (old.path !== now.path || old.deleting !== now.deleting);
    if (!isNew && !moved && now !== undefined) return;
    const cell = now === undefined ? undefined : this.#workspaces.cellOf(now.id);
    const cellName =
      cell ?? (old?.kind === 'cell' ? old.path.slice(old.path.lastIndexOf(':') + 1) : undefined);
    if (cellName !== undefined) this.#onCell(this.#cells.refresh(cellName));
    this.#lookAtWorkspace(id);
  }

  /** All that is known of a workspace's objects, looked at again: it came, moved or went. */
  #lookAtWorkspace(id: string): void {
    for (const [name, resource] of this.#watches.resources()) {
      for (const object of this.#watches.inCluster(name, id)) this.#onObject(resource, object, undefined);
    }
    this.#wakeProject(id, undefined);
    for (const key of this.#copies.keys()) if (key.includes(`|${id}|`)) this.#wake(key);
  }

  #onCell(change: CellChange | undefined): void {
    if (change === undefined || this.#reconciler === undefined) return;
    if (change.rules) {
      for (const policy of this.#policies.index.values()) {
        if (!concerns(policy, change)) continue;
        for (const key of this.#states.keysOf(policy.key)) this.#wake(key);
      }
      return;
    }
    if (change.now === undefined || !gained(change.now, change.old)) return;
    // Freed capacity helps those that wait for it, and only those that may use this cell.
    for (const policy of this.#policies.index.values()) {
      if (!concerns(policy, change)) continue;
      for (const key of this.#states.keysOf(policy.key)) {
        if (this.#states.get(key)?.outcome === 'Unschedulable') this.#wake(key);
      }
    }
  }

  async #refreshNamespace(record: CopyRecord, signal: AbortSignal): Promise<void> {
    const project = this.#workspaces.project(record.origin.cluster);
    const cell = this.#workspaces.cellOf(record.cellId);
    if (project === undefined || cell === undefined) return;
    const prefix = await this.#workspaces.mappingName(project, signal);
    const mapper = createNameMapper(
      { controlPlaneId: this.#controlPlaneId, clusterId: project.id, prefix },
      this.#options.hashBits,
    );
    const origin = { ...record.origin, path: project.path };
    await this.#projector?.ensureNamespace(
      project.id,
      record.origin.name,
      cell,
      record.cellId,
      { mapper, origin },
      signal,
    );
  }
}

/** Whether a syncer has said anything about the copy. */
function isHeardOf({ syncedHash, syncError }: CopyRecord): boolean {
  return syncedHash !== undefined || syncError !== undefined;
}

function keyInWatch(
  watch: string,
  cluster: string,
  { namespace = '', name = '' }: KubeObject['metadata'],
): string {
  const dot = watch.indexOf('.');
  return keyOf({ resource: watch.slice(0, dot), group: watch.slice(dot + 1), cluster, namespace, name });
}

function pickResource({ group, version, resource }: WatchedResource): WatchedResource {
  return { group, version, resource };
}

function isAlwaysWatched(resource: WatchedResource): boolean {
  const name = watchName(resource);
  return name === crdsName || name === watchName(namespacesResource) || classNames.has(name);
}

/** Which object a binding is for. */
function boundObject(binding: KubeObject): KeyParts | undefined {
  const template = parseTemplateAnnotation(binding.metadata.annotations?.[templateAnnotation]);
  if (template === undefined) return undefined;
  const { group, resource, name } = template;
  const cluster = binding.metadata.annotations?.[clusterAnnotation] ?? '';
  return { group, resource, cluster, namespace: binding.metadata.namespace ?? '', name };
}

/** Whether an update of a project object can change its copies: its status cannot. */
function bearsOnPlacement(now: KubeObject, old: KubeObject): boolean {
  const a = now.metadata;
  const b = old.metadata;
  // Kinds without a generation (ConfigMap, Secret) tell nothing but that they changed.
  if (a.generation === undefined || a.generation !== b.generation || a.uid !== b.uid) return true;
  if (a.deletionTimestamp !== b.deletionTimestamp) return true;
  return (
    JSON.stringify([a.labels, a.annotations, a.ownerReferences]) !==
    JSON.stringify([b.labels, b.annotations, b.ownerReferences])
  );
}

function concerns(policy: ResolvedPolicy, { now, old }: CellChange): boolean {
  const compiled = compilePlacement(policy.spec.placement);
  return compiled.groups.some(({ selects }) => {
    return (now !== undefined && selects(now)) || (old !== undefined && selects(old));
  });
}

function gained(now: CellInfo, old: CellInfo | undefined): boolean {
  if (now.free === undefined || old?.free === undefined) return now.free !== old?.free;
  for (const [resource, amount] of now.free) if (amount > (old.free.get(resource) ?? 0)) return true;
  return false;
}
