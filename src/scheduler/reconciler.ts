import type { ResourceBinding } from '#api/work/resource-binding.ts';
import type { Clock } from '#apimachinery/clock.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { nowTime } from '#apimachinery/rfc3339.ts';
import type { KubeClient } from '#client/client.ts';
import type { ReconcileResult } from '#client/reconcile.ts';
import type { CellInfo } from './algorithm/cell.ts';
import { suspendedDecision } from './algorithm/decide.ts';
import type { Decision, DecisionInput, Target, Template } from './algorithm/decision.ts';
import { bindingOf, type Problems, previousTargets } from './binding.ts';
import type { BindingStore } from './binding-store.ts';
import type { CellStore } from './cells/cell-store.ts';
import type { CopyIndex, CopyRecord } from './copy-index.ts';
import { dependenciesOf, dependencyResourceOf } from './dependencies/dependency-table.ts';
import {
  followingDecision,
  followingMatch,
  isFollowing,
  isSuspendedIn,
  type Need,
  needOf,
  noNeed,
  requiredBySnapshots,
  requirementOf,
  withFollowed,
} from './dependencies/need.ts';
import type { Requirements } from './dependencies/requirements.ts';
import type { DiscoveredResource } from './discovery.ts';
import type { EvictionLimiter } from './failover/eviction-limiter.ts';
import {
  applicationDueMs,
  decideWithFailover,
  type FailoverDecision,
  leavingTargets,
} from './failover/failover.ts';
import type { Gatherer } from './gatherer.ts';
import type { KeyState, KeyStates } from './key-state.ts';
import type { Mappers } from './mappers.ts';
import { type KeyParts, keyOf, type ProjectObjectKey, splitKey } from './object-key.ts';
import { type PolicyIndex, type PolicyMatch, policyKeyOf, suspendedCells } from './policy/policy-index.ts';
import {
  crdResource,
  isPrivilegedResource,
  isPropagatedMetadata,
  isPropagatedObject,
  isPropagatedResource,
  resourceKey,
} from './projection/kinds.ts';
import type { NameMapper } from './projection/names.ts';
import { type OverrideSource, overrideChain } from './projection/overrides.ts';
import type { RenderInput } from './projection/render.ts';
import { replicasOf, requestOf } from './projection/replicas.ts';
import { definedGroup, type Projection, type ProjectionPass, type Projector, summary } from './projector.ts';
import { readObject } from './read-object.ts';
import type { Rebalancer } from './rebalancer.ts';
import { type ResourceWatches, watchName } from './resource-watches.ts';
import type { Withdrawal } from './withdrawal.ts';
import type { WorkspaceRef, Workspaces } from './workspaces.ts';

export interface ReconcilerDependencies {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly controlPlaneId: string;
  readonly workspaces: Workspaces;
  readonly watches: ResourceWatches;
  readonly policies: PolicyIndex;
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
  readonly evictions: EvictionLimiter;
  /** Asks for a decision about another object. */
  readonly wake: (key: ProjectObjectKey) => void;
  readonly overridesOf: (cluster: string) => Iterable<OverrideSource>;
}

/** What a decision is made from. */
interface Known {
  readonly project: WorkspaceRef;
  readonly object: KubeObject;
  readonly present: ResourceBinding | undefined;
  readonly mapper: NameMapper;
  readonly match: PolicyMatch;
  readonly need: Need;
}

interface Placed {
  readonly match: PolicyMatch;
  readonly recheckAfterMs: number | undefined;
  readonly error: unknown;
}

/**
 * Brings one project object's copies, binding and status to where they should be, from whatever state they are in. Events
 * only say that there may be something to do.
 */
export class Reconciler {
  readonly #on: ReconcilerDependencies;
  readonly #mustDecide = new Set<ProjectObjectKey>();

  constructor(dependencies: ReconcilerDependencies) {
    this.#on = dependencies;
  }

  /** The next look at the key decides and projects anew, rather than only gathering. */
  markForDecision(key: ProjectObjectKey): void {
    this.#mustDecide.add(key);
  }

  async reconcile(key: ProjectObjectKey, signal: AbortSignal): Promise<ReconcileResult> {
    const parts = splitKey(key);
    const mustDecide = this.#mustDecide.delete(key) || this.#on.states.get(key) === undefined;
    try {
      let recheckAfterMs: number | undefined;
      if (mustDecide) {
        const decided = await this.#place(key, parts, signal);
        if (decided === undefined) return undefined;
        recheckAfterMs = decided.recheckAfterMs;
        const gathered = await this.#on.gatherer.gatherWhenDue(key, parts, decided.match, signal);
        const due = this.#lookAtHealth(key, decided.match);
        if (decided.error !== undefined) throw decided.error;
        return earliest(recheckAfterMs, earliest(gathered, due)?.requeueAfterMs);
      }
      const match = this.#ownerOf(parts) ?? this.#followed(key, parts);
      if (match === undefined) {
        this.#mustDecide.add(key);
        return { requeueAfterMs: 0 };
      }
      const gathered = await this.#on.gatherer.gatherWhenDue(key, parts, match, signal);
      return earliest(gathered, this.#lookAtHealth(key, match));
    } catch (error) {
      this.#mustDecide.add(key);
      this.#wakeAll(this.#on.requirements.fail(key));
      throw error;
    }
  }

  /** What came back may end an eviction or bring one about. Returns when it may bring one about, if not now. */
  #lookAtHealth(key: ProjectObjectKey, { policy }: PolicyMatch): number | undefined {
    const state = this.#on.states.get(key);
    if (state === undefined) return undefined;
    const { health, leaving, targets } = state;
    if (leaving && targets.every(({ name }) => health.healthy.has(name))) this.#on.wake(key);
    const dueMs = applicationDueMs(policy.spec.failover, health);
    if (dueMs === undefined) return undefined;
    const leftMs = dueMs - this.#on.clock.now();
    if (leftMs > 0) return leftMs;
    this.#on.wake(key);
    return undefined;
  }

  #wakeAll(keys: Iterable<ProjectObjectKey>): void {
    for (const key of keys) this.#on.wake(key);
  }

  /** An object that no policy selects and others need. */
  #followed(key: ProjectObjectKey, parts: KeyParts): PolicyMatch | undefined {
    const resource = dependencyResourceOf(parts.group, parts.resource);
    if (resource === undefined || !this.#on.requirements.isRequired(key)) return undefined;
    return this.#isThere(parts) ? followingMatch(parts.cluster, resource, noNeed) : undefined;
  }

  /** As far as the watch tells: in a project, not going, and of those that travel. */
  #isThere({ group, resource, cluster, namespace, name }: KeyParts): boolean {
    if (this.#on.workspaces.project(cluster) === undefined) return false;
    const metadata = this.#on.watches.get(`${resource}.${group}`, cluster, namespace, name)?.metadata;
    if (metadata === undefined || metadata.deletionTimestamp !== undefined) return false;
    return isPropagatedMetadata(group, resource, metadata);
  }

  #ownerOf(parts: KeyParts): PolicyMatch | undefined {
    const { group, resource, cluster, namespace, name } = parts;
    if (!isPropagatedResource(group, resource) || !this.#isThere(parts)) return undefined;
    const labels = this.#on.watches.get(watchName(parts), cluster, namespace, name)?.metadata.labels;
    const owner = this.#on.states.get(keyOf(parts))?.policyKey;
    return this.#on.policies.ownerOf(cluster, watchName(parts), { namespace, name, labels }, owner);
  }

  /** Decide, commit, project, withdraw. Undefined when the object is not (any more) placed anywhere. */
  async #place(key: ProjectObjectKey, parts: KeyParts, signal: AbortSignal): Promise<Placed | undefined> {
    const known = await this.#read(parts, signal);
    if (known === 'waiting') return undefined;
    if (known === undefined) {
      await this.#on.withdrawal.letGo(key, parts, signal);
      this.#on.states.remove(key);
      this.#on.rebalancer.forget(key);
      this.#wakeAll(this.#on.requirements.drop(key));
      return undefined;
    }
    const { project, object, present, match, need } = known;
    const { policy, resource } = match;
    const state = this.#on.states.claim(key, policy.key);
    const template = this.#templateOf(parts, resource, object);
    const snapshot = this.#on.cells.snapshot();
    const nowMs = this.#on.clock.now();
    const freshAt = this.#on.rebalancer.askedAt(key, present?.spec.rescheduleTriggeredAt);
    const { decision, tasks } = this.#decide(known, state, {
      template,
      project: { id: project.id, path: project.path },
      snapshot,
      previous: previousTargets(present),
      previousAffinity: present?.status?.schedulerObservingAffinityName,
      nowMs,
      fresh: freshAt !== undefined,
    });
    const targets = withFollowed(decision.targets, this.#followedCells(key, need));
    const lying = [...targets, ...leavingTargets(tasks)];
    const input = this.#renderInput(parts, known, template, lying);
    const projection = this.#on.projector.render(input, lying);
    const binding = bindingOf(
      {
        key: parts,
        resource,
        uid: template.uid,
        replicas: template.replicas,
        policy: isFollowing(match) ? undefined : policy,
        decision,
        tasks,
        requiredBy: requiredBySnapshots(need),
        cellCount: targets.length,
        snapshot,
        freshAt: decision.outcome === 'Suspended' ? undefined : freshAt,
        problems: { ...state.problems, ...problemsOf(projection) },
        now: nowTime(nowMs),
      },
      present,
    );
    const skip = skippedCells(match, decision, need);
    const ahead = this.#on.projector.lookAhead(projection, skip, signal);
    await this.#on.bindings.commit(parts, binding, present, signal);
    this.#on.rebalancer.decided(key, binding.spec.rescheduleTriggeredAt);
    state.outcome = decision.outcome;
    state.targets = targets;
    state.leaving = tasks.length > 0;
    this.#requireDependencies(key, parts, known, lying);
    // Before anything is written, so that the events of our own writes are known for what they are.
    const desired = this.#on.projector.placesOf(projection);
    // What was healthy was something else.
    if (!sameEntries(desired, state.desired)) state.health.healthy.clear();
    state.desired = desired;
    const error = await this.#dispatch(state, projection, { key: parts, input, skip, ahead, signal });
    const { recheckAtMs } = decision;
    return {
      match,
      recheckAfterMs: recheckAtMs === undefined ? undefined : Math.max(1, recheckAtMs - nowMs),
      error,
    };
  }

  #decide(known: Known, state: KeyState, input: DecisionInput): FailoverDecision {
    const { match, need, present } = known;
    const { snapshot, nowMs } = input;
    const tasks = present?.spec.gracefulEvictionTasks ?? [];
    if (isFollowing(match)) return { decision: followingDecision(need, snapshot), tasks: [] };
    const { placement, suspension, failover } = match.policy.spec;
    if (suspension?.scheduling === true) return { decision: suspendedDecision(input), tasks };
    const mayEvict = (cell: CellInfo): number => this.#on.evictions.take(cell, snapshot, nowMs);
    return decideWithFailover({ input, placement, failover, tasks, health: state.health, mayEvict });
  }

  /** While it is not known who needs the object, it stays in every cell that it lies in. */
  #followedCells(key: ProjectObjectKey, need: Need): ReadonlySet<string> {
    if (!need.uncertain) return need.cells;
    const cells = new Set(need.cells);
    for (const { cellId } of this.#on.copies.ofOrigin(key).values()) {
      const cell = this.#on.workspaces.cellOf(cellId);
      if (cell !== undefined) cells.add(cell);
    }
    return cells;
  }

  /** Where the policy says so, or the object is itself there for others, what it names goes where it goes. */
  #requireDependencies(
    key: ProjectObjectKey,
    { group, resource, cluster, namespace }: KeyParts,
    { object, match, need }: Known,
    targets: readonly Target[],
  ): void {
    const { spec } = match.policy;
    const cells =
      spec.propagateDeps === true ? targets.map(({ name }) => name).sort() : [...need.cells].sort();
    const required = new Set<ProjectObjectKey>();
    if (cells.length > 0 && namespace !== '') {
      for (const dependency of dependenciesOf(group, resource, object)) {
        required.add(keyOf({ group: '', cluster, namespace, ...dependency }));
      }
    }
    this.#wakeAll(this.#on.requirements.set(key, required, requirementOf(spec, cells)));
  }

  /**
   * What a decision needs, read anew; undefined when the object is gone, going, or neither selected by a policy nor needed.
   * `waiting`: who needs it is not known yet.
   */
  async #read(parts: KeyParts, signal: AbortSignal): Promise<Known | 'waiting' | undefined> {
    const project = this.#on.workspaces.project(parts.cluster);
    if (project === undefined) return undefined;
    const selected = this.#ownerOf(parts);
    const followable = dependencyResourceOf(parts.group, parts.resource);
    const resource = selected?.resource ?? followable;
    if (resource === undefined || (selected === undefined && !this.#mayBeNeeded(parts))) return undefined;
    const [first, present, mapper] = await Promise.all([
      readObject(this.#on.client, parts, resource, signal),
      this.#on.bindings.read(parts, signal),
      this.#on.mappers.of(project, signal),
    ]);
    const isBound = (key: KeyParts): boolean => this.#on.bindings.isKnown(key);
    const need = followable === undefined ? noNeed : needOf(parts, present, this.#on.requirements, isBound);
    if (need === 'waiting') return 'waiting';
    if (first === undefined) return undefined;
    if (selected === undefined && need.cells.size === 0) return need.uncertain ? 'waiting' : undefined;
    const match =
      selected === undefined
        ? followingMatch(parts.cluster, resource, need)
        : this.#stickToOwner(parts, first, present, selected);
    const sameVersion = match.resource.version === resource.version;
    const object = sameVersion ? first : await readObject(this.#on.client, parts, match.resource, signal);
    if (object === undefined || object.metadata.deletionTimestamp !== undefined) return undefined;
    return isPropagatedObject(object) ? { project, object, present, mapper, match, need } : undefined;
  }

  #mayBeNeeded(parts: KeyParts): boolean {
    if (!this.#isThere(parts)) return false;
    return this.#on.requirements.isRequired(keyOf(parts)) || this.#on.bindings.isKnown(parts);
  }

  #renderInput(parts: KeyParts, known: Known, template: Template, targets: readonly Target[]): RenderInput {
    const { project, object, mapper, match } = known;
    const { group, resource, namespace, name } = parts;
    const { spec } = match.policy;
    return {
      object,
      version: match.resource.version,
      origin: {
        controlPlane: this.#on.controlPlaneId,
        cluster: project.id,
        path: project.path,
        group,
        resource,
        namespace,
        name,
        uid: template.uid,
      },
      kind: { group, resource, scalable: match.resource.hasScale },
      custom: template.custom,
      targets,
      divided: spec.placement?.replicaScheduling?.replicaSchedulingType === 'Divided',
      overrides: overrideChain(this.#on.overridesOf(project.id), {
        apiVersion: object.apiVersion,
        kind: object.kind,
        namespace,
        name,
        labels: object.metadata.labels,
      }),
      mapper,
      owns: (ownedGroup, owned, ownedName) =>
        this.#on.watches.get(`${owned}.${ownedGroup}`, project.id, '', ownedName) !== undefined,
      contract: {
        conflictResolution: spec.conflictResolution === 'Overwrite' ? 'Overwrite' : 'Abort',
        orphan: spec.preserveResourcesOnDeletion === true,
      },
    };
  }

  /** Writes the copies that are wanted and withdraws those that are not. Returns the first error, for another try. */
  async #dispatch(state: KeyState, projection: Projection, pass: ProjectionPass): Promise<unknown> {
    const result = await this.#on.projector.project(projection, pass);
    state.failures = result.failures;
    state.collidedPlaces = result.collidedPlaces;
    state.projectedGeneration = result.failures.size === 0 ? (pass.input.object.metadata.generation ?? 0) : 0;
    state.problems = { nameCollision: summary(result.collisions), apiConflict: summary(result.apiConflicts) };
    const unwanted = this.#unwanted(keyOf(pass.key), state.desired);
    const skip = (cell: string): boolean => pass.skip(cell) || !this.#on.cells.mayWithdrawFrom(cell);
    await this.#on.withdrawal.withdraw(unwanted, skip, pass.signal);
    return result.firstError;
  }

  /** After a restart the binding knows who owned the object; an owner that still selects it keeps it. */
  #stickToOwner(
    { cluster, namespace, name, group, resource }: KeyParts,
    object: KubeObject,
    binding: ResourceBinding | undefined,
    match: PolicyMatch,
  ): PolicyMatch {
    const owner = binding?.spec.policy;
    if (owner === undefined) return match;
    const ownerKey = policyKeyOf(cluster, owner.namespace, owner.name);
    if (ownerKey === match.policy.key) return match;
    const identity = { namespace, name, labels: object.metadata.labels };
    return this.#on.policies.ownerOf(cluster, `${resource}.${group}`, identity, ownerKey) ?? match;
  }

  #templateOf(parts: KeyParts, resource: DiscoveredResource, object: KubeObject): Template {
    const { group, resource: plural, cluster } = parts;
    const isCrd = resourceKey(group, plural) === crdResource;
    const kind = { group, resource: plural, scalable: resource.hasScale };
    const crdName = `${plural}.${group}`;
    const custom = isCrd || this.#on.watches.get(crdResource, cluster, '', crdName) !== undefined;
    return {
      group: isCrd ? definedGroup(object) : group,
      version: resource.version,
      kind: resource.kind,
      resource: plural,
      uid: object.metadata.uid ?? '',
      key: `${parts.namespace}/${parts.name}`,
      replicas: replicasOf(object, kind),
      request: requestOf(object, kind),
      custom,
      privileged: isPrivilegedResource(group, plural),
    };
  }

  #unwanted(key: ProjectObjectKey, desired: ReadonlyMap<string, string>): CopyRecord[] {
    const unwanted: CopyRecord[] = [];
    for (const [place, record] of this.#on.copies.ofOrigin(key))
      if (!desired.has(place)) unwanted.push(record);
    return unwanted;
  }
}

/** Cells that nothing is dispatched to now. */
function skippedCells({ policy }: PolicyMatch, { targets }: Decision, need: Need): (cell: string) => boolean {
  const suspended = suspendedCells(policy.spec);
  const own = (cell: string): boolean => suspended === true || suspended.has(cell);
  if (need.cells.size === 0) return own;
  const owned = new Set(targets.map(({ name }) => name));
  return (cell) => isSuspendedIn(cell, owned, own(cell), need);
}

/** What is known to be wrong before anything is written. */
function problemsOf({ refused, unmapped, overrideErrors }: Projection): Problems {
  return {
    kindNotAllowed: refused,
    unmappedReference:
      unmapped === undefined ? undefined : `${unmapped} names a namespace that is not mapped`,
    overrideFailed: overrideErrors,
  };
}

function earliest(a: number | undefined, b: number | undefined): ReconcileResult {
  if (a === undefined && b === undefined) return undefined;
  return { requeueAfterMs: Math.min(a ?? Number.POSITIVE_INFINITY, b ?? Number.POSITIVE_INFINITY) };
}

function sameEntries(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a) if (b.get(key) !== value) return false;
  return true;
}
