import { LRUCache } from 'lru-cache';
import { logicalClusterName, logicalClustersGvr } from '#api/core-kcp/logical-cluster.ts';
import { clusterResourceBindingsGvr, resourceBindingsGvr } from '#api/work/group.ts';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { Clock } from '#apimachinery/clock.ts';
import { equalJson, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { nowTime } from '#apimachinery/rfc3339.ts';
import type { KubeClient, ObjectRef } from '#client/client.ts';
import type { Logger } from '#client/logger.ts';
import type { ReconcileResult } from '#client/reconcile.ts';
import { decide } from './algorithm/decide.ts';
import type { Template } from './algorithm/decision.ts';
import { bindingOf, type Problems, previousTargets, withProblems } from './binding.ts';
import type { CellStore } from './cells/cell-store.ts';
import type { CopyIndex, CopyRecord } from './copy-index.ts';
import type { CopyWriter } from './copy-writer.ts';
import type { DiscoveredResource } from './discovery.ts';
import { aggregateStatus, type CellStatus } from './gather/aggregate.ts';
import { type CellReport, type CopyReader, gatheredStatus, syncErrorText } from './gather/gather.ts';
import { healthOf } from './gather/health.ts';
import { applyStatus } from './gather/status-writer.ts';
import type { KeyState, KeyStates } from './key-state.ts';
import { type KeyParts, keyOf, type ProjectObjectKey, splitKey } from './object-key.ts';
import { type PolicyIndex, type PolicyMatch, policyKeyOf } from './policy/policy-index.ts';
import { contentHashOf } from './projection/canonical.ts';
import {
  crdResource,
  isPrivilegedResource,
  isPropagatedMetadata,
  isPropagatedObject,
  isPropagatedResource,
  resourceKey,
} from './projection/kinds.ts';
import { bindingName, createNameMapper, type NameMapper } from './projection/names.ts';
import { type OverrideSource, overrideChain } from './projection/overrides.ts';
import type { RenderInput } from './projection/render.ts';
import { replicasOf, requestOf } from './projection/replicas.ts';
import { definedGroup, type Projector, summary } from './projector.ts';
import { isNewer } from './resource-versions.ts';
import { type ResourceWatches, watchName } from './resource-watches.ts';
import type { WorkspaceRef, Workspaces } from './workspaces.ts';

export interface ReconcilerDependencies {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly controlPlaneId: string;
  readonly workspaces: Workspaces;
  readonly watches: ResourceWatches;
  readonly policies: PolicyIndex;
  readonly cells: CellStore;
  readonly copies: CopyIndex;
  readonly writer: CopyWriter;
  readonly reader: CopyReader;
  readonly projector: Projector;
  readonly states: KeyStates;
  /** The binding's metadata as last seen. */
  readonly bindingMetadata: (key: KeyParts) => KubeObject | undefined;
  readonly overridesOf: (cluster: string) => Iterable<OverrideSource>;
  /** Whether a policy of the project that could select this resource is not resolved yet. */
  readonly isUnresolved: (cluster: string, group: string) => boolean;
  readonly hashBits?: number | undefined;
  readonly gatherIntervalMs?: number | undefined;
}

/** After the first, at most one gathering per object in this time (DESIGN.md, Gather). */
const defaultGatherIntervalMs = 1_000;
const bindingsRememberedMax = 10_000;
const crdsWatch = crdResource;

/**
 * Brings one project object's copies, binding and status to where they should be, from whatever state they are in. Events
 * only say that there may be something to do.
 */
export class Reconciler {
  readonly #on: ReconcilerDependencies;
  readonly #mappers = new Map<string, NameMapper>();
  /** Bindings as written or read last, to save reading what we wrote ourselves. */
  readonly #bindings = new LRUCache<ProjectObjectKey, ResourceBinding>({ max: bindingsRememberedMax });
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
        const gathered = await this.#gatherWhenDue(key, parts, decided.match, signal);
        if (decided.error !== undefined) throw decided.error;
        return earliest(recheckAfterMs, gathered);
      }
      const match = this.#ownerOf(parts);
      if (match === undefined) {
        this.#mustDecide.add(key);
        return { requeueAfterMs: 0 };
      }
      return earliest(undefined, await this.#gatherWhenDue(key, parts, match, signal));
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
  async #place(
    key: ProjectObjectKey,
    parts: KeyParts,
    signal: AbortSignal,
  ): Promise<{ match: PolicyMatch; recheckAfterMs: number | undefined; error: unknown } | undefined> {
    const project = this.#on.workspaces.project(parts.cluster);
    let match = this.#ownerOf(parts);
    if (project === undefined || match === undefined) {
      await this.#letGo(key, parts, signal);
      return undefined;
    }
    const [object, present, mapper] = await Promise.all([
      this.#readObject(parts, match.resource, signal),
      this.#readBinding(key, parts, signal),
      this.#mapper(project, signal),
    ]);
    if (
      object === undefined ||
      object.metadata.deletionTimestamp !== undefined ||
      !isPropagatedObject(object)
    ) {
      await this.#letGo(key, parts, signal);
      return undefined;
    }
    match = this.#stickToOwner(parts, object, present, match);
    const { policy, resource } = match;
    const state = this.#on.states.claim(key, policy.key);
    const kind = { group: parts.group, resource: parts.resource, scalable: resource.hasScale };
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
    const input: RenderInput = {
      object,
      version: resource.version,
      origin: {
        controlPlane: this.#on.controlPlaneId,
        cluster: project.id,
        path: project.path,
        group: parts.group,
        resource: parts.resource,
        namespace: parts.namespace,
        name: parts.name,
        uid: object.metadata.uid ?? '',
      },
      kind,
      custom: template.custom,
      targets: decision.targets,
      divided: policy.spec.placement?.replicaScheduling?.replicaSchedulingType === 'Divided',
      overrides: overrideChain(this.#on.overridesOf(project.id), {
        apiVersion: object.apiVersion,
        kind: object.kind,
        namespace: parts.namespace,
        name: parts.name,
        labels: object.metadata.labels,
      }),
      mapper,
      owns: (group, owned, name) =>
        this.#on.watches.get(`${owned}.${group}`, project.id, '', name) !== undefined,
      contract: {
        conflictResolution: policy.spec['conflictResolution'] === 'Overwrite' ? 'Overwrite' : 'Abort',
        orphan: policy.spec['preserveResourcesOnDeletion'] === true,
      },
    };
    const projection = this.#on.projector.render(input, decision.targets);
    const problems: Problems = {
      ...state.problems,
      kindNotAllowed: projection.refused,
      unmappedReference:
        projection.unmapped === undefined
          ? undefined
          : `${projection.unmapped} names a namespace that is not mapped`,
      overrideFailed: projection.overrideErrors,
    };
    await this.#commit(
      key,
      parts,
      bindingOf(
        {
          key: parts,
          resource,
          uid: object.metadata.uid ?? '',
          replicas: template.replicas,
          policy,
          decision,
          snapshot,
          problems,
          now: nowTime(nowMs),
        },
        present,
      ),
      present,
      signal,
    );
    state.outcome = decision.outcome;
    state.targets = decision.targets;
    // Before anything is written, so that the events of our own writes are known for what they are.
    state.desired = this.#on.projector.placesOf(projection);

    const suspension = policy.spec.suspension;
    const suspended = new Set(suspension?.dispatchingOnClusters?.clusterNames ?? []);
    const skip = (cell: string): boolean => suspension?.dispatching === true || suspended.has(cell);
    const result = await this.#on.projector.project(parts, projection, input, skip, signal);
    state.failures = result.failures;
    state.collidedPlaces = result.collidedPlaces;
    state.projectedGeneration = result.failures.size === 0 ? (object.metadata.generation ?? 0) : 0;
    state.problems = { nameCollision: summary(result.collisions), apiConflict: summary(result.apiConflicts) };
    await this.#withdraw(this.#unwanted(key, state.desired), skip, signal);
    const recheckAfterMs =
      decision.recheckAtMs === undefined ? undefined : Math.max(1, decision.recheckAtMs - nowMs);
    return { match, recheckAfterMs, error: result.firstError };
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
    const custom = isCrd || this.#on.watches.get(crdsWatch, cluster, '', crdName) !== undefined;
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

  async #mapper(project: WorkspaceRef, signal: AbortSignal): Promise<NameMapper> {
    const prefix = await this.#on.workspaces.mappingName(project, signal);
    const present = this.#mappers.get(project.id);
    if (present !== undefined && present.identity.prefix === prefix) return present;
    const mapper = createNameMapper(
      { controlPlaneId: this.#on.controlPlaneId, clusterId: project.id, prefix },
      this.#on.hashBits,
    );
    this.#mappers.set(project.id, mapper);
    return mapper;
  }

  /** To be called when a project is gone. */
  forgetProject(id: string): void {
    this.#mappers.delete(id);
  }

  async #readObject(
    { cluster, namespace, name }: KeyParts,
    { group, version, resource }: DiscoveredResource,
    signal: AbortSignal,
  ): Promise<KubeObject | undefined> {
    const ref = {
      cluster,
      gvr: { group, version, resource },
      namespace: namespace === '' ? undefined : namespace,
      name,
    };
    try {
      return await this.#on.client.get(ref, { signal });
    } catch (error) {
      if (isApiError(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  #bindingRef({ cluster, group, resource, namespace, name }: KeyParts): ObjectRef {
    return {
      cluster,
      gvr: namespace === '' ? clusterResourceBindingsGvr : resourceBindingsGvr,
      namespace: namespace === '' ? undefined : namespace,
      name: bindingName(group, resource, name),
    };
  }

  /** What we remember when it is as new as what the watch told, else what is stored. */
  async #readBinding(
    key: ProjectObjectKey,
    parts: KeyParts,
    signal: AbortSignal,
  ): Promise<ResourceBinding | undefined> {
    const remembered = this.#bindings.get(key);
    const told = this.#on.bindingMetadata(parts)?.metadata.resourceVersion;
    if (remembered === undefined && told === undefined) return undefined;
    if (remembered !== undefined && told !== undefined && !isNewer(told, remembered.metadata.resourceVersion))
      return remembered;
    try {
      const binding = (await this.#on.client.get(this.#bindingRef(parts), { signal })) as ResourceBinding;
      this.#bindings.set(key, binding);
      return binding;
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
      this.#bindings.delete(key);
      return undefined;
    }
  }

  /** The one write of a decision. A conflict shows that what we knew was old: it is read anew at the next look. */
  async #commit(
    key: ProjectObjectKey,
    parts: KeyParts,
    binding: ResourceBinding,
    present: ResourceBinding | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    if (binding === present) return;
    const ref = this.#bindingRef(parts);
    try {
      const written =
        present === undefined
          ? await this.#on.client.create(ref, binding, { signal })
          : await this.#on.client.update(ref, binding, { signal });
      this.#bindings.set(key, written as ResourceBinding);
    } catch (error) {
      this.#bindings.delete(key);
      if (isApiError(error, 'AlreadyExists')) {
        // The watch has not told yet: read it, so that the next look knows it.
        this.#bindings.set(key, (await this.#on.client.get(ref, { signal })) as ResourceBinding);
      }
      throw error;
    }
  }

  #unwanted(key: ProjectObjectKey, desired: ReadonlyMap<string, string>): CopyRecord[] {
    const unwanted: CopyRecord[] = [];
    for (const [place, record] of this.#on.copies.ofOrigin(key))
      if (!desired.has(place)) unwanted.push(record);
    return unwanted;
  }

  async #withdraw(
    records: readonly CopyRecord[],
    skip: (cell: string) => boolean,
    signal: AbortSignal,
  ): Promise<void> {
    await Promise.all(
      records.map((record) => {
        const cell = this.#on.workspaces.cellOf(record.cellId);
        if (cell !== undefined && skip(cell)) return undefined;
        // A mapped namespace stays until it is empty, whatever policies say (see NamespaceKeeper).
        if (record.group === '' && record.resource === 'namespaces') return undefined;
        return this.#on.writer.withdraw(record, signal);
      }),
    );
  }

  /**
   * The object is gone, going, or no longer selected: its copies are withdrawn and its binding removed, the latter last, so
   * that a restart in between finds the rest. Absence is confirmed by a consistent read first (DESIGN.md, Bindings).
   */
  async #letGo(key: ProjectObjectKey, parts: KeyParts, signal: AbortSignal): Promise<void> {
    const records = [...this.#on.copies.ofOrigin(key).values()];
    const binding = this.#on.bindingMetadata(parts) ?? this.#bindings.get(key);
    if (records.length === 0 && binding === undefined) {
      this.#forget(key);
      return;
    }
    if (!(await this.#mayLetGo(key, parts, signal))) {
      throw new Error('the object is there, and what selects it is not known yet');
    }
    await this.#withdraw(records, () => false, signal);
    // A project that goes takes its bindings with it.
    if (binding !== undefined && this.#on.workspaces.project(parts.cluster) !== undefined) {
      try {
        await this.#on.client.delete(this.#bindingRef(parts), { signal });
      } catch (error) {
        if (!isApiError(error, 'NotFound')) throw error;
      }
    }
    this.#forget(key);
  }

  #forget(key: ProjectObjectKey): void {
    this.#bindings.delete(key);
    this.#on.states.remove(key);
  }

  async #mayLetGo(key: ProjectObjectKey, parts: KeyParts, signal: AbortSignal): Promise<boolean> {
    const { cluster, group, resource, namespace, name } = parts;
    const workspace = this.#on.workspaces.get(cluster);
    if (workspace === undefined) return this.#isWorkspaceGone(cluster, signal);
    if (workspace.deleting) return true;
    const version = [...this.#on.copies.ofOrigin(key).values()].find(
      (one) => one.resource === resource,
    )?.version;
    const watched = [...this.#on.watches.resources()].find(([watch]) => watch === `${resource}.${group}`);
    const readVersion = watched?.[1].version ?? version;
    if (readVersion === undefined) return !this.#on.isUnresolved(cluster, group);
    try {
      const object = await this.#on.client.get(
        {
          cluster,
          gvr: { group, version: readVersion, resource },
          namespace: namespace === '' ? undefined : namespace,
          name,
        },
        { metadataOnly: true, signal },
      );
      if (object.metadata.deletionTimestamp !== undefined) return true;
      // It is there: then a known set of policies must leave it out, and the watch must have told of it.
      if (this.#on.isUnresolved(cluster, group)) return false;
      const seen = this.#on.watches.get(`${resource}.${group}`, cluster, namespace, name);
      return seen !== undefined && seen.metadata.uid === object.metadata.uid;
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
      // A 404 that names no object says that the kind is not served: which is no absence while its definition is there.
      if (error.details?.name === name) return true;
      return this.#on.watches.get(crdsWatch, cluster, '', `${resource}.${group}`) === undefined;
    }
  }

  async #isWorkspaceGone(cluster: string, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#on.client.get(
        { cluster, gvr: logicalClustersGvr, name: logicalClusterName },
        { metadataOnly: true, signal },
      );
      return false;
    } catch (error) {
      if (isApiError(error, 'NotFound')) return true;
      throw error;
    }
  }

  /** The first change is gathered at once, further ones at most once in the interval. Returns when to look again. */
  async #gatherWhenDue(
    key: ProjectObjectKey,
    parts: KeyParts,
    match: PolicyMatch,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const state = this.#on.states.get(key);
    if (state === undefined) return undefined;
    const nowMs = this.#on.clock.now();
    const dueMs = state.lastGatherMs + (this.#on.gatherIntervalMs ?? defaultGatherIntervalMs);
    if (nowMs < dueMs && nowMs >= state.lastGatherMs) return dueMs - nowMs;
    const changed = await this.#gather(key, parts, match, state, signal);
    if (changed) state.lastGatherMs = this.#on.clock.now();
    return undefined;
  }

  async #gather(
    key: ProjectObjectKey,
    parts: KeyParts,
    { resource }: PolicyMatch,
    state: KeyState,
    signal: AbortSignal,
  ): Promise<boolean> {
    const resourceName = watchName(parts);
    const records: { cell: string; record: CopyRecord; replicas: number | undefined }[] = [];
    const missing: string[] = [];
    const byCell = new Map<string, CopyRecord>();
    for (const [place, record] of this.#on.copies.ofOrigin(key)) {
      const cell = this.#on.workspaces.cellOf(record.cellId);
      if (cell !== undefined && state.desired.has(place)) byCell.set(cell, record);
    }
    for (const { name, replicas } of state.targets) {
      const record = byCell.get(name);
      if (record === undefined) missing.push(name);
      else records.push({ cell: name, record, replicas });
    }
    // Before a syncer has said anything there is no status to read.
    const heard = records.filter(
      ({ record }) => record.syncedHash !== undefined || record.syncError !== undefined,
    );
    const read = resource.hasStatus
      ? await this.#on.reader.readAll(
          heard.map(({ record }) => record),
          signal,
        )
      : [];
    const readings = new Map(heard.map(({ record }, i) => [record, read[i]]));
    const statuses: CellStatus[] = [];
    const reports: CellReport[] = [];
    let allObserved = missing.length === 0 && records.length > 0;
    for (const { cell, record, replicas } of records) {
      const reading = readings.get(record);
      const status = reading?.status;
      const applied =
        record.syncedHash !== undefined && record.syncedHash === state.desired.get(placeOf(record));
      const observedGeneration = status?.['observedGeneration'];
      const observed =
        applied &&
        (typeof observedGeneration !== 'number' || observedGeneration >= (reading?.generation ?? 0));
      if (!observed) allObserved = false;
      const hasStatus = resource.hasStatus;
      const health = healthOf(resourceName, {
        applied,
        observed,
        hasStatus,
        replicas,
        spec: reading?.spec ?? {},
        status,
      });
      const message = state.failures.get(cell) ?? syncErrorText(record.syncError);
      reports.push({ cell, applied, message, health, status });
      if (status !== undefined && Object.keys(status).length > 0) statuses.push({ cell, status });
    }
    for (const cell of missing) {
      reports.push({
        cell,
        applied: false,
        message: state.failures.get(cell),
        health: 'Unknown',
        status: undefined,
      });
    }
    reports.sort((a, b) => (a.cell < b.cell ? -1 : 1));
    const statusChanged = resource.hasStatus
      ? await this.#writeStatus(parts, resource, state, statuses, allObserved, signal)
      : false;
    const bindingChanged = await this.#writeGathered(key, parts, state, reports, signal);
    return statusChanged || bindingChanged;
  }

  async #writeStatus(
    parts: KeyParts,
    resource: DiscoveredResource,
    state: KeyState,
    statuses: readonly CellStatus[],
    allObserved: boolean,
    signal: AbortSignal,
  ): Promise<boolean> {
    const resourceName = watchName(parts);
    const now = nowTime(this.#on.clock.now());
    const metadata = this.#on.watches.get(resourceName, parts.cluster, parts.namespace, parts.name)?.metadata;
    const status = aggregateStatus(resourceName, statuses, now);
    if (status === undefined || metadata?.uid === undefined) return false;
    const observed = await this.#observedGeneration(parts, resource, state, statuses, allObserved, signal);
    if (observed !== undefined) status['observedGeneration'] = observed;
    const hash = contentHashOf(status);
    if (state.appliedStatusHash === hash) return false;
    const outcome = await applyStatus(this.#on.client, parts, resource, metadata.uid, status, signal);
    state.statusOwnedElsewhere = outcome.type === 'ownedElsewhere' ? outcome.message : undefined;
    if (outcome.type === 'refused') {
      this.#on.logger.warn({ ...parts, why: outcome.message }, 'gathered status was refused');
    }
    if (outcome.type !== 'gone') state.appliedStatusHash = hash;
    return outcome.type === 'applied' || outcome.type === 'ownedElsewhere';
  }

  /**
   * The object's generation once every cell has observed what was rendered from it; until then what stands there, so that it
   * never rises early. Undefined for kinds whose status has none.
   */
  async #observedGeneration(
    parts: KeyParts,
    resource: DiscoveredResource,
    state: KeyState,
    statuses: readonly CellStatus[],
    allObserved: boolean,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    if (!statuses.some(({ status }) => typeof status['observedGeneration'] === 'number')) return undefined;
    const metadata = this.#on.watches.get(
      watchName(parts),
      parts.cluster,
      parts.namespace,
      parts.name,
    )?.metadata;
    if (allObserved && state.projectedGeneration > 0 && state.projectedGeneration === metadata?.generation) {
      state.observedGeneration = state.projectedGeneration;
    } else if (state.observedGeneration === undefined) {
      const object = await this.#readObject(parts, resource, signal);
      const stored = (object?.['status'] as JsonObject | undefined)?.['observedGeneration'];
      state.observedGeneration = typeof stored === 'number' ? stored : 0;
    }
    return state.observedGeneration === 0 ? undefined : state.observedGeneration;
  }

  async #writeGathered(
    key: ProjectObjectKey,
    parts: KeyParts,
    state: KeyState,
    reports: readonly CellReport[],
    signal: AbortSignal,
  ): Promise<boolean> {
    const present = await this.#readBinding(key, parts, signal);
    if (present === undefined) return false;
    const { nameCollision, apiConflict } = state.problems;
    const silent = reports.every(
      ({ applied, message, status }) => !applied && message === undefined && status === undefined,
    );
    // A fresh decision says already that nothing has come back.
    if (
      silent &&
      present.status?.summary === undefined &&
      nameCollision === undefined &&
      apiConflict === undefined
    ) {
      return false;
    }
    const now = nowTime(this.#on.clock.now());
    const gathered = gatheredStatus(present.status, reports, now);
    const status = {
      ...gathered,
      conditions: withProblems(
        gathered.conditions,
        { nameCollision, apiConflict, statusOwnedElsewhere: state.statusOwnedElsewhere },
        now,
      ),
    };
    if (equalJson(status, present.status)) return false;
    await this.#commit(key, parts, { ...present, status }, present, signal);
    return true;
  }
}

function placeOf(record: CopyRecord): string {
  return `${record.cellId}|${record.resource}.${record.group}|${record.namespace}/${record.name}`;
}

function earliest(a: number | undefined, b: number | undefined): ReconcileResult {
  if (a === undefined && b === undefined) return undefined;
  return { requeueAfterMs: Math.min(a ?? Number.POSITIVE_INFINITY, b ?? Number.POSITIVE_INFINITY) };
}
