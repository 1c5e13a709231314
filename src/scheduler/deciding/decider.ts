import type { GracefulEvictionTask } from '#api/work/resource-binding.ts';
import type { Clock } from '#apimachinery/clock.ts';
import type { KubeClient } from '#client/client.ts';
import { forbiddenCells, withinBounds } from '../algorithm/bounds.ts';
import type { CellInfo, CellSnapshot } from '../algorithm/cell.ts';
import { suspendedDecision } from '../algorithm/decide.ts';
import type { DecisionInput, Template } from '../algorithm/decision.ts';
import { previousTargets } from '../binding.ts';
import type { CellStore } from '../cells/cell-store.ts';
import type { CopyIndex } from '../copy-index.ts';
import { followingDecision, isFollowing } from '../dependencies/need.ts';
import type { EvictionLimiter } from '../failover/eviction-limiter.ts';
import { decideWithFailover, type FailoverDecision, preservationOf } from '../failover/failover.ts';
import { remember } from '../failover/health-memory.ts';
import { preservedLabels } from '../failover/preserved-state.ts';
import type { CopyReader } from '../gather/gather.ts';
import type { KeyState, KeyStates } from '../key-state.ts';
import type { Known } from '../known-object.ts';
import type { KeyParts, ProjectObjectKey } from '../object-key.ts';
import type { Policies } from '../policies.ts';
import type { Rebalancer } from '../rebalancer.ts';
import { templateOf } from '../render-input.ts';
import type { ResourceWatches } from '../resource-watches.ts';
import type { Workspaces } from '../workspaces.ts';
import { AffinityGroups, type Membership, membershipOf } from './affinity-groups.ts';
import { SchedulePriorities } from './schedule-priority.ts';
import { SeenBindings } from './seen-bindings.ts';

export interface DeciderDependencies {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly watches: ResourceWatches;
  readonly workspaces: Workspaces;
  readonly policies: Policies;
  readonly cells: CellStore;
  readonly copies: CopyIndex;
  readonly states: KeyStates;
  readonly rebalancer: Rebalancer;
  readonly evictions: EvictionLimiter;
  readonly reader: CopyReader;
  /** Asks for a decision about another object. */
  readonly wake: (key: ProjectObjectKey) => void;
}

/** A decision with what it was made from, and what goes into the binding beside it. */
export interface Decided extends FailoverDecision {
  readonly state: KeyState;
  readonly template: Template;
  readonly snapshot: CellSnapshot;
  readonly nowMs: number;
  /** When the fresh decision was asked for that this is; undefined when it is none. */
  readonly freshAt: string | undefined;
  readonly priority: number | undefined;
  /** Cells that no copy may be in. */
  readonly forbidden: ReadonlySet<string>;
}

/** Brings together what one object's decision depends on, beyond the object itself, and has it decided. */
export class Decider {
  readonly seen: SeenBindings;
  readonly #on: DeciderDependencies;
  readonly #groups = new AffinityGroups();
  readonly #priorities: SchedulePriorities;

  constructor(dependencies: DeciderDependencies) {
    this.#on = dependencies;
    this.#priorities = new SchedulePriorities(dependencies.client, dependencies.watches);
    this.seen = new SeenBindings(dependencies.wake);
  }

  /** The object is gone or no longer placed. */
  drop(key: ProjectObjectKey): void {
    for (const peer of this.#groups.drop(key)) this.#wakeWaiting(peer);
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
    const membership = membershipOf(policy.spec.placement ?? {}, parts, object.metadata.labels);
    const grouped = (membership.affinity ?? membership.antiAffinity) !== undefined;
    if (this.#on.states.get(key) === undefined && grouped)
      this.#groups.set(key, membership, namesOf(previousTargets(present)));
    this.seen.see(key);
    if (grouped && !this.seen.isComplete(key)) return 'waiting';
    const priority = await this.#priorities.of(parts.cluster, policy.spec, object, parts, signal);
    const decided = this.#decideNow(key, parts, known, membership, priority, resource);
    return { ...decided, tasks: await this.#withPreservedState(key, decided, known, signal) };
  }

  /** Nothing is waited for between what it looks at and what it files. */
  #decideNow(
    key: ProjectObjectKey,
    parts: KeyParts,
    known: Known,
    membership: Membership,
    priority: number | undefined,
    resource: Known['match']['resource'],
  ): Decided {
    const { project, object, present, match, bounds } = known;
    const isNew = this.#on.states.get(key) === undefined;
    const state = this.#on.states.claim(key, match.policy.key);
    if (isNew) remember(present?.status?.failover, state.health);
    state.priority = priority ?? 0;
    const template = templateOf(this.#on.watches, parts, resource, object);
    const snapshot = this.#on.cells.snapshot();
    const nowMs = this.#on.clock.now();
    const freshAt = this.#on.rebalancer.askedAt(key, present?.spec.rescheduleTriggeredAt);
    const { decision, tasks } = this.#decideBy(known, state, {
      template,
      project: { id: project.id, path: project.path },
      snapshot,
      previous: previousTargets(present),
      previousAffinity: present?.status?.schedulerObservingAffinityName,
      nowMs,
      bounds,
      peers: this.#groups.peersOf(key, membership),
      fresh: freshAt !== undefined,
    });
    const cells = [...namesOf(decision.targets), ...tasks.map(({ fromCluster }) => fromCluster)];
    for (const peer of this.#groups.set(key, membership, cells)) this.#wakeWaiting(peer);
    return {
      decision,
      tasks,
      state,
      template,
      snapshot,
      nowMs,
      freshAt: decision.outcome === 'Suspended' ? undefined : freshAt,
      priority,
      forbidden: forbiddenCells(bounds, snapshot),
    };
  }

  #decideBy(known: Known, state: KeyState, input: DecisionInput): FailoverDecision {
    const { match, need, present, bounds } = known;
    const { snapshot, nowMs } = input;
    const tasks = present?.spec.gracefulEvictionTasks ?? [];
    if (isFollowing(match)) return { decision: followingDecision(need, snapshot), tasks: [] };
    const { failover, placement } = match.policy.spec;
    const holding = this.#heldBack(known);
    if (holding !== undefined) {
      const forbidden = forbiddenCells(bounds, snapshot);
      return {
        decision: suspendedDecision(input, holding),
        tasks: tasks.filter(({ fromCluster }) => !forbidden.has(fromCluster)),
      };
    }
    return decideWithFailover({
      input,
      placement: withinBounds(placement, bounds),
      failover,
      tasks,
      health: state.health,
      mayEvict: (cell: CellInfo): number => this.#on.evictions.take(cell, snapshot, nowMs),
    });
  }

  /** Why nothing is decided now; undefined when nothing speaks against it. */
  #heldBack({ match, bounds, project, object }: Known): string | undefined {
    const { suspension, dependentOverrides = [] } = match.policy.spec;
    if (suspension?.scheduling === true) return 'the policy suspends scheduling';
    const above = bounds?.list.find((bound) => bound.suspension?.scheduling === true);
    if (above !== undefined) return `policy ${above.name} suspends scheduling`;
    if (dependentOverrides.length === 0) return undefined;
    const { namespace } = object.metadata;
    const missing = new Set(dependentOverrides);
    for (const source of this.#on.policies.overridesOf(project.id)) {
      if (source.inheritedFrom === undefined && (source.namespace ?? namespace) === namespace)
        missing.delete(source.name);
    }
    return missing.size === 0 ? undefined : `waits for the override policies ${[...missing].join(', ')}`;
  }

  /** What the copies in cells that are left now say goes with the object. */
  async #withPreservedState(
    key: ProjectObjectKey,
    { tasks }: Decided,
    { match }: Known,
    signal: AbortSignal,
  ): Promise<readonly GracefulEvictionTask[]> {
    const { failover } = match.policy.spec;
    const fresh = tasks.filter((task) => task.clustersBeforeFailover !== undefined && !isPreserved(task));
    if (fresh.length === 0) return tasks;
    const byCell = new Map(
      Array.from(this.#on.copies.ofOrigin(key).values(), (record) => [
        this.#on.workspaces.cellOf(record.cellId) ?? '',
        record,
      ]),
    );
    return Promise.all(
      tasks.map(async (task) => {
        const record = byCell.get(task.fromCluster);
        if (!fresh.includes(task) || record === undefined) return task;
        const [reading] = await this.#on.reader.readAll([record], signal);
        const preservation = preservationOf(failover, task.reason === 'ApplicationFailure');
        const labels = preservedLabels(preservation, reading?.status);
        return labels === undefined ? task : { ...task, preservedLabelState: labels };
      }),
    );
  }

  #wakeWaiting(key: ProjectObjectKey): void {
    const outcome = this.#on.states.get(key)?.outcome;
    if (outcome !== undefined && outcome !== 'Scheduled') this.#on.wake(key);
  }
}

function namesOf(targets: readonly { readonly name: string }[]): string[] {
  return targets.map(({ name }) => name);
}

function isPreserved({ preservedLabelState }: GracefulEvictionTask): boolean {
  return preservedLabelState !== undefined;
}
