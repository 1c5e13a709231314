import { setMaxListeners } from 'node:events';
import { logicalClustersGvr } from '#api/core-kcp/logical-cluster.ts';
import { type Cell, cellsGvr } from '#api/federation/cell.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import { retry } from '#apimachinery/lifecycle.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { CollectionRef } from '#client/client.ts';
import { type ControlPlane, readControlPlane } from '#client/control-plane.ts';
import { Informer, type InformerHandler } from '#client/informer.ts';
import type { Priority } from '#client/queue/key-queue.ts';
import { SoleSharing } from '#client/queue/sole-sharing.ts';
import type { Owns, WorkSharing } from '#client/queue/work-sharing.ts';
import { StoreClient } from '#client/store-client.ts';
import { BindingWatch } from './bindings/binding-watch.ts';
import { isRoomWatched } from './cells/cell-info.ts';
import { CellStore } from './cells/cell-store.ts';
import { TaintPolicies } from './cells/taint-policies.ts';
import { copiedResources } from './copies/copied-resources.ts';
import { CopyIndex } from './copies/copy-index.ts';
import { isQuotaKey } from './deciding/static-quotas.ts';
import { Requirements } from './dependencies/requirements.ts';
import { Discovery } from './discovery.ts';
import { KeyStates } from './key-state.ts';
import { clusterOf, type KeyParts, keyOf, type ProjectObjectKey } from './object-key.ts';
import { Policies } from './policy/policies.ts';
import { clusterOfPolicy } from './policy/policy-index.ts';
import { type QueueLength, Queues } from './queues.ts';
import { RestartingScheduler } from './restarting-scheduler.ts';
import { ReturnController } from './returning/return-controller.ts';
import type { Scheduler, SchedulerOptions } from './scheduler-options.ts';
import { ResourceWatches, watchName } from './watches/resource-watches.ts';
import { slimMetadata } from './watches/slim-metadata.ts';
import { WatchNeeds } from './watches/watch-needs.ts';
import { namespacesResource } from './watches/watched-kinds.ts';
import { createWorkers, type Workers } from './workers.ts';
import { Workspaces } from './workspaces.ts';
import type { World } from './world.ts';

/** Places the objects of all projects into cells and brings their status back (DESIGN.md, Scheduler). */
export function createScheduler(options: SchedulerOptions): Scheduler {
  return new RestartingScheduler((onRestored) => new SchedulerProcess(options, onRestored));
}

class SchedulerProcess implements Scheduler {
  readonly #options: SchedulerOptions;
  readonly #client: StoreClient;
  readonly #onRestored: () => void;
  readonly #stopping = new AbortController();
  readonly #sharing: WorkSharing;
  readonly #requirements = new Requirements();
  readonly #queues: Queues;
  readonly #taintPolicies: TaintPolicies;
  readonly #workspaces: Workspaces;
  readonly #cells: CellStore;
  readonly #copies = new CopyIndex();
  readonly #states = new KeyStates();
  readonly #watches: ResourceWatches;
  readonly #needs: WatchNeeds;
  readonly #policies: Policies;
  readonly #bindingWatch: BindingWatch;
  readonly #discovery: Discovery;
  readonly #informers: Informer[] = [];
  #workers: Workers | undefined;
  #returns: ReturnController | undefined;
  #isStarted = false;
  #areCellsKnown = false;
  #stopped: Promise<void> | undefined;

  constructor(options: SchedulerOptions, onRestored: () => void) {
    const { clock, logger } = options;
    const client = new StoreClient(options.client);
    this.#options = options;
    this.#client = client;
    this.#onRestored = onRestored;
    // Every call under way listens to it; their number is bounded by the loops' concurrency, not by a leak.
    setMaxListeners(0, this.#stopping.signal);
    this.#sharing = options.sharing?.() ?? new SoleSharing(clock);
    this.#queues = new Queues(clock, this.#sharing);
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
      look: (name) => this.#queues.taints.add(name),
    });
    this.#discovery = new Discovery(client);
    this.#watches = new ResourceWatches({
      client,
      clock,
      logger,
      listener: (resource, object, old) => this.#workers?.detector.onObject(resource, object, old),
      onListed: (resource, resourceVersion) => this.#workers?.detector.onListed(resource, resourceVersion),
      isPlaced: (cluster, resourceName) => this.#policies.index.selectsIn(cluster, resourceName),
    });
    this.#policies = new Policies({
      client,
      clock,
      logger,
      discovery: this.#discovery,
      workspaces: this.#workspaces,
      onPolicy: (key) => this.#queues.policies.add(key),
      onStatus: (key) => this.#workers?.progress.told(key),
      onOverride: (cluster, namespace) => this.#workers?.detector.wakeProject(cluster, namespace),
      onBound: (cluster) => this.#workers?.detector.wakeProject(cluster, undefined),
    });
    this.#bindingWatch = new BindingWatch({
      client,
      clock,
      logger,
      onCame: (bound) => this.#onBindingCame(bound),
      onGone: (key) => this.#wake(key),
      others: this.#sharing.isDivided
        ? {
            isWatched: (cell) => isRoomWatched(this.#cells.get(cell)),
            onTold: (key, told) => {
              if (this.#areCellsKnown) this.#workers?.decider.onBinding(key, told);
            },
          }
        : undefined,
    });
    this.#needs = new WatchNeeds({
      watches: this.#watches,
      policies: this.#policies.index,
      bindings: this.#bindingWatch,
      copies: this.#copies,
      states: this.#states,
      wake: (key) => this.#wake(key),
    });
    this.#workspaces.listen((now, old) => this.#workers?.detector.onWorkspace(now, old));
  }

  get ready(): boolean {
    return (
      this.#isStarted &&
      this.#watches.connected &&
      this.#policies.connected &&
      this.#bindingWatch.connected &&
      this.#workers?.rebalancer.connected === true &&
      this.#workers.decider.connected &&
      this.#taintPolicies.connected &&
      this.#informers.every((informer) => informer.connected)
    );
  }

  get idle(): boolean {
    return this.#queues.idle;
  }

  queueLengths(): readonly QueueLength[] {
    const returns = this.#returns?.queueLength;
    return [...this.#queues.lengths(), ...(returns === undefined ? [] : [returns])];
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
    const controlPlane = await this.#untilAnswered(() => this.#readControlPlane());
    const { controlPlaneId, incarnationId } = controlPlane;
    const own = this.#options.clientOf?.({ incarnationId, onOther: () => this.#onOtherStore() });
    if (own !== undefined) this.#client.use(own);
    await this.#watchWorkspaces(controlPlane);
    const workers = createWorkers(this.#world(controlPlaneId), this.#options);
    this.#workers = workers;
    await Promise.all([
      this.#watchCells(),
      this.#bindingWatch.start(),
      this.#needs.ensureAlways(),
      this.#policies.start(),
      workers.rebalancer.start(),
      workers.decider.start(),
      this.#taintPolicies.start(),
    ]);
    this.#areCellsKnown = true;
    this.#tellBound(workers, () => true);
    await workers.policyReconciler.resolveAll();
    await Promise.all([this.#needs.ensureBound(), this.#watchCopiedResources()]);
    await this.#watches.synced();
    this.#stopping.signal.throwIfAborted();
    workers.keeper.start();
    for (const loop of workers.loops) loop.start();
    const returns = new ReturnController(this.#world(controlPlaneId));
    this.#returns = returns;
    // Not waited for: placement does not depend on it, and a server of the former version serves no such kinds.
    returns.start().catch(() => {}); // stopped before
    this.#sharing.start(controlPlaneId, {
      gained: (owns) => {
        this.#forget(workers, owns);
        workers.decider.seen.expect(this.#bindingWatch.bound(), owns);
        this.#wakeAll(workers, owns);
        returns.lookAtAll();
      },
      lost: (owns) => this.#forget(workers, owns),
    });
    this.#isStarted = true;
  }

  #world(controlPlaneId: string): World {
    const { clock, logger } = this.#options;
    return {
      client: this.#client,
      clock,
      logger,
      controlPlaneId,
      workspaces: this.#workspaces,
      cells: this.#cells,
      copies: this.#copies,
      states: this.#states,
      requirements: this.#requirements,
      watches: this.#watches,
      needs: this.#needs,
      discovery: this.#discovery,
      policies: this.#policies,
      bindingWatch: this.#bindingWatch,
      taintPolicies: this.#taintPolicies,
      queues: this.#queues,
      owns: this.#sharing.owns,
      isDivided: this.#sharing.isDivided,
      share: () => this.#sharing.share,
      wake: (key) => this.#wake(key),
      signal: this.#stopping.signal,
    };
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#isStarted = false;
    this.#stopping.abort(new Error('the scheduler was stopped'));
    const { loops = [], keeper, rebalancer, decider } = this.#workers ?? {};
    await Promise.all([...loops.map((loop) => loop.stop()), keeper?.stop()]);
    this.#queues.close();
    await this.#returns?.stop();
    await this.#sharing.stop();
    await Promise.all([
      this.#watches.stop(),
      this.#policies.stop(),
      this.#bindingWatch.stop(),
      rebalancer?.stop(),
      decider?.stop(),
      this.#taintPolicies.stop(),
      ...this.#informers.map((informer) => informer.stop()),
    ]);
    await this.#client.close();
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

  #readControlPlane(): Promise<ControlPlane> {
    return readControlPlane(this.#options.client, this.#stopping.signal);
  }

  async #compareIncarnation(before: ControlPlane): Promise<void> {
    const { incarnationId } = await this.#untilAnswered(() => this.#readControlPlane());
    if (incarnationId !== before.incarnationId) this.#onOtherStore();
  }

  #onOtherStore(): void {
    if (this.#stopping.signal.aborted) return;
    this.#options.logger.warn({}, 'the store was restored: the scheduler begins anew');
    this.#onRestored();
  }

  #informer(
    collection: CollectionRef,
    handler: InformerHandler,
    metadataOnly: boolean,
    onRelist?: () => void,
  ): Informer {
    const { clock, logger } = this.#options;
    const informer = new Informer({
      client: this.#client,
      clock,
      logger,
      collection,
      metadataOnly,
      onRelist,
      ...(metadataOnly
        ? { transform: collection.gvr === logicalClustersGvr ? undefined : slimMetadata }
        : {}),
    });
    informer.addHandler(handler);
    this.#informers.push(informer);
    informer.start();
    return informer;
  }

  async #watchWorkspaces(controlPlane: ControlPlane): Promise<void> {
    const handler: InformerHandler = {
      onAdd: (object) => this.#workspaces.put(object),
      onUpdate: (object) => this.#workspaces.put(object),
      onDelete: (old) => this.#workspaces.remove(old),
    };
    const onRelist = () => {
      this.#compareIncarnation(controlPlane).catch(() => {}); // stopped meanwhile
    };
    await this.#informer({ cluster: '*', gvr: logicalClustersGvr }, handler, true, onRelist).synced;
  }

  async #watchCells(): Promise<void> {
    const put = (object: KubeObject): void => {
      this.#workers?.detector.onCell(this.#cells.put(object as Cell));
      this.#taintPolicies.onCell(object.metadata.name ?? '');
      this.#workers?.decider.onCell(object.metadata.name ?? '', false);
    };
    const handler: InformerHandler = {
      onAdd: put,
      onUpdate: put,
      onDelete: ({ metadata: { name = '' } }) => {
        this.#workers?.detector.onCell(this.#cells.remove(name));
        this.#workers?.decider.onCell(name, true);
      },
    };
    await this.#informer({ cluster: cellsWorkspacePath, gvr: cellsGvr }, handler, false).synced;
  }

  /** Resources of copies that lie in cells, though their projects may be gone with all bindings. */
  async #watchCopiedResources(): Promise<void> {
    const cellIds = Array.from(this.#cellIds(), ([id]) => id);
    const { signal } = this.#stopping;
    const copied = await this.#untilAnswered(() => copiedResources(this.#client, cellIds, signal));
    await Promise.all(copied.map((resource) => this.#watches.ensure(resource)));
  }

  /** Looks at all that belongs to these projects, behind what changes now. */
  #wakeAll({ keeper, rebalancer, decider }: Workers, owns: Owns): void {
    for (const key of this.#policies.keys()) {
      if (owns(clusterOfPolicy(key))) this.#queues.policies.add(key);
    }
    for (const bound of this.#bindingWatch.lastWritten()) {
      if (owns(bound.cluster)) this.#wake(keyOf(bound), 'background');
    }
    for (const key of this.#copies.keys()) if (owns(clusterOf(key))) this.#wake(key, 'background');
    rebalancer.lookAtAll(owns);
    decider.quotas.lookAtAll();
    if (owns(cellsWorkspacePath)) {
      for (const { name } of this.#cells.snapshot().cells) this.#taintPolicies.onCell(name);
    }
    for (const [cellId] of this.#cellIds()) {
      for (const { metadata } of this.#watches.inCluster(watchName(namespacesResource), cellId)) {
        keeper.look(cellId, metadata.name ?? '');
      }
    }
  }

  /** What is remembered of projects that another scheduler works on grows old, or has. */
  #forget(workers: Workers, owns: Owns): void {
    const { rebalancer, decider, reconciler } = workers;
    reconciler.forget(owns);
    for (const cluster of [...this.#states.clusters()]) {
      if (!owns(cluster)) continue;
      for (const key of [...this.#states.keysIn(cluster)]) {
        decider.drop(key);
        this.#states.remove(key);
        this.#requirements.drop(key);
        rebalancer.forget(key);
      }
    }
    this.#tellBound(workers, owns);
  }

  /** What the bindings of these projects take counts, whoever decides there. */
  #tellBound({ decider }: Workers, owns: Owns): void {
    for (const { bound, told } of this.#bindingWatch.told())
      if (owns(bound.cluster)) decider.onBinding(keyOf(bound), told);
  }

  *#cellIds(): IterableIterator<readonly [id: string, cell: string]> {
    for (const { name } of this.#cells.snapshot().cells) {
      const id = this.#workspaces.cellId(name);
      if (id !== undefined) yield [id, name];
    }
  }

  /**
   * A scheduler that stood still may have made it for an object that was gone by then, or that nothing selected any more. Those
   * that are there at the start, or when a project is gained, are all looked at.
   */
  #onBindingCame(bound: KeyParts): void {
    if (!this.#isStarted) return;
    const key = keyOf(bound);
    if (this.#states.get(key) === undefined || this.#watches.ofKey(bound) === undefined) this.#wake(key);
  }

  /** Asks for a decision, unless it is another scheduler's to make. */
  #wake(key: ProjectObjectKey, priority?: Priority): void {
    if (!this.#sharing.owns(clusterOf(key))) return;
    if (isQuotaKey(key)) {
      this.#queues.objects.add(key, priority);
      return;
    }
    const rank = this.#workers?.reconciler.rankOf(key) ?? 0;
    this.#workers?.reconciler.markForDecision(key);
    this.#queues.objects.add(key, rank === Number.POSITIVE_INFINITY ? rank : (priority ?? rank));
  }
}
