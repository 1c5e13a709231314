import type { DecidedCells, ResourceBinding } from '#api/work/resource-binding.ts';
import { nowTime } from '#apimachinery/rfc3339.ts';
import type { KubeClient } from '#client/client.ts';
import type { Logger } from '#client/logger.ts';
import { forbiddenCells, withinBounds } from '../algorithm/bounds.ts';
import { estimateBeside } from '../algorithm/capacity.ts';
import type { CellInfo, CellSnapshot } from '../algorithm/cell.ts';
import { suspendedDecision } from '../algorithm/decide.ts';
import {
  type Decision,
  type DecisionInput,
  isHeldBack,
  type Target,
  type Template,
} from '../algorithm/decision.ts';
import { meeting } from '../algorithm/node-kinds.ts';
import { previousTargets } from '../bindings/binding.ts';
import { decidedCells } from '../bindings/decided-cells.ts';
import type { ToldAmounts } from '../bindings/told-binding.ts';
import { isRoomWatched } from '../cells/cell-info.ts';
import { CellScores } from '../cells/cell-scores.ts';
import { dividesByRoom } from '../cells/estimate-question.ts';
import type { CopyIndex } from '../copies/copy-index.ts';
import { followingDecision, isFollowing } from '../dependencies/need.ts';
import type { EvictionLimiter } from '../failover/eviction-limiter.ts';
import { decideWithFailover, type FailoverDecision, leavesAtOnce } from '../failover/failover.ts';
import { recallDecided, remember, rememberedReplicas } from '../failover/health-memory.ts';
import { isReleased, releaseAnnotation } from '../failover/released-evictions.ts';
import type { CopyReader } from '../gather/copy-reader.ts';
import { hasGatheredStatus, unknownStatusHash } from '../gather/status-writer.ts';
import type { Interpretations } from '../interpreter/interpretations.ts';
import { beginAnew, type KeyState } from '../key-state.ts';
import type { Known } from '../known-object.ts';
import { type KeyParts, type ProjectObjectKey, splitKey } from '../object-key.ts';
import type { Policies } from '../policy/policies.ts';
import { crdResource, resourceKey } from '../projection/kinds.ts';
import { projectTemplateOf } from '../render-input.ts';
import {
  deschedulingLimits,
  limitsNow,
  settleLimits,
  tellingOfCrashes,
} from '../rescheduling/missing-replicas.ts';
import type { Rebalancer } from '../rescheduling/rebalancer.ts';
import { rescheduleOf } from '../rescheduling/reschedule-of.ts';
import { isTriggered, type TriggerDigests, triggerDigests } from '../rescheduling/triggers.ts';
import { cellsOnTrial } from '../rollout/plan.ts';
import type { ResourceWatches } from '../watches/resource-watches.ts';
import type { Workspaces } from '../workspaces.ts';
import { AffinityGroups, type Membership, membershipOf } from './affinity-groups.ts';
import { underWayOf } from './commitments.ts';
import type { Committed } from './committed.ts';
import { EdgeEstimates, type ToldReplicas } from './edge-estimates.ts';
import { FirstTurns } from './first-turns.ts';
import { type Held, heldBack, missingOverridesOf } from './held-back.ts';
import { withPreservedState } from './preserved-of-copies.ts';
import { Profiles } from './profiles.ts';
import { Quotas } from './quotas.ts';
import { RoomTurns } from './room-turns.ts';
import { SchedulePriorities } from './schedule-priority.ts';
import { SeenBindings } from './seen-bindings.ts';
import { TakenRoom, type TakenRoomDependencies } from './taken-room.ts';
import { Waking } from './waking.ts';

export interface DeciderDependencies extends TakenRoomDependencies {
  readonly client: KubeClient;
  readonly logger: Logger;
  readonly owns: (cluster: string) => boolean;
  readonly watches: ResourceWatches;
  readonly workspaces: Workspaces;
  readonly policies: Policies;
  readonly interpretations: Interpretations;
  readonly copies: CopyIndex;
  readonly rebalancer: Rebalancer;
  readonly evictions: EvictionLimiter;
  readonly reader: CopyReader;
  /** Default 30,000. */
  readonly estimateAgainMs?: number | undefined;
  /** Asks for a decision about another object. */
  readonly wake: (key: ProjectObjectKey) => void;
  /** Whether further objects are queued. */
  readonly othersWait: () => boolean;
}

/** A decision with what it was made from, and what goes into the binding beside it. */
export interface Decided extends FailoverDecision {
  readonly state: KeyState;
  readonly template: Template;
  readonly snapshot: CellSnapshot;
  readonly nowMs: number;
  /** When the fresh decision was asked for that this is; undefined when it is none. */
  readonly freshAt: string | undefined;
  /** What is to trigger the next fresh one; undefined: nothing. */
  readonly triggers: TriggerDigests | undefined;
  readonly priority: number | undefined;
  /** What its binding tells of the cells; undefined where none was looked for. */
  readonly cells: DecidedCells | undefined;
  /** Cells that no copy may be in. */
  readonly forbidden: ReadonlySet<string>;
}

/** Brings together what one object's decision depends on, beyond the object itself, and has it decided. */
export class Decider {
  readonly seen: SeenBindings;
  readonly turns: RoomTurns;
  readonly #taken: TakenRoom;
  readonly #waking: Waking;
  readonly #firstTurns: FirstTurns;
  readonly #on: DeciderDependencies;
  readonly #groups = new AffinityGroups();
  readonly #priorities: SchedulePriorities;
  readonly #profiles: Profiles;
  readonly #scores: CellScores;
  readonly quotas: Quotas;
  readonly #estimates: EdgeEstimates;
  /** Of objects that were read and wait for their turn to be decided first. Bounded by the keys in the queue. */
  readonly #ranks = new Map<ProjectObjectKey, number>();

  constructor(dependencies: DeciderDependencies) {
    this.#on = dependencies;
    const { client, clock, watches, logger, cells, wake } = dependencies;
    this.#priorities = new SchedulePriorities(client, watches);
    this.seen = new SeenBindings(wake);
    this.turns = new RoomTurns(clock, wake);
    this.#firstTurns = new FirstTurns(clock);
    this.#taken = new TakenRoom(dependencies, (cell) => this.#estimates.renew(cell));
    this.#waking = new Waking(dependencies.states, this.turns, wake);
    this.#profiles = new Profiles({
      client,
      clock,
      logger,
      onProfile: () => this.#waking.where(dependencies.states.all(), 'Suspended'),
    });
    this.#estimates = new EdgeEstimates(dependencies, this.#profiles);
    this.#scores = new CellScores({
      client,
      clock,
      logger,
      onScores: (cell, scores) => cells.setScores(cell, scores),
    });
    this.quotas = new Quotas({
      ...dependencies,
      onFirst: (cluster, namespace) => this.#countAgain(cluster, namespace),
      onStatic: wake,
      onRoom: (cluster, namespace) =>
        this.#waking.where(this.#waking.keysIn(cluster, namespace), 'QuotaExceeded'),
    });
  }

  get connected(): boolean {
    return this.#parts().every((part) => part.connected);
  }

  /** Resolves when all that decisions depend on is known. */
  async start(): Promise<void> {
    await Promise.all(this.#parts().map((part) => part.start()));
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#parts().map((part) => part.stop()), this.#estimates.close()]);
  }

  #parts() {
    return [this.#profiles, this.#scores, this.quotas, this.#on.interpretations];
  }

  /** The priority of an object that waits for its first decision; undefined: it is not known. */
  rankOf(key: ProjectObjectKey): number | undefined {
    return this.#ranks.get(key);
  }

  /** The object is about to be read, to be decided. */
  take(key: ProjectObjectKey): void {
    if (this.#on.states.get(key) === undefined) this.#firstTurns.take(key, this.#ranks.get(key));
  }

  /** It was, or is not to be for now. */
  leave(key: ProjectObjectKey): void {
    this.#firstTurns.leave(key);
  }

  /** The object is gone or no longer placed; to be called before its state is. */
  drop(key: ProjectObjectKey): void {
    this.#ranks.delete(key);
    this.turns.done(key);
    this.#taken.commitments.drop(key, this.#on.states.get(key)?.committed);
    this.quotas.use(key, [], []);
    for (const peer of this.#groups.drop(key)) this.#waking.unplaced(peer);
  }

  /** What a binding takes, which counts here until its object is decided here; undefined: it is gone. */
  onBinding(key: ProjectObjectKey, told: ToldAmounts | undefined): void {
    this.#taken.onBinding(key, told);
  }

  /** A cell told something new, or went. */
  onCell(cell: string, isGone: boolean): void {
    this.#taken.onCell(cell);
    if (isGone) void this.#estimates.forget(cell);
  }

  /** What came back says that the object's replicas are there: what they take is no more under way. */
  landed(key: ProjectObjectKey, state: KeyState): void {
    this.#taken.landed(key, state);
  }

  /**
   * `waiting`: others have to be looked at before; the object is woken when they were. What was decided counts from now on
   * for others, stored or not: an object whose decision could not be stored is decided again.
   */
  async decide(
    key: ProjectObjectKey,
    parts: KeyParts,
    known: Known,
    signal: AbortSignal,
  ): Promise<Decided | 'waiting'> {
    const { object, present, match } = known;
    const { policy, resource } = match;
    const template = projectTemplateOf(this.#on.watches, parts, resource, object, known.interpretation);
    const membership = membershipOf(policy.spec.placement ?? {}, parts, object.metadata.labels);
    const grouped = (membership.affinity ?? membership.antiAffinity) !== undefined;
    const quotas = this.quotas.limits(parts);
    const limited = quotas !== undefined;
    const byRoom = dividesByRoom(policy.spec.placement);
    const { countsBound } = this.#taken.commitments;
    if (this.#on.states.get(key) === undefined) {
      const previous = previousTargets(present);
      if (countsBound && present !== undefined)
        this.#taken.commitments.foresee(key, committedOf(template, previous, byRoom));
      if (grouped) this.#groups.set(key, membership, namesOf(previous));
      if (limited) this.quotas.use(key, previous, template.request);
    }
    this.seen.see(key);
    if (quotas === 'project' && !this.seen.isProjectComplete(key)) return 'waiting';
    if ((grouped || limited) && !this.seen.isComplete(key)) return 'waiting';
    if (countsBound && byRoom && !this.seen.isAllComplete(key)) return 'waiting';
    const found = await this.#priorities.of(parts.cluster, policy.spec, object, parts, signal);
    const priority = typeof found === 'object' ? priorityBefore(known) : found;
    const missingClass = typeof found === 'object' && priority === undefined ? found.className : undefined;
    if (priority !== undefined && !this.#isItsTurn(key, priority)) return 'waiting';
    const estimates = await this.#estimates.thatFit(known, template, signal);
    const unschedulable = await this.#estimates.withoutNode(key, known, signal);
    if ((byRoom || limited) && missingClass === undefined) {
      const turn = this.#firstTurns.turn(key, priority ?? 0, signal);
      if (turn !== undefined) await turn;
      if (!this.turns.isTurn(key, priority ?? 0)) return 'waiting';
    }
    if (missingClass !== undefined && this.#priorities.isHeardOf(parts.cluster, missingClass)) {
      // It came in between; that was told to those alone that were decided before.
      this.#on.wake(key);
      return 'waiting';
    }
    const prepared = { template, membership, priority, missingClass, estimates, unschedulable, limited };
    const decided = this.#decideNow(key, known, prepared);
    this.turns.done(key);
    this.#firstTurns.leave(key);
    const tasks = await withPreservedState(
      this.#on,
      key,
      decided.tasks,
      known.match.policy.spec.failover,
      signal,
    );
    return tasks === decided.tasks ? decided : { ...decided, tasks };
  }

  /** What is decided for the first time, while others wait to be, goes back among them to where its priority belongs. */
  #isItsTurn(key: ProjectObjectKey, priority: number): boolean {
    if (this.#ranks.delete(key) || this.#on.states.get(key) !== undefined || !this.#on.othersWait())
      return true;
    this.#ranks.set(key, priority);
    this.#on.wake(key);
    return false;
  }

  /** Nothing is waited for between what it looks at and what it files. */
  #decideNow(key: ProjectObjectKey, known: Known, prepared: Prepared): Decided {
    const { template, membership, priority, missingClass, estimates, unschedulable: stuck } = prepared;
    const { project, present, match, bounds } = known;
    const isNew = this.#on.states.get(key) === undefined;
    const state = this.#claim(key, known, isNew);
    state.priority = priority ?? 0;
    const snapshot = this.#on.cells.snapshot();
    const nowMs = this.#on.clock.now();
    state.decidedAtMs = nowMs;
    const previous = previousTargets(present);
    const profile = this.#profiles.of(match.policy.spec.schedulerName);
    const { triggers: wanted, unschedulable } = rescheduleOf(match.policy.spec, profile);
    const triggers =
      wanted === undefined ? undefined : triggerDigests(wanted, match.policy, snapshot, template);
    const isFresh = triggers !== undefined && isTriggered(triggers, present?.status?.reschedule, snapshot);
    const freshAt =
      this.#on.rebalancer.askedAt(key, present?.spec.rescheduleTriggeredAt) ??
      (isFresh ? nowTime(nowMs) : undefined);
    const byRoom = dividesByRoom(match.policy.spec.placement);
    state.descheduling =
      unschedulable === undefined || !byRoom ? undefined : deschedulingLimits(unschedulable);
    if (state.descheduling === undefined) state.replicas = undefined;
    else state.replicas ??= rememberedReplicas(present?.status?.failover);
    const limiting = this.#limiting(state, previous, stuck, nowMs);
    const input: DecisionInput = {
      template,
      project: { id: project.id, path: project.path },
      snapshot,
      previous,
      previousAffinity: present?.status?.schedulerObservingAffinityName,
      nowMs,
      bounds,
      peers: this.#groups.peersOf(key, membership),
      profile: profile === 'missing' ? undefined : profile,
      loadOf: this.#taken.commitments.loadBeside(state.committed),
      assumedIn: (cell) => this.#taken.commitments.assumedIn(cell, nowMs),
      assumedOnNodes: ({ name, nodeKinds }) =>
        this.#taken.commitments.assumedOn(name, nowMs, meeting(nodeKinds, template.nodes)),
      roomIn: this.#roomIn(key, prepared, nowMs),
      mostIn: limiting?.mostIn,
      fresh: freshAt !== undefined,
    };
    const { decision: decided, tasks } = this.#withinQuota(
      key,
      input,
      this.#decideBy(known, state, input, missingClass),
    );
    const decision = tellingOfCrashes(decided, limiting);
    const cells = decidedCells(decision, snapshot, bounds, present, nowMs);
    state.waitsForRoom =
      limiting !== undefined &&
      state.descheduling !== undefined &&
      state.replicas !== undefined &&
      settleLimits(state.replicas, limiting, decision.targets, state.descheduling, nowMs);
    if (isNew) this.#takeOver(key, template, byRoom ? present : undefined, nowMs);
    const committed = committedOf(template, decision.targets, byRoom);
    this.#taken.commitments.place(key, committed, state.committed, previous, nowMs);
    state.committed = committed;
    this.#on.states.conclude(key, state, decision.outcome);
    this.quotas.use(key, decision.targets, template.request);
    const held = [...namesOf(decision.targets), ...tasks.map(({ fromCluster }) => fromCluster)];
    for (const peer of this.#groups.set(key, membership, held)) this.#waking.unplaced(peer);
    return {
      decision: this.#whileRoomLacks(decision, state, estimates.size + stuck.size > 0, nowMs),
      tasks,
      state,
      template,
      snapshot,
      nowMs,
      freshAt: isHeldBack(decision.outcome) ? undefined : freshAt,
      triggers: isHeldBack(decision.outcome) ? present?.status?.reschedule : triggers,
      priority,
      cells,
      forbidden: forbiddenCells(bounds, snapshot),
    };
  }

  /** The object's state as it is to be before it is decided. */
  #claim(key: ProjectObjectKey, { object, present, match }: Known, isNew: boolean): KeyState {
    const state = this.#on.states.claim(key, match.policy.key);
    // What the last decision did, or was to do, the binding tells where its answer was lost or it was refused.
    if (isNew) remember(present?.status?.failover, state.health);
    else if (!state.isStored) recallDecided(present?.status?.failover, state.health);
    state.isStored = false;
    if (state.uid !== object.metadata.uid) {
      if (!isNew) beginAnew(state);
      state.uid = object.metadata.uid;
      if (hasGatheredStatus(object)) state.appliedStatusHash = unknownStatusHash;
    }
    return state;
  }

  /** What estimators and quotas leave of each cell; undefined: there are none. */
  #roomIn(
    key: ProjectObjectKey,
    { template, estimates, limited }: Prepared,
    nowMs: number,
  ): DecisionInput['roomIn'] {
    if (estimates.size === 0 && !limited) return undefined;
    const { request, nodes } = template;
    const estimateIn = (cell: string): number | undefined => {
      const estimate = estimates.get(cell);
      if (estimate === undefined) return undefined;
      const { nodeKinds } = this.#on.cells.info(cell) ?? {};
      const underWay = this.#taken.commitments.underWayOn(cell, nowMs, meeting(nodeKinds, nodes));
      return estimateBeside(estimate, request, underWay);
    };
    return (cell) => least(estimateIn(cell), this.quotas.roomIn(key, cell, request));
  }

  /** What is under way is from now on what is known here; before it was what bindings tell. `divided`: by room. */
  #takeOver(
    key: ProjectObjectKey,
    template: Template,
    divided: ResourceBinding | undefined,
    nowMs: number,
  ): void {
    this.#taken.commitments.takeOver(key);
    if (divided === undefined) return;
    const underWay = underWayOf(divided.spec, divided.status, nowMs, (cell) =>
      isRoomWatched(this.#on.cells.get(cell)),
    );
    this.#taken.commitments.restore(key, underWay, template, nowMs);
  }

  /** Where replicas do not run that the policy wants moved; undefined: it wants none moved. */
  #limiting(
    { descheduling, replicas }: KeyState,
    previous: readonly Target[],
    unschedulable: ReadonlyMap<string, number>,
    nowMs: number,
  ) {
    if (descheduling === undefined || replicas === undefined) return undefined;
    if (replicas.missing.size === 0 && replicas.limits.size === 0) return undefined;
    const isUsable = (cell: string): boolean => this.#on.cells.info(cell)?.ready === true;
    return limitsNow(replicas, previous, descheduling, isUsable, nowMs, unschedulable);
  }

  /** A quota that forbids more leaves what is placed as it is. */
  #withinQuota(key: ProjectObjectKey, input: DecisionInput, decided: FailoverDecision): FailoverDecision {
    const { targets } = decided.decision;
    const refusal = this.quotas.refusal(key, targets, input.template.request);
    if (refusal === undefined) return decided;
    const held = { outcome: 'QuotaExceeded', message: refusal } as const;
    return { ...decided, decision: suspendedDecision(input, held) };
  }

  /**
   * When there may be room without anybody telling: what is assumed to be taken may never come, and estimators tell of no
   * change. Cells' own word wakes at once (`Detector.onCell`).
   */
  #whileRoomLacks(
    decision: Decision,
    { waitsForRoom }: KeyState,
    isEstimated: boolean,
    nowMs: number,
  ): Decision {
    const isUnschedulable = decision.outcome === 'Unschedulable';
    const { estimateAgainMs = defaultEstimateAgainMs } = this.#on;
    const times = [
      decision.recheckAtMs,
      isUnschedulable ? this.#taken.commitments.nextExpiryMs() : undefined,
      (isUnschedulable || waitsForRoom) && isEstimated ? nowMs + estimateAgainMs : undefined,
    ].filter((time) => time !== undefined);
    return times.length === 0 ? decision : { ...decision, recheckAtMs: Math.min(...times) };
  }

  #countAgain(cluster: string, namespace: string | undefined): void {
    const keys = [...this.#waking.keysIn(cluster, namespace)];
    this.seen.expect(keys.map(splitKey));
    for (const key of keys) this.#on.wake(key);
  }

  #decideBy(
    known: Known,
    state: KeyState,
    input: DecisionInput,
    missingClass: string | undefined,
  ): FailoverDecision {
    const { object, match, need, present, bounds } = known;
    const { snapshot, nowMs } = input;
    const released = object.metadata.annotations?.[releaseAnnotation];
    const tasks = present?.spec.gracefulEvictionTasks ?? [];
    if (isFollowing(match)) return { decision: followingDecision(need, snapshot), tasks: [] };
    const { placement } = match.policy.spec;
    const isShared = resourceKey(match.resource.group, match.resource.resource) === crdResource;
    const failover = isShared ? leavesAtOnce : match.policy.spec.failover;
    const held = this.#heldBack(known, missingClass);
    if (held !== undefined) {
      const forbidden = forbiddenCells(bounds, snapshot);
      return {
        decision: suspendedDecision(input, held),
        tasks: tasks.filter((task) => !forbidden.has(task.fromCluster) && !isReleased(task, released)),
      };
    }
    return decideWithFailover({
      input,
      placement: withinBounds(placement, bounds),
      failover,
      tasks: isShared ? [] : tasks,
      released,
      health: state.health,
      onTrial: cellsOnTrial(match.policy.spec.rollout, present?.status?.rollout, snapshot.cells),
      mayEvict: (cell: CellInfo): number => (isShared ? 0 : this.#on.evictions.take(cell, snapshot, nowMs)),
    });
  }

  #heldBack(
    { match, bounds, project, object }: Known,
    missingPriorityClass: string | undefined,
  ): Held | undefined {
    const { spec } = match.policy;
    const overrides = () => this.#on.policies.overridesOf(project.id);
    return heldBack({
      spec,
      bounds,
      isProfileMissing: this.#profiles.of(spec.schedulerName) === 'missing',
      missingPriorityClass,
      missingOverrides: missingOverridesOf(spec, overrides, object.metadata.namespace),
    });
  }
}

/** What a decision waits for before it is made. */
interface Prepared {
  readonly template: Template;
  readonly membership: Membership;
  readonly priority: number | undefined;
  /** That the policy names and nobody has; what is decided waits for it. */
  readonly missingClass: string | undefined;
  readonly estimates: ToldReplicas;
  /** By cell, how many replicas its edge has no node for; of cells that were asked. */
  readonly unschedulable: ToldReplicas;
  /** A quota speaks of the namespace, or of the project. */
  readonly limited: boolean;
}

const defaultEstimateAgainMs = 30_000;

/** Of a class that went: what this policy decided by it goes on being decided by it. */
function priorityBefore({ match, present }: Known): number | undefined {
  const isByThis = present?.spec.policy?.uid === match.policy.uid;
  return isByThis ? present?.spec.schedulePriority?.priority : undefined;
}

function committedOf({ request, nodes }: Template, targets: readonly Target[], assumes: boolean): Committed {
  return { targets, request, nodes, assumes };
}

function least(a: number | undefined, b: number): number {
  return a === undefined ? b : Math.min(a, b);
}

function namesOf(targets: readonly { readonly name: string }[]): string[] {
  return targets.map(({ name }) => name);
}
