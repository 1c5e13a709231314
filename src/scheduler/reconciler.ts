import type { RolloutStatus } from '#api/work/resource-binding.ts';
import type { Clock } from '#apimachinery/clock.ts';
import { equalJson } from '#apimachinery/json.ts';
import { nowTime } from '#apimachinery/rfc3339.ts';
import type { KubeClient } from '#client/client.ts';
import type { Owns } from '#client/queue/work-sharing.ts';
import type { ReconcileResult } from '#client/reconcile.ts';
import type { Bounds } from './algorithm/bounds.ts';
import type { Decision, Target } from './algorithm/decision.ts';
import { bindingOf, type Problems } from './bindings/binding.ts';
import type { BindingStore } from './bindings/binding-store.ts';
import type { CellStore } from './cells/cell-store.ts';
import { type CopyIndex, type CopyRecord, isAlike } from './copies/copy-index.ts';
import { type Projection, type ProjectionPass, type Projector, summary } from './copies/projector.ts';
import type { Withdrawal } from './copies/withdrawal.ts';
import type { Decider } from './deciding/decider.ts';
import { dependenciesOf } from './dependencies/dependency-table.ts';
import {
  isFollowing,
  isSuspendedIn,
  type Need,
  requiredBySnapshots,
  requirementOf,
  withFollowed,
} from './dependencies/need.ts';
import type { Requirements } from './dependencies/requirements.ts';
import { applicationDueMs, leavingTargets } from './failover/failover.ts';
import { memoryOf } from './failover/health-memory.ts';
import type { Gatherer } from './gather/gatherer.ts';
import type { Interpretations } from './interpreter/interpretations.ts';
import type { KeyState, KeyStates } from './key-state.ts';
import { type Known, KnownReader } from './known-object.ts';
import type { Mappers } from './mappers.ts';
import { type KeyParts, keyOf, type ProjectObjectKey, splitKey } from './object-key.ts';
import { activationOf, isLazy } from './policy/activation.ts';
import type { Policies } from './policy/policies.ts';
import { type PolicyMatch, suspendedCells } from './policy/policy-index.ts';
import type { OverrideSource } from './projection/overrides.ts';
import { renderInputOf } from './render-input.ts';
import { missingDueMs } from './rescheduling/missing-replicas.ts';
import type { Rebalancer } from './rescheduling/rebalancer.ts';
import type { PolicyProgress } from './rollout/policy-progress.ts';
import type { Rollouts } from './rollout/rollouts.ts';
import type { PlacementEvents } from './telling/placement-events.ts';
import type { ResourceWatches } from './watches/resource-watches.ts';
import type { Workspaces } from './workspaces.ts';

export interface ReconcilerDependencies {
  readonly client: KubeClient;
  readonly clock: Clock;
  /** Fires when the scheduler stops. */
  readonly signal: AbortSignal;
  readonly controlPlaneId: string;
  readonly workspaces: Workspaces;
  readonly watches: ResourceWatches;
  readonly policies: Policies;
  readonly interpretations: Interpretations;
  readonly cells: CellStore;
  readonly copies: CopyIndex;
  readonly projector: Projector;
  readonly mappers: Mappers;
  readonly withdrawal: Withdrawal;
  readonly gatherer: Gatherer;
  readonly bindings: BindingStore;
  readonly states: KeyStates;
  readonly requirements: Requirements;
  readonly rebalancer: Rebalancer;
  readonly decider: Decider;
  readonly rollouts: Rollouts;
  readonly progress: PolicyProgress;
  readonly events: PlacementEvents;
  /** Asks for a decision about another object. */
  readonly wake: (key: ProjectObjectKey) => void;
  readonly overridesOf: (cluster: string) => Iterable<OverrideSource>;
  /** Others decide too, for whom bindings tell what replicas ask for. */
  readonly isDivided: boolean;
}

interface Placed {
  readonly match: PolicyMatch;
  readonly error: unknown;
}

/**
 * Brings one project object's copies, binding and status to where they should be, from whatever state they are in. Events
 * only say that there may be something to do.
 */
export class Reconciler {
  readonly #on: ReconcilerDependencies;
  readonly #known: KnownReader;
  readonly #mustDecide = new Set<ProjectObjectKey>();

  constructor(dependencies: ReconcilerDependencies) {
    this.#on = dependencies;
    this.#known = new KnownReader(dependencies);
  }

  /** What is remembered of these projects' objects beside their states grows old, or has. */
  forget(owns: Owns): void {
    this.#on.rollouts.forget(owns);
    this.#on.events.forget(owns);
  }

  /** The next look at the key decides and projects anew, rather than only gathering. */
  markForDecision(key: ProjectObjectKey): void {
    this.#mustDecide.add(key);
  }

  /**
   * In which order a decision is due: by the priority of the object's policy. Infinity where that is not known before the
   * object is read: it is looked at first, and decided in its turn.
   */
  rankOf(key: ProjectObjectKey): number {
    const rank = this.#on.states.get(key)?.priority ?? this.#on.decider.rankOf(key);
    if (rank !== undefined || !this.#on.policies.index.prioritizes) return rank ?? 0;
    const match = this.#known.matchOf(key, splitKey(key));
    return match?.policy.spec.schedulePriority === undefined ? 0 : Number.POSITIVE_INFINITY;
  }

  async reconcile(key: ProjectObjectKey, signal: AbortSignal): Promise<ReconcileResult> {
    const parts = splitKey(key);
    const mustDecide = this.#mustDecide.delete(key) || this.#isDue(key);
    try {
      if (mustDecide) {
        if (this.#on.policies.index.prioritizes) this.#on.decider.take(key);
        const decided = await this.#place(key, parts, signal);
        if (decided === undefined) return undefined;
        const gathered = await this.#on.gatherer.gatherWhenDue(key, parts, decided.match, signal);
        const due = this.#lookAtHealth(key, decided.match);
        if (decided.error !== undefined) throw decided.error;
        return this.#next(key, gathered, due);
      }
      const match = this.#known.matchOf(key, parts);
      if (match === undefined) {
        this.#mustDecide.add(key);
        return { requeueAfterMs: 0 };
      }
      const gathered = await this.#on.gatherer.gatherWhenDue(key, parts, match, signal);
      return this.#next(key, gathered, this.#lookAtHealth(key, match));
    } catch (error) {
      this.#mustDecide.add(key);
      this.#wakeAll(this.#on.requirements.fail(key));
      throw error;
    } finally {
      this.#on.decider.leave(key);
      this.#on.decider.seen.see(key);
    }
  }

  /** Never decided, or the last decision holds no longer. */
  #isDue(key: ProjectObjectKey): boolean {
    const state = this.#on.states.get(key);
    return state === undefined || (state.recheckAtMs ?? Number.POSITIVE_INFINITY) <= this.#on.clock.now();
  }

  /** When to look again: any look in between does away with the one that was asked for, so each asks anew. */
  #next(key: ProjectObjectKey, ...delaysMs: readonly (number | undefined)[]): ReconcileResult {
    const recheckAtMs = this.#on.states.get(key)?.recheckAtMs;
    let leastMs = recheckAtMs === undefined ? undefined : Math.max(1, recheckAtMs - this.#on.clock.now());
    for (const delayMs of delaysMs) leastMs = earlier(leastMs, delayMs);
    return leastMs === undefined ? undefined : { requeueAfterMs: leastMs };
  }

  /** What came back may end an eviction or bring one about. Returns when it may bring one about, if not now. */
  #lookAtHealth(key: ProjectObjectKey, { policy }: PolicyMatch): number | undefined {
    const state = this.#on.states.get(key);
    if (state === undefined) return undefined;
    const { health, leaving, targets, descheduling, replicas, waitsForRoom } = state;
    this.#on.decider.landed(key, state);
    if (isRolloutDue(state)) this.#on.wake(key);
    if (leaving && targets.every(({ name }) => health.healthy.has(name))) this.#on.wake(key);
    const dueMs = earlier(
      applicationDueMs(policy.spec.failover, health, state.decidedAtMs),
      descheduling === undefined || replicas === undefined || waitsForRoom
        ? undefined
        : missingDueMs(replicas, descheduling),
    );
    if (dueMs === undefined) return undefined;
    const leftMs = dueMs - this.#on.clock.now();
    if (leftMs > 0) return leftMs;
    this.#on.wake(key);
    return undefined;
  }

  #wakeAll(keys: Iterable<ProjectObjectKey>): void {
    for (const key of keys) this.#on.wake(key);
  }

  /** Decide, commit, project, withdraw. Undefined when the object is not (any more) placed anywhere. */
  async #place(key: ProjectObjectKey, parts: KeyParts, signal: AbortSignal): Promise<Placed | undefined> {
    // Before the object is read: whoever has written a copy since may have known a newer one.
    const decidedOver = new Map(this.#on.copies.ofOrigin(key));
    const known = await this.#known.read(parts, signal);
    if (known === 'waiting') return undefined;
    if (known === undefined || known === 'unselected') {
      // Policies may have become known since it was found that none selects the object: after a start, for one.
      const isWanted = () => known === 'unselected' && this.#known.isSelected(parts);
      await this.#letGo(key, parts, isWanted, signal);
      return undefined;
    }
    const formerPolicy = this.#on.states.get(key)?.policyKey;
    const decided = await this.#on.decider.decide(key, parts, known, signal);
    if (decided === 'waiting') return undefined;
    const { object, present, match, need, bounds } = known;
    const { policy, resource } = match;
    const { decision, tasks, state, template, snapshot, nowMs, forbidden, priority } = decided;
    const targets = withFollowed(decision.targets, this.#followedCells(key, need, forbidden));
    const lying = [...targets, ...leavingTargets(tasks)];
    const staged = await this.#on.rollouts.stage(
      parts,
      known,
      decided,
      renderInputOf(this.#on, parts, known, template, lying, tasks),
      lying,
      tasks,
      signal,
    );
    // What was unwell is not there any more.
    if (staged.status?.phase === 'RolledBack' && present?.status?.rollout?.phase !== 'RolledBack')
      state.health.unhealthySinceMs.clear();
    const { input } = staged;
    const projection = this.#on.projector.render(input, lying);
    const binding = bindingOf(
      {
        key: parts,
        resource,
        uid: template.uid,
        replicas: template.replicas,
        request: this.#on.isDivided ? template.request : undefined,
        nodes: template.nodes,
        policy: isFollowing(match) ? undefined : policy,
        decision,
        cells: decided.cells,
        bounds,
        tasks,
        requiredBy: requiredBySnapshots(need),
        cellCount: targets.length,
        snapshot,
        freshAt: decided.freshAt,
        priority,
        failover: memoryOf(policy.spec.failover, state.health, state.replicas),
        triggers: decided.triggers,
        activation: activationOf(match, object, present),
        rollout: staged.status,
        problems: problemsOf(state.problems, projection, known.interpretation?.failure),
        now: nowTime(nowMs),
      },
      present,
    );
    const skip = skippedCells(match, decision, need, bounds);
    // Before anything is written, so that the events of our own writes are known for what they are.
    const desired = this.#on.projector.placesOf(projection);
    // What was healthy was something else, also for the next try when it is not heard that the binding was written.
    if (!sameEntries(desired, state.desired)) {
      state.health.healthy.clear();
      state.health.complete.clear();
    }
    state.desired = desired;
    await this.#on.bindings.commit(parts, binding, present, signal);
    this.#on.events.decided(parts, binding, present);
    state.isStored = true;
    this.#on.rebalancer.decided(key, binding.spec.rescheduleTriggeredAt);
    state.decidedBy = isLazy(policy) ? match : undefined;
    state.targets = targets;
    state.hasStatus = resource.hasStatus;
    // What may go once the object is well: `isOver` of `failover.ts`.
    state.leaving = decision.outcome === 'Scheduled' && tasks.some(({ purgeMode }) => purgeMode !== 'Never');
    state.rollout = staged.watch;
    this.#tellProgress(state, staged.status, formerPolicy);
    this.#requireDependencies(key, parts, known, lying);
    const pass = { key: parts, input, skip, signal, decidedOver };
    const error = await this.#dispatch(state, projection, pass, forbidden);
    state.recheckAtMs = earlier(decision.recheckAtMs, staged.recheckAtMs);
    return { match, error };
  }

  /** What is gone, or selected by no policy, leaves the cells, and nothing is kept of it. */
  async #letGo(
    key: ProjectObjectKey,
    parts: KeyParts,
    isWanted: () => boolean,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#on.withdrawal.letGo(key, parts, isWanted, signal);
    this.#on.decider.drop(key);
    this.#on.events.drop(key);
    const { policyKey, rolloutStatus } = this.#on.states.get(key) ?? {};
    if (policyKey !== undefined && rolloutStatus !== undefined) this.#on.progress.look(policyKey);
    this.#on.states.remove(key);
    this.#on.rebalancer.forget(key);
    this.#wakeAll(this.#on.requirements.drop(key));
  }

  #tellProgress(state: KeyState, status: RolloutStatus | undefined, formerPolicy: string | undefined): void {
    const before = state.rolloutStatus;
    if (equalJson(status, before) && (before === undefined || formerPolicy === state.policyKey)) return;
    state.rolloutStatus = status;
    this.#on.progress.look(state.policyKey);
    if (before !== undefined && formerPolicy !== undefined) this.#on.progress.look(formerPolicy);
  }

  /** While it is not known who needs the object, it stays in every cell that it lies in. */
  #followedCells(key: ProjectObjectKey, need: Need, forbidden: ReadonlySet<string>): ReadonlySet<string> {
    if (!need.uncertain && need.cells.size === 0) return need.cells;
    const cells = without(need.cells, forbidden);
    if (!need.uncertain) return cells;
    for (const { cellId } of this.#on.copies.ofOrigin(key).values()) {
      const cell = this.#on.workspaces.cellOf(cellId);
      if (cell !== undefined && !forbidden.has(cell)) cells.add(cell);
    }
    return cells;
  }

  /** Where the policy says so, or the object is itself there for others, what it names goes where it goes. */
  #requireDependencies(
    key: ProjectObjectKey,
    { group, resource, cluster, namespace }: KeyParts,
    { object, match, need, interpretation }: Known,
    targets: readonly Target[],
  ): void {
    const { spec } = match.policy;
    const cells =
      spec.propagateDeps === true ? targets.map(({ name }) => name).sort() : [...need.cells].sort();
    const required = new Set<ProjectObjectKey>();
    if (cells.length > 0 && namespace !== '') {
      const named = [
        ...dependenciesOf(group, resource, object),
        ...(interpretation?.dependencies(object) ?? []),
      ];
      for (const dependency of named) {
        required.add(keyOf({ group: '', cluster, namespace, ...dependency }));
      }
    }
    this.#wakeAll(this.#on.requirements.set(key, required, requirementOf(spec, cells)));
  }

  /** Writes the copies that are wanted and withdraws those that are not. Returns the first error, for another try. */
  async #dispatch(
    state: KeyState,
    projection: Projection,
    pass: ProjectionPass,
    forbidden: ReadonlySet<string>,
  ): Promise<unknown> {
    const result = await this.#on.projector.project(projection, pass);
    state.failures = result.failures;
    state.occupiedPlaces = result.occupiedPlaces;
    // While some cells have what was before, the object as it is now is observed nowhere near all of them.
    const isWhole = result.failures.size === 0 && pass.input.variant === undefined;
    state.projectedGeneration = isWhole ? (pass.input.object.metadata.generation ?? 0) : 0;
    state.problems = { nameCollision: summary(result.collisions), apiConflict: summary(result.apiConflicts) };
    const unwanted = this.#unwanted(pass, state.desired);
    // What may not be in a cell leaves it, though nothing is dispatched to it now.
    const skip = (cell: string): boolean =>
      (pass.skip(cell) && !forbidden.has(cell)) || !this.#on.cells.mayWithdrawFrom(cell);
    if (unwanted.length > 0) await this.#on.withdrawal.withdraw(unwanted, skip, pass.signal);
    return result.firstError;
  }

  /** As they were when it was decided; what has come since brings the key back by its event. */
  #unwanted({ key, decidedOver }: ProjectionPass, desired: ReadonlyMap<string, string>): CopyRecord[] {
    const unwanted: CopyRecord[] = [];
    const copies = this.#on.copies.ofOrigin(keyOf(key));
    for (const [place, before] of decidedOver) {
      const now = copies.get(place);
      if (now !== undefined && !desired.has(place)) unwanted.push(isAlike(now, before) ? now : before);
    }
    return unwanted;
  }
}

/** Cells that nothing is dispatched to now. */
function skippedCells(
  { policy }: PolicyMatch,
  { targets }: Decision,
  need: Need,
  bounds: Bounds | undefined,
): (cell: string) => boolean {
  const suspended = suspendedCells(policy.spec);
  const above = (bounds?.list ?? []).map(suspendedCells);
  const own = (cell: string): boolean => {
    if (suspended === true || suspended.has(cell)) return true;
    return above.some((cells) => cells === true || cells.has(cell));
  };
  if (need.cells.size === 0) return own;
  const owned = new Set(targets.map(({ name }) => name));
  return (cell) => isSuspendedIn(cell, owned, own(cell), need);
}

/** What came back lets a rollout go on, or is bad news for one that pauses. */
function isRolloutDue({ rollout, health }: KeyState): boolean {
  if (rollout === undefined) return false;
  const { awaited, watched } = rollout;
  if (awaited !== undefined) return [...awaited].every((cell) => health.healthy.has(cell));
  return [...watched].some((cell) => health.unhealthySinceMs.has(cell));
}

function earlier(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}

function without(names: ReadonlySet<string>, taken: ReadonlySet<string>): Set<string> {
  const rest = new Set(names);
  for (const name of taken) rest.delete(name);
  return rest;
}

/** What is known to be wrong before anything is written; `former`: what the last writing found, of which a rendering says nothing. */
function problemsOf(
  former: Problems,
  { refused, unmapped, overrideErrors }: Projection,
  interpretationFailed: string | undefined,
): Problems {
  const problems: { -readonly [problem in keyof Problems]: Problems[problem] } = {
    kindNotAllowed: refused,
    unmappedReference:
      unmapped === undefined ? undefined : `${unmapped} names a namespace that is not mapped`,
    overrideFailed: overrideErrors,
    interpretationFailed,
  };
  // One by one: spread into a literal that has members of its own they take V8 many times as long.
  for (const problem of Object.keys(former) as (keyof Problems)[]) {
    if (!(problem in problems)) problems[problem] = former[problem];
  }
  return problems;
}

function sameEntries(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a) if (b.get(key) !== value) return false;
  return true;
}
