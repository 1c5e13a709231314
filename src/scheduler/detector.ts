import { clusterOf } from '#api/core-kcp/cluster-annotation.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { compileAffinity } from './algorithm/affinity.ts';
import type { CellInfo } from './algorithm/cell.ts';
import { compilePlacement } from './algorithm/compile.ts';
import type { CellChange, CellStore } from './cells/cell-store.ts';
import { hasMoreRoom } from './cells/more-room.ts';
import { crdsGvr } from './copies/cell-crds.ts';
import {
  asKnown,
  type CopyIndex,
  type CopyRecord,
  copyRecordOf,
  placeKeyIn,
  placeKeyOf,
  type WatchedResource,
} from './copies/copy-index.ts';
import type { Waiting } from './deciding/room-turns.ts';
import { followingPolicyKey } from './dependencies/need.ts';
import type { Requirements } from './dependencies/requirements.ts';
import type { Discovery } from './discovery.ts';
import type { KeyStates } from './key-state.ts';
import { keyOf, type ProjectObjectKey, splitKey } from './object-key.ts';
import { isLazy } from './policy/activation.ts';
import type { Policies } from './policy/policies.ts';
import type { ResolvedPolicy } from './policy/policy-index.ts';
import { isNewer } from './watches/resource-versions.ts';
import { type ResourceWatches, watchName } from './watches/resource-watches.ts';
import {
  classNames,
  clusterRoleBindingsName,
  crdsName,
  customClasses,
  keyInWatch,
  namespacesResource,
} from './watches/watched-kinds.ts';
import type { WorkspaceRef, Workspaces } from './workspaces.ts';

export interface DetectorDependencies {
  readonly controlPlaneId: string;
  readonly workspaces: Workspaces;
  readonly watches: ResourceWatches;
  readonly policies: Policies;
  readonly discovery: Discovery;
  readonly cells: CellStore;
  readonly copies: CopyIndex;
  readonly states: KeyStates;
  readonly requirements: Requirements;
  /** Asks for a decision. */
  readonly wake: (key: ProjectObjectKey) => void;
  /** Asks to gather what came back. */
  readonly gather: (key: ProjectObjectKey) => void;
  readonly resolvePolicy: (key: string) => void;
  /** Asks to look after a mapped namespace. */
  readonly lookAtNamespace: (cellId: string, mappedName: string) => void;
  /** Tells that something came into a mapped namespace. */
  readonly fillNamespace: (cellId: string, mappedName: string) => void;
  /** Ends the watch of a resource that nobody serves any more, and looks at what was placed of it. */
  readonly releaseResource: (resourceName: string) => void;
  readonly forgetProject: (id: string) => void;
  /** Asks to look at what quotas assign to a cell. */
  readonly lookAtQuotas: (cell: string) => void;
  /** These are woken next, for room, the most important first; the others are decided after it. */
  readonly callInTurn: (waiting: readonly Waiting[]) => void;
}

/**
 * Turns what the watches tell into keys to look at, and no more of them than the event could help. It decides nothing: a key
 * too many costs a look, a key too few would cost correctness.
 */
export class Detector {
  readonly #on: DetectorDependencies;
  /** Place in a cell workspace where something lies → who waits for it to go. */
  readonly #waitingForPlace = new Map<string, Set<ProjectObjectKey>>();

  constructor(dependencies: DetectorDependencies) {
    this.#on = dependencies;
  }

  /** All objects placed from a project, or from one of its namespaces. */
  wakeProject(cluster: string, namespace: string | undefined): void {
    for (const key of this.#on.states.keysIn(cluster)) {
      if (namespace === undefined || splitKey(key).namespace === namespace) this.#on.wake(key);
    }
  }

  onObject(resource: WatchedResource, object: KubeObject | undefined, old: KubeObject | undefined): void {
    const one = object ?? old;
    if (one === undefined) return;
    const cluster = clusterOf(one);
    if (this.#on.workspaces.cellOf(cluster) !== undefined) this.#onCellObject(cluster, resource, object, old);
    else if (this.#on.workspaces.get(cluster)?.kind === 'project')
      this.#onProjectObject(cluster, resource, object, old);
    // Objects of a workspace not known yet are looked at when it is (see onWorkspace).
  }

  /**
   * A copy that only the answer to our own write told of, and that went before the watch could tell, is in no cache: that it went
   * is seen by its absence from a list as new as it is.
   */
  onListed(resource: WatchedResource, resourceVersion: string): void {
    const name = watchName(resource);
    for (const record of [...this.#on.copies.ofResource(name)]) {
      if (isNewer(record.resourceVersion, resourceVersion)) continue;
      if (this.#on.watches.get(name, record.cellId, record.namespace, record.name) !== undefined) continue;
      this.#onNoCopy(placeKeyOf(record), undefined, record.uid);
      if (record.namespace !== '') this.#on.lookAtNamespace(record.cellId, record.namespace);
    }
  }

  #onProjectObject(
    cluster: string,
    resource: WatchedResource,
    object: KubeObject | undefined,
    old: KubeObject | undefined,
  ): void {
    const { metadata } = (object ?? old) as KubeObject;
    const name = watchName(resource);
    if (name === crdsName) this.#onProjectCrd(cluster, object, old);
    if (name === watchName(namespacesResource)) this.#onProjectNamespace(cluster, metadata.name ?? '');
    if (classNames.has(name) && (object === undefined || old === undefined))
      this.wakeProject(cluster, undefined);
    const key = keyInWatch(name, cluster, metadata);
    const known = this.#on.states.get(key) !== undefined || this.#on.copies.ofOrigin(key).size > 0;
    const awaited = known || this.#on.requirements.isRequired(key);
    if (!awaited && !this.#on.policies.index.selectsIn(cluster, name)) return;
    if (known && object !== undefined && old !== undefined && !bearsOnPlacement(object, old)) return;
    this.#on.wake(key);
  }

  /** What a project serves changed: kinds of policies may be found, or be gone, and cells may need the definition anew. */
  #onProjectCrd(cluster: string, object: KubeObject | undefined, old: KubeObject | undefined): void {
    const crd = (object ?? old)?.metadata.name ?? '';
    this.#on.discovery.forget(cluster);
    if (object === undefined || old === undefined) {
      for (const key of this.#on.policies.keysIn(cluster)) this.#on.resolvePolicy(key);
    } else {
      for (const key of this.#on.policies.unresolvedIn(cluster)) this.#on.resolvePolicy(key);
    }
    this.#watchCustomClass(crd);
    if (object === undefined) this.#wakeRefused(crd);
    if (object !== undefined && object.metadata.generation !== old?.metadata.generation) {
      this.#wakeResource(cluster, crd);
    }
    this.#releaseUnserved(crd, object);
  }

  /** A kind whose last definition is gone cannot be watched any more. */
  #releaseUnserved(crd: string, object: KubeObject | undefined): void {
    if (object !== undefined || this.#on.watches.hasNamed(crdsName, crd)) return;
    this.#on.releaseResource(crd);
  }

  /** A project's CRD for a class that others refer to. */
  #watchCustomClass(crdName: string): void {
    const customClass = customClasses.find((one) => watchName(one) === crdName);
    if (customClass === undefined || this.#on.watches.isWatched(crdName)) return;
    this.#on.watches.ensure(customClass).catch(() => {}); // ends only when stopped
  }

  #wakeResource(cluster: string, name: string): void {
    for (const key of this.#on.states.keysOfResource(name))
      if (splitKey(key).cluster === cluster) this.#on.wake(key);
  }

  #onProjectNamespace(cluster: string, namespace: string): void {
    const key = keyOf({ ...namespacesResource, cluster, namespace: '', name: namespace });
    for (const record of this.#on.copies.ofOrigin(key).values())
      this.#on.lookAtNamespace(record.cellId, record.name);
  }

  #onCellObject(
    cellId: string,
    resource: WatchedResource,
    object: KubeObject | undefined,
    old: KubeObject | undefined,
  ): void {
    const { metadata } = (object ?? old) as KubeObject;
    const place = placeKeyIn(cellId, resource, metadata.namespace, metadata.name);
    if (watchName(resource) === crdsName) {
      this.#onCellCrd(cellId, metadata.name ?? '', object, old);
      this.#releaseUnserved(metadata.name ?? '', object);
    }
    const record =
      object === undefined
        ? undefined
        : copyRecordOf(cellId, resource, object.metadata, this.#on.controlPlaneId);
    const former = this.#on.copies.get(place);
    if (record !== undefined) this.#onCopy(record, former);
    else this.#onNoCopy(place, object, metadata.uid);
    if (metadata.namespace === undefined) return;
    if (object === undefined) this.#on.lookAtNamespace(cellId, metadata.namespace);
    else if (old === undefined) this.#on.fillNamespace(cellId, metadata.namespace);
  }

  #onCopy(told: CopyRecord, former: CopyRecord | undefined): void {
    if (told.origin.cluster === told.cellId) return; // a definition, which belongs to the cell
    const record = asKnown(told, former);
    this.#on.copies.put(record);
    const isNamespace = record.group === '' && record.resource === 'namespaces';
    if (isNamespace) {
      this.#on.lookAtNamespace(record.cellId, record.name);
      if (former === undefined) this.#wakeClusterRoleBindings(record.origin.cluster);
    }
    const state = this.#on.states.get(record.key);
    if (state === undefined) {
      if (!isNamespace) this.#on.wake(record.key);
      return;
    }
    const wanted = state.desired.get(placeKeyOf(record));
    // Ours as it should be: something may have come back from the edge. Anything else is set right.
    if (wanted === record.contentHash && !record.deleting) {
      if (isHeardOf(record) || (former !== undefined && isHeardOf(former))) this.#on.gather(record.key);
    } else if (
      former === undefined ||
      former.contentHash !== record.contentHash ||
      former.deleting !== record.deleting ||
      // What is said on it about its successor (CopyWriter) depends on its notes, and on having been written over its newest state.
      (record.deleting && former.resourceVersion !== record.resourceVersion)
    ) {
      this.#on.wake(record.key);
    }
  }

  /** Nothing of ours lies at the place (any more). */
  #onNoCopy(place: string, object: KubeObject | undefined, uid: string | undefined): void {
    const former = object === undefined ? this.#on.copies.remove(place, uid) : this.#on.copies.remove(place);
    if (former !== undefined) {
      this.#on.wake(former.key);
      this.#onInstanceGone(former);
    }
    const waiting = this.#waitingForPlace.get(place);
    if (object !== undefined || waiting === undefined) return;
    this.#waitingForPlace.delete(place);
    for (const key of waiting) this.#on.wake(key);
  }

  /**
   * A definition came or changed in a cell: what waits for it to be served may go on; and what another scheduler wrote may
   * lack versions that our projects need.
   */
  #onCellCrd(cellId: string, name: string, now: KubeObject | undefined, old: KubeObject | undefined): void {
    const cell = this.#on.workspaces.cellOf(cellId) ?? '';
    const changed =
      now !== undefined && old !== undefined && now.metadata.generation !== old.metadata.generation;
    for (const key of this.#on.states.keysOfResource(name)) {
      const state = this.#on.states.get(key);
      const isThere = changed && state?.targets.some((target) => target.name === cell) === true;
      if (isThere || state?.failures.has(cell) === true) this.#on.wake(key);
    }
    for (const key of this.#definitionKeys(name)) {
      const state = this.#on.states.get(key);
      if (state?.targets.some((target) => target.name === cell) !== true) continue;
      if (changed || now === undefined || state.failures.has(cell)) this.#on.wake(key);
      else this.#on.gather(key);
    }
  }

  /** Of the definitions of this name that projects bind. */
  *#definitionKeys(name: string): IterableIterator<ProjectObjectKey> {
    for (const cluster of this.#on.states.clusters()) {
      const key = keyOf({ ...crdsGvr, cluster, namespace: '', name });
      if (this.#on.states.get(key) !== undefined) yield key;
    }
  }

  /** A definition that kept others out of the cell may do so no longer: its project has no objects there any more. */
  #onInstanceGone({ cellId, group, resource, origin }: CopyRecord): void {
    const name = watchName({ group, resource });
    if (this.#on.watches.get(crdsName, cellId, '', name) === undefined) return;
    if (this.#on.copies.isUser(name, origin.cluster, cellId)) return;
    this.#wakeRefused(name, this.#on.workspaces.cellOf(cellId));
  }

  /** What could not be brought to the cell (default: any), of definitions of this name and their objects. */
  #wakeRefused(name: string, cell?: string): void {
    for (const keys of [this.#on.states.keysOfResource(name), this.#definitionKeys(name)]) {
      for (const key of keys) {
        const failures = this.#on.states.get(key)?.failures;
        if (cell === undefined ? (failures?.size ?? 0) > 0 : failures?.has(cell) === true) this.#on.wake(key);
      }
    }
  }

  #wakeClusterRoleBindings(cluster: string): void {
    for (const { metadata } of this.#on.watches.inCluster(clusterRoleBindingsName, cluster)) {
      const key = keyInWatch(clusterRoleBindingsName, cluster, metadata);
      if (this.#on.states.get(key) !== undefined) this.#on.wake(key);
    }
  }

  onWorkspace(now: WorkspaceRef | undefined, old: WorkspaceRef | undefined): void {
    const id = (now ?? old)?.id ?? '';
    if (now === undefined) {
      this.#on.forgetProject(id);
      this.#on.discovery.forget(id);
      for (const key of this.#on.copies.removeCell(id)) this.#on.wake(key);
    }
    const isNew = old === undefined || old.kind !== now?.kind;
    const moved =
      old !== undefined && now !== undefined && (old.path !== now.path || old.deleting !== now.deleting);
    if (!isNew && !moved && now !== undefined) return;
    const cell = now === undefined ? undefined : this.#on.workspaces.cellOf(now.id);
    const cellName =
      cell ?? (old?.kind === 'cell' ? old.path.slice(old.path.lastIndexOf(':') + 1) : undefined);
    if (cellName !== undefined) this.onCell(this.#on.cells.refresh(cellName));
    for (const key of this.#on.policies.inheritedKeysIn(id)) this.#on.resolvePolicy(key);
    if (now !== undefined) this.#on.policies.onWorkspace(now);
    this.#lookAtWorkspace(id);
  }

  /** All that is known of a workspace's objects, looked at again: it came, moved or went. */
  #lookAtWorkspace(id: string): void {
    for (const [name, resource] of this.#on.watches.resources()) {
      for (const object of this.#on.watches.inCluster(name, id)) this.onObject(resource, object, undefined);
    }
    this.wakeProject(id, undefined);
    for (const key of this.#on.copies.keys()) if (key.includes(`|${id}|`)) this.#on.wake(key);
  }

  onCell(change: CellChange | undefined): void {
    if (change === undefined) return;
    if (change.unschedulable && change.now !== undefined) this.#wakeMissing(change.now.name);
    if (change.rules) {
      const name = (change.now ?? change.old)?.name ?? '';
      for (const policy of this.#on.policies.index.values()) {
        if (!concerns(policy, change) || !this.#isOther(policy, change)) continue;
        for (const key of this.#on.states.keysOf(policy.key)) this.#on.wake(key);
      }
      this.#wakeKept(change, name);
      this.#wakeFollowing(name);
      this.#on.lookAtQuotas(name);
      return;
    }
    if (change.now === undefined || !hasMoreRoom(change.now, change.old)) return;
    this.onRoom([change.now]);
  }

  /** Freed room helps those that wait for it, and only those that may use one of these cells; the most important first. */
  onRoom(cells: readonly CellInfo[]): void {
    const waiting: Waiting[] = [];
    const mayUse = new Map<string, boolean>();
    for (const key of this.#on.states.waitingForRoom()) {
      const state = this.#on.states.get(key);
      if (state === undefined) continue;
      const { policyKey, priority } = state;
      let may = mayUse.get(policyKey);
      if (may === undefined) {
        const policy = this.#on.policies.index.get(policyKey);
        may = policy !== undefined && cells.some((now) => concerns(policy, { now, old: undefined }));
        mayUse.set(policyKey, may);
      }
      if (may) waiting.push({ key, priority });
    }
    waiting.sort((a, b) => b.priority - a.priority);
    this.#on.callInTurn(waiting);
    for (const { key } of waiting) this.#on.wake(key);
  }

  /** Labels that a policy, its waves, and what bounds and overrides its objects do not look at make no other cell. */
  #isOther(policy: ResolvedPolicy, { now, old, labelsOnly }: CellChange): boolean {
    const { cluster, spec } = policy;
    if (isLazy(policy) || !labelsOnly || now === undefined || old === undefined) return true;
    const { sees } = compilePlacement(spec.placement);
    if (sees(now) !== sees(old)) return true;
    for (const { clusterAffinity } of spec.rollout?.waves ?? []) {
      const selects = compileAffinity(clusterAffinity);
      if (selects(now) !== selects(old)) return true;
    }
    return this.#on.policies.distinguishes(cluster, now, old);
  }

  /** Of what has replicas there that do not run, and waits: whether it is for want of a node may be known by now. */
  #wakeMissing(cell: string): void {
    for (const key of this.#on.states.waitingForRoom())
      if (this.#on.states.get(key)?.replicas?.missing.has(cell) === true) this.#on.wake(key);
  }

  /** What lies in a cell that its policy does not name, as it has no place in others: the cell may let it stay no more. */
  #wakeKept(change: CellChange, cell: string): void {
    for (const key of this.#on.states.unplaced()) {
      const state = this.#on.states.get(key);
      if (state?.targets.some(({ name }) => name === cell) !== true) continue;
      const policy = this.#on.policies.index.get(state.policyKey);
      if (policy !== undefined && !concerns(policy, change)) this.#on.wake(key);
    }
  }

  /** What lies in a cell because others need it there may be overridden by what the cell is. */
  #wakeFollowing(cell: string): void {
    for (const key of this.#on.states.keysOf(followingPolicyKey)) {
      if (this.#on.states.get(key)?.targets.some(({ name }) => name === cell)) this.#on.wake(key);
    }
  }

  /** In the order of their names: so their objects are read by pages (page-reader.ts). */
  wakeSelected(policy: ResolvedPolicy): void {
    const { cluster } = policy;
    const selected: ProjectObjectKey[] = [];
    for (const name of new Set(policy.selectors.map(({ resource }) => watchName(resource)))) {
      for (const { metadata } of this.#on.watches.inCluster(name, cluster)) {
        const key = keyInWatch(name, cluster, metadata);
        const identity = {
          namespace: metadata.namespace ?? '',
          name: metadata.name ?? '',
          labels: metadata.labels,
        };
        const owner = this.#on.policies.index.ownerOf(
          cluster,
          name,
          identity,
          this.#on.states.get(key)?.policyKey,
        );
        if (owner?.policy.key === policy.key) selected.push(key);
      }
    }
    for (const key of selected.sort()) this.#on.wake(key);
  }

  /** Objects bound before a restart that this policy no longer selects: they have no state yet, only a binding. */
  wakeReleased(former: ResolvedPolicy): void {
    for (const name of new Set(former.selectors.map(({ resource }) => watchName(resource)))) {
      for (const { metadata } of this.#on.watches.inCluster(name, former.cluster)) {
        const key = keyInWatch(name, former.cluster, metadata);
        if (this.#on.states.get(key) === undefined && this.#on.copies.ofOrigin(key).size > 0)
          this.#on.wake(key);
      }
    }
  }

  /** A key whose copy found something in its way looks again when that goes. */
  waitForPlaces(key: ProjectObjectKey): void {
    for (const place of this.#on.states.get(key)?.occupiedPlaces ?? []) {
      const waiting = this.#waitingForPlace.get(place);
      if (waiting === undefined) this.#waitingForPlace.set(place, new Set([key]));
      else waiting.add(key);
    }
  }
}

/** Whether a syncer has said anything about the copy. */
function isHeardOf({ syncedHash, syncError }: CopyRecord): boolean {
  return syncedHash !== undefined || syncError !== undefined;
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

function concerns(policy: ResolvedPolicy, { now, old }: Pick<CellChange, 'now' | 'old'>): boolean {
  // Its objects may be decided by what it was before.
  if (isLazy(policy)) return true;
  const compiled = compilePlacement(policy.spec.placement);
  return compiled.groups.some(({ selects }) => {
    return (now !== undefined && selects(now)) || (old !== undefined && selects(old));
  });
}
