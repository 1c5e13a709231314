import type { ResourceBinding } from '#api/work/resource-binding.ts';
import type { Clock } from '#apimachinery/clock.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { nowTime } from '#apimachinery/rfc3339.ts';
import type { KubeClient } from '#client/client.ts';
import type { ReconcileResult } from '#client/reconcile.ts';
import { decide } from './algorithm/decide.ts';
import type { Decision, Template } from './algorithm/decision.ts';
import { bindingOf, type Problems, previousTargets } from './binding.ts';
import type { BindingStore } from './binding-store.ts';
import type { CellStore } from './cells/cell-store.ts';
import type { CopyIndex, CopyRecord } from './copy-index.ts';
import type { DiscoveredResource } from './discovery.ts';
import type { Gatherer } from './gatherer.ts';
import type { KeyState, KeyStates } from './key-state.ts';
import type { Mappers } from './mappers.ts';
import { type KeyParts, keyOf, type ProjectObjectKey, splitKey } from './object-key.ts';
import {
  type PolicyIndex,
  type PolicyMatch,
  policyKeyOf,
  type ResolvedPolicy,
} from './policy/policy-index.ts';
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
  readonly overridesOf: (cluster: string) => Iterable<OverrideSource>;
}

/** What a decision is made from. */
interface Known {
  readonly project: WorkspaceRef;
  readonly object: KubeObject;
  readonly present: ResourceBinding | undefined;
  readonly mapper: NameMapper;
  readonly match: PolicyMatch;
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
        if (decided.error !== undefined) throw decided.error;
        return earliest(recheckAfterMs, gathered);
      }
      const match = this.#ownerOf(parts);
      if (match === undefined) {
        this.#mustDecide.add(key);
        return { requeueAfterMs: 0 };
      }
      return earliest(undefined, await this.#on.gatherer.gatherWhenDue(key, parts, match, signal));
    } catch (error) {
      this.#mustDecide.add(key);
      throw error;
    }
  }

  #ownerOf(parts: KeyParts): PolicyMatch | undefined {
    const { group, resource, cluster, namespace, name } = parts;
    if (this.#on.workspaces.project(cluster) === undefined) return undefined;
    if (!isPropagatedResource(group, resource)) return undefined;
    const metadata = this.#on.watches.get(watchName(parts), cluster, namespace, name)?.metadata;
    if (metadata === undefined || metadata.deletionTimestamp !== undefined) return undefined;
    if (!isPropagatedMetadata(group, resource, metadata)) return undefined;
    const owner = this.#on.states.get(keyOf(parts))?.policyKey;
    return this.#on.policies.ownerOf(
      cluster,
      watchName(parts),
      { namespace, name, labels: metadata.labels },
      owner,
    );
  }

  /** Decide, commit, project, withdraw. Undefined when the object is not (any more) placed anywhere. */
  async #place(key: ProjectObjectKey, parts: KeyParts, signal: AbortSignal): Promise<Placed | undefined> {
    const known = await this.#read(parts, signal);
    if (known === undefined) {
      await this.#on.withdrawal.letGo(key, parts, signal);
      this.#on.states.remove(key);
      return undefined;
    }
    const { project, object, present, match } = known;
    const { policy, resource } = match;
    const state = this.#on.states.claim(key, policy.key);
    const template = this.#templateOf(parts, resource, object);
    const snapshot = this.#on.cells.snapshot();
    const nowMs = this.#on.clock.now();
    const decision = decide(
      {
        template,
        project: { id: project.id, path: project.path },
        snapshot,
        previous: previousTargets(present),
        previousAffinity: present?.status?.schedulerObservingAffinityName,
        nowMs,
      },
      policy.spec.placement,
    );
    const input = this.#renderInput(parts, known, template, decision);
    const projection = this.#on.projector.render(input, decision.targets);
    const binding = bindingOf(
      {
        key: parts,
        resource,
        uid: template.uid,
        replicas: template.replicas,
        policy,
        decision,
        snapshot,
        problems: { ...state.problems, ...problemsOf(projection) },
        now: nowTime(nowMs),
      },
      present,
    );
    const skip = skippedCells(policy);
    const ahead = this.#on.projector.lookAhead(projection, skip, signal);
    await this.#on.bindings.commit(parts, binding, present, signal);
    state.outcome = decision.outcome;
    state.targets = decision.targets;
    // Before anything is written, so that the events of our own writes are known for what they are.
    state.desired = this.#on.projector.placesOf(projection);
    const error = await this.#dispatch(state, projection, { key: parts, input, skip, ahead, signal });
    const { recheckAtMs } = decision;
    return {
      match,
      recheckAfterMs: recheckAtMs === undefined ? undefined : Math.max(1, recheckAtMs - nowMs),
      error,
    };
  }

  /** What a decision needs, read anew; undefined when the object is gone, going, or selected by no policy. */
  async #read(parts: KeyParts, signal: AbortSignal): Promise<Known | undefined> {
    const project = this.#on.workspaces.project(parts.cluster);
    const selected = this.#ownerOf(parts);
    if (project === undefined || selected === undefined) return undefined;
    const [first, present, mapper] = await Promise.all([
      readObject(this.#on.client, parts, selected.resource, signal),
      this.#on.bindings.read(parts, signal),
      this.#on.mappers.of(project, signal),
    ]);
    if (first === undefined) return undefined;
    const match = this.#stickToOwner(parts, first, present, selected);
    const sameVersion = match.resource.version === selected.resource.version;
    const object = sameVersion ? first : await readObject(this.#on.client, parts, match.resource, signal);
    if (object === undefined || object.metadata.deletionTimestamp !== undefined) return undefined;
    return isPropagatedObject(object) ? { project, object, present, mapper, match } : undefined;
  }

  #renderInput(parts: KeyParts, known: Known, template: Template, { targets }: Decision): RenderInput {
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
        conflictResolution: spec['conflictResolution'] === 'Overwrite' ? 'Overwrite' : 'Abort',
        orphan: spec['preserveResourcesOnDeletion'] === true,
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

/** Cells that the policy holds dispatching back from. */
function skippedCells({ spec: { suspension } }: ResolvedPolicy): (cell: string) => boolean {
  const suspended = new Set(suspension?.dispatchingOnClusters?.clusterNames ?? []);
  return (cell) => suspension?.dispatching === true || suspended.has(cell);
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
