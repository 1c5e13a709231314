import { setMaxListeners } from 'node:events';
import { logicalClustersGvr } from '#api/core-kcp/logical-cluster.ts';
import { type Cell, cellsGvr } from '#api/federation/cell.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import { clusterResourceBindingsGvr, resourceBindingsGvr } from '#api/work/group.ts';
import type { Clock } from '#apimachinery/clock.ts';
import { isJsonObject } from '#apimachinery/json.ts';
import { retry } from '#apimachinery/lifecycle.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { CollectionRef, KubeClient } from '#client/client.ts';
import { Informer, type InformerHandler } from '#client/informer.ts';
import type { Logger } from '#client/logger.ts';
import { ReconcileLoop, type ReconcileResult } from '#client/reconcile.ts';
import { WorkQueue } from '#client/workqueue.ts';
import { boundObject, parseTemplateAnnotation, templateAnnotation } from './binding.ts';
import { BindingStore } from './binding-store.ts';
import { CellCrds } from './cell-crds.ts';
import { CellNamespaces } from './cell-namespaces.ts';
import { CellStore } from './cells/cell-store.ts';
import { TaintPolicies } from './cells/taint-policies.ts';
import { copiedResources } from './copied-resources.ts';
import { CopyIndex, type WatchedResource } from './copy-index.ts';
import { CopyWriter } from './copy-writer.ts';
import { dependencyResourceOf, dependencyResources } from './dependencies/dependency-table.ts';
import { Requirements } from './dependencies/requirements.ts';
import { Detector } from './detector.ts';
import { Discovery } from './discovery.ts';
import { EvictionLimiter, type EvictionRates } from './failover/eviction-limiter.ts';
import { CopyReader } from './gather/gather.ts';
import { Gatherer } from './gatherer.ts';
import { KeyStates } from './key-state.ts';
import { Mappers } from './mappers.ts';
import { NamespaceKeeper } from './namespace-keeper.ts';
import { type KeyParts, keyOf, type ProjectObjectKey, splitKey } from './object-key.ts';
import { Policies } from './policies.ts';
import type { ResolvedPolicy } from './policy/policy-index.ts';
import { bindingName } from './projection/names.ts';
import { Projector } from './projector.ts';
import { Rebalancer } from './rebalancer.ts';
import { Reconciler } from './reconciler.ts';
import { ResourceWatches, watchName } from './resource-watches.ts';
import { slimMetadata } from './slim-metadata.ts';
import {
  alwaysWatched,
  clusterRoleBindingsName,
  isAlwaysWatched,
  namespacesResource,
  pickResource,
  roleBindingsResource,
} from './watched-kinds.ts';
import { Withdrawal } from './withdrawal.ts';
import { Workspaces } from './workspaces.ts';

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
  /** How fast failover takes objects from cells. */
  readonly eviction?: EvictionRates | undefined;
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

class SchedulerProcess implements Scheduler {
  readonly #options: SchedulerOptions;
  readonly #stopping = new AbortController();
  readonly #queue: WorkQueue;
  readonly #policyQueue: WorkQueue;
  readonly #rebalancerQueue: WorkQueue;
  readonly #taintQueue: WorkQueue;
  readonly #taintPolicies: TaintPolicies;
  readonly #workspaces: Workspaces;
  readonly #cells: CellStore;
  readonly #copies = new CopyIndex();
  readonly #states = new KeyStates();
  readonly #requirements = new Requirements();
  readonly #watches: ResourceWatches;
  readonly #discovery: Discovery;
  readonly #policies: Policies;
  readonly #informers: Informer[] = [];
  readonly #loops: ReconcileLoop[] = [];
  #bindings: { readonly namespaced: Informer; readonly clusterWide: Informer } | undefined;
  #reconciler: Reconciler | undefined;
  #rebalancer: Rebalancer | undefined;
  #detector: Detector | undefined;
  #keeper: NamespaceKeeper | undefined;
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
    this.#rebalancerQueue = new WorkQueue({ clock });
    this.#taintQueue = new WorkQueue({ clock });
    this.#workspaces = new Workspaces(client);
    this.#cells = new CellStore(
      (cell) => this.#workspaces.cellId(cell) !== undefined,
      () => clock.now(),
    );
    this.#taintPolicies = new TaintPolicies({
      client,
      clock,
      logger,
      cellOf: (name) => this.#cells.get(name),
      cellNames: () => this.#cells.snapshot().cells.map(({ name }) => name),
      look: (name) => this.#taintQueue.add(name),
    });
    this.#discovery = new Discovery(client);
    this.#watches = new ResourceWatches({
      client,
      clock,
      logger,
      listener: (resource, object, old) => this.#detector?.onObject(resource, object, old),
    });
    this.#policies = new Policies({
      client,
      clock,
      logger,
      discovery: this.#discovery,
      onPolicy: (key) => this.#policyQueue.add(key),
      onOverride: (cluster, namespace) => this.#detector?.wakeProject(cluster, namespace),
    });
    this.#workspaces.listen((now, old) => this.#detector?.onWorkspace(now, old));
  }

  get ready(): boolean {
    return (
      this.#isStarted &&
      this.#watches.connected &&
      this.#policies.connected &&
      this.#rebalancer?.connected === true &&
      this.#taintPolicies.connected &&
      this.#informers.every((informer) => informer.connected)
    );
  }

  get idle(): boolean {
    const queues = [this.#queue, this.#policyQueue, this.#rebalancerQueue, this.#taintQueue];
    return queues.every((queue) => queue.idle);
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
    this.#controlPlaneId = await this.#untilAnswered(() => this.#readControlPlaneId());
    await this.#watchWorkspaces();
    this.#compose();
    await Promise.all([
      this.#watchCells(),
      this.#watchBindings(),
      this.#watchAlways(),
      this.#policies.start(),
      this.#rebalancer?.start(),
      this.#taintPolicies.start(),
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
    this.#rebalancerQueue.close();
    this.#taintQueue.close();
    await Promise.all([
      this.#watches.stop(),
      this.#policies.stop(),
      this.#rebalancer?.stop(),
      this.#taintPolicies.stop(),
      ...this.#informers.map((informer) => informer.stop()),
    ]);
  }

  /** An API server that is away is waited for. Rejects when stopped. */
  #untilAnswered<T>(ask: () => Promise<T>): Promise<T> {
    const { clock, logger } = this.#options;
    const attempt = async (): Promise<T> => {
      try {
        return await ask();
      } catch (error) {
        logger.debug({ err: error }, 'the API server does not answer yet');
        throw error;
      }
    };
    const { signal } = this.#stopping;
    const backoff = { maxMs: 5_000 };
    return retry(attempt, {
      retryable: () => true,
      attemptsMax: Number.POSITIVE_INFINITY,
      signal,
      clock,
      backoff,
    });
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
      concurrency = 64,
      hashBits,
      emptyNamespaceMs,
      gatherIntervalMs,
    } = this.#options;
    const writer = new CopyWriter(client, this.#copies, this.#controlPlaneId);
    const namespaces = new CellNamespaces(client, writer, this.#copies);
    const isDecided = (key: ProjectObjectKey, place: string): boolean =>
      this.#states.get(key)?.desired.has(place) ?? false;
    const mappers = new Mappers(this.#workspaces, this.#controlPlaneId, hashBits);
    const projector = new Projector({
      cells: this.#cells,
      workspaces: this.#workspaces,
      watches: this.#watches,
      writer,
      namespaces,
      crds: new CellCrds(client, this.#controlPlaneId),
      controlPlaneId: this.#controlPlaneId,
      mappers,
      isDecided,
      isSoleUser: (name, projectId, cellId) => this.#isSoleUser(name, projectId, cellId),
    });
    const bindings = new BindingStore(client, (key) => this.#bindingMetadata(key));
    const shared = {
      client,
      clock,
      logger,
      controlPlaneId: this.#controlPlaneId,
      workspaces: this.#workspaces,
      watches: this.#watches,
      cells: this.#cells,
      copies: this.#copies,
      states: this.#states,
      writer,
      bindings,
      requirements: this.#requirements,
      wake: (key: ProjectObjectKey) => this.#wake(key),
    };
    const rebalancer = new Rebalancer({
      ...shared,
      discovery: this.#discovery,
      look: (key) => this.#rebalancerQueue.add(key),
    });
    this.#rebalancer = rebalancer;
    this.#reconciler = new Reconciler({
      ...shared,
      rebalancer,
      evictions: new EvictionLimiter(this.#options.eviction),
      policies: this.#policies.index,
      projector,
      withdrawal: new Withdrawal({
        ...shared,
        isUnresolved: (cluster, group) => this.#policies.isUnresolved(cluster, group),
      }),
      gatherer: new Gatherer({ ...shared, reader: new CopyReader(client), gatherIntervalMs }),
      overridesOf: (cluster) => this.#policies.overridesOf(cluster),
      mappers,
    });
    this.#detector = new Detector({
      ...shared,
      policies: this.#policies,
      discovery: this.#discovery,
      gather: (key) => this.#queue.add(key),
      resolvePolicy: (key) => this.#policyQueue.add(key),
      lookAtNamespace: (cellId, name) => this.#keeper?.look(cellId, name),
      releaseResource: (name) => void this.#releaseResource(name),
      forgetProject: (id) => mappers.forget(id),
    });
    this.#keeper = new NamespaceKeeper({
      clock,
      logger,
      index: this.#copies,
      writer,
      namespaces,
      isDecided,
      mayWithdrawFrom: (cellId) => this.#cells.mayWithdrawFrom(this.#workspaces.cellOf(cellId) ?? ''),
      refresh: (record, signal) => projector.refreshNamespace(record, signal),
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
      new ReconcileLoop({
        name: 'rebalancers',
        queue: this.#rebalancerQueue,
        reconcile: (key) => rebalancer.reconcile(key, this.#stopping.signal),
        concurrency: 2,
        logger,
      }),
      new ReconcileLoop({
        name: 'taints',
        queue: this.#taintQueue,
        reconcile: (cell) => this.#taintPolicies.reconcile(cell, this.#stopping.signal),
        concurrency: 2,
        logger,
      }),
    );
  }

  #isSoleUser(resourceName: string, projectId: string, cellId: string): boolean {
    for (const key of this.#states.keysOfResource(resourceName)) {
      if (splitKey(key).cluster === projectId) continue;
      for (const place of this.#states.get(key)?.desired.keys() ?? []) {
        if (place.startsWith(`${cellId}|`) && this.#copies.get(place)?.key === key) return false;
      }
    }
    return true;
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
    const put = (object: KubeObject): void => {
      this.#detector?.onCell(this.#cells.put(object as Cell));
      this.#taintPolicies.onCell(object.metadata.name ?? '');
    };
    const handler: InformerHandler = {
      onAdd: put,
      onUpdate: put,
      onDelete: (old) => this.#detector?.onCell(this.#cells.remove(old.metadata.name ?? '')),
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
    await Promise.all(alwaysWatched.map((resource) => this.#watches.ensure(resource)));
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
    if (policy.spec.propagateDeps !== true) return;
    await Promise.all(dependencyResources.map((resource) => this.#watches.ensure(pickResource(resource))));
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
    const cellIds = Array.from(this.#cellIds(), ([id]) => id);
    const { client } = this.#options;
    const { signal } = this.#stopping;
    const copied = await this.#untilAnswered(() => copiedResources(client, cellIds, signal));
    await Promise.all(copied.map((resource) => this.#watches.ensure(resource)));
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
    this.#detector?.waitForPlaces(key);
    return result;
  }

  async #reconcilePolicy(key: string, signal: AbortSignal): Promise<ReconcileResult> {
    const owned = [...this.#states.keysOf(key)];
    const former = this.#policies.index.get(key);
    const resolution = await this.#policies.resolve(key, signal);
    if (resolution !== undefined) {
      await this.#watchSelected(resolution.policy);
      this.#detector?.wakeSelected(resolution.policy);
    }
    for (const one of owned) this.#wake(one);
    if (former !== undefined) this.#detector?.wakeReleased(former);
    await this.#releaseUnused();
    if (resolution === undefined || resolution.missing.length === 0) return undefined;
    const { discoveryRetryMs = 30_000, logger } = this.#options;
    logger.debug({ policy: key, missing: resolution.missing }, 'a policy names kinds that are not served');
    return { requeueAfterMs: discoveryRetryMs };
  }

  async #releaseResource(name: string): Promise<void> {
    await this.#watches.release(name);
    for (const key of this.#states.keysOfResource(name)) this.#wake(key);
  }

  /** Ends watches that neither a policy nor a copy needs. */
  async #releaseUnused(): Promise<void> {
    for (const [name, resource] of [...this.#watches.resources()]) {
      if (isAlwaysWatched(resource) || this.#policies.index.selectsResource(name)) continue;
      if (this.#copies.holdsResource(name)) continue;
      const follows = dependencyResourceOf(resource.group, resource.resource) !== undefined;
      if (follows && this.#policies.index.propagatesDependencies) continue;
      if (
        name === watchName(roleBindingsResource) &&
        this.#policies.index.selectsResource(clusterRoleBindingsName)
      )
        continue;
      if (this.#states.keysOfResource(name).size > 0) continue;
      await this.#watches.release(name);
    }
  }
}
