import { cellsWorkspacePath } from '#api/federation/group.ts';
import { ReconcileLoop } from '#client/reconcile.ts';
import { BindingStore } from './bindings/binding-store.ts';
import { CellCrds } from './copies/cell-crds.ts';
import { CellNamespaces } from './copies/cell-namespaces.ts';
import { CopyWriter } from './copies/copy-writer.ts';
import { NamespaceKeeper } from './copies/namespace-keeper.ts';
import { Projector } from './copies/projector.ts';
import { Withdrawal } from './copies/withdrawal.ts';
import { Decider } from './deciding/decider.ts';
import { isQuotaKey, StaticQuotas } from './deciding/static-quotas.ts';
import { Detector } from './detector.ts';
import { EvictionLimiter } from './failover/eviction-limiter.ts';
import { CopyReader } from './gather/copy-reader.ts';
import { gatherLots } from './gather/gather-pace.ts';
import { Gatherer } from './gather/gatherer.ts';
import { Interpretations } from './interpreter/interpretations.ts';
import { Mappers } from './mappers.ts';
import { clusterOf, type ProjectObjectKey, splitKey } from './object-key.ts';
import { PolicyReconciler } from './policy/policy-reconciler.ts';
import { Reconciler } from './reconciler.ts';
import { clusterOfRebalancer, Rebalancer } from './rescheduling/rebalancer.ts';
import { PolicyProgress } from './rollout/policy-progress.ts';
import { Rollouts } from './rollout/rollouts.ts';
import { defaultConcurrency, type SchedulerOptions } from './scheduler-options.ts';
import { PlacementEvents } from './telling/placement-events.ts';
import type { World } from './world.ts';

/** What works on a World: tells what to look at, and looks. */
export interface Workers {
  readonly decider: Decider;
  readonly reconciler: Reconciler;
  readonly detector: Detector;
  readonly policyReconciler: PolicyReconciler;
  readonly rebalancer: Rebalancer;
  readonly keeper: NamespaceKeeper;
  readonly progress: PolicyProgress;
  /** Not started. */
  readonly loops: readonly ReconcileLoop[];
}

export function createWorkers(world: World, options: SchedulerOptions): Workers {
  const { client, clock, logger, controlPlaneId, workspaces, cells, copies, states, policies, queues } =
    world;
  const writer = new CopyWriter(client, copies, controlPlaneId, world.owns);
  const namespaces = new CellNamespaces(client, writer, copies);
  const isDecided = (key: ProjectObjectKey, place: string): boolean =>
    states.get(key)?.desired.has(place) ?? false;
  const mappers = new Mappers(workspaces, controlPlaneId, options.hashBits);
  const bindings = new BindingStore(client, (key) => world.bindingWatch.metadataOf(key));
  const interpretations = new Interpretations({
    ...world,
    onChange: (cluster, group) => {
      for (const key of states.keysIn(cluster)) if (splitKey(key).group === group) world.wake(key);
    },
  });
  const shared = { ...world, writer, bindings, mappers, interpretations };
  const projector = new Projector({
    ...shared,
    namespaces,
    crds: new CellCrds(client, controlPlaneId),
    isDecided,
    isSoleUser: (name, projectId, cellId) => copies.isSoleUser(name, projectId, cellId),
  });
  const rebalancer = new Rebalancer({
    ...shared,
    look: (key) => {
      if (world.owns(clusterOfRebalancer(key))) queues.rebalancers.add(key);
    },
  });
  const reader = new CopyReader(client);
  const decider = new Decider({
    ...shared,
    rebalancer,
    reader,
    estimateAgainMs: options.estimateAgainMs,
    landedMs: options.landedMs,
    evictions: new EvictionLimiter(options.eviction, world.share),
    onRoom: (names) => {
      detector.onRoom([...names].map((name) => cells.info(name)).filter((info) => info !== undefined));
    },
    othersWait: () => queues.objects.ready > 0,
  });
  const progress = new PolicyProgress({
    ...shared,
    queue: queues.progress,
    share: world.share,
    intervalMs: options.gatherIntervalMs,
  });
  const withdrawal = new Withdrawal({
    ...shared,
    isUnresolved: (cluster, group) => policies.isUnresolved(cluster, group),
  });
  const staticQuotas = new StaticQuotas({
    ...shared,
    projector,
    withdrawal,
    told: (parts) => decider.quotas.told(parts),
    collides: (parts, message) => decider.quotas.collides(parts, message),
  });
  const events = new PlacementEvents({
    ...shared,
    bindingUidOf: (key) => world.bindingWatch.metadataOf(key)?.metadata.uid,
  });
  const reconciler = new Reconciler({
    ...shared,
    events,
    rebalancer,
    decider,
    rollouts: new Rollouts(client),
    progress,
    projector,
    withdrawal,
    gatherer: new Gatherer({
      ...shared,
      reader,
      gatherIntervalMs: options.gatherIntervalMs,
    }),
    overridesOf: (cluster) => policies.overridesOf(cluster),
  });
  const keeper = new NamespaceKeeper({
    clock,
    logger,
    index: copies,
    namespaces,
    isDecided,
    owns: world.owns,
    mayWithdrawFrom: (cellId) => cells.mayWithdrawFrom(workspaces.cellOf(cellId) ?? ''),
    refresh: (record, signal) => projector.refreshNamespace(record, signal),
    emptyMs: options.emptyNamespaceMs,
  });
  const lots = gatherLots(clock, options.gatherIntervalMs);
  const detector = new Detector({
    ...shared,
    gather: (key) => {
      if (!world.owns(clusterOf(key))) return;
      const waitMs = states.get(key)?.hasStatus === false ? lots.waitMs() : 0;
      if (waitMs === 0) queues.objects.add(key);
      else queues.objects.addAfter(key, waitMs);
    },
    resolvePolicy: (key) => queues.policies.add(key),
    lookAtNamespace: (cellId, name) => keeper.look(cellId, name),
    fillNamespace: (cellId, name) => keeper.fill(cellId, name),
    releaseResource: (name) => void world.needs.release(name),
    forgetProject: (id) => mappers.forget(id),
    lookAtQuotas: (cell) => decider.quotas.lookAtCell(cell),
    callInTurn: (waiting) => decider.turns.call(waiting),
  });
  const policyReconciler = new PolicyReconciler(world, detector, options.discoveryRetryMs);
  const workers = { decider, reconciler, detector, policyReconciler, rebalancer, keeper, progress };
  return {
    ...workers,
    loops: [...createLoops(world, { ...workers, staticQuotas }, options.concurrency), events.loop],
  };
}

function createLoops(
  { queues, taintPolicies, logger, signal, owns }: World,
  {
    reconciler,
    detector,
    policyReconciler,
    rebalancer,
    progress,
    staticQuotas,
  }: Omit<Workers, 'loops'> & { readonly staticQuotas: StaticQuotas },
  concurrency = defaultConcurrency,
): ReconcileLoop[] {
  return [
    new ReconcileLoop({
      name: 'objects',
      queue: queues.objects,
      reconcile: async (key) => {
        if (!owns(clusterOf(key))) return undefined;
        if (isQuotaKey(key)) return staticQuotas.reconcile(key, signal);
        try {
          return await reconciler.reconcile(key, signal);
        } finally {
          detector.waitForPlaces(key);
        }
      },
      concurrency,
      logger,
    }),
    new ReconcileLoop({
      name: 'policies',
      queue: queues.policies,
      reconcile: (key) => policyReconciler.reconcile(key),
      concurrency: 4,
      logger,
    }),
    new ReconcileLoop({
      name: 'rebalancers',
      queue: queues.rebalancers,
      reconcile: async (key) =>
        owns(clusterOfRebalancer(key)) ? rebalancer.reconcile(key, signal) : undefined,
      concurrency: 2,
      logger,
    }),
    new ReconcileLoop({
      name: 'progress',
      queue: queues.progress,
      reconcile: (key) => progress.reconcile(key, signal),
      concurrency: 2,
      logger,
    }),
    new ReconcileLoop({
      name: 'taints',
      queue: queues.taints,
      reconcile: async (cell) =>
        owns(cellsWorkspacePath) ? taintPolicies.reconcile(cell, signal) : undefined,
      concurrency: 2,
      logger,
    }),
  ];
}
