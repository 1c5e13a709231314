import type { FailoverMemory } from '#api/work/resource-binding.ts';
import type { Clock } from '#apimachinery/clock.ts';
import { equalJson, type JsonObject } from '#apimachinery/json.ts';
import { nowTime } from '#apimachinery/rfc3339.ts';
import type { KubeClient } from '#client/client.ts';
import type { Logger } from '#client/logger.ts';
import { withProblems } from '../bindings/binding.ts';
import type { BindingStore } from '../bindings/binding-store.ts';
import type { CellStore } from '../cells/cell-store.ts';
import { crdsGvr } from '../copies/cell-crds.ts';
import { type CopyIndex, type CopyRecord, copyRecordOf } from '../copies/copy-index.ts';
import type { DiscoveredResource } from '../discovery.ts';
import { memoryOf } from '../failover/health-memory.ts';
import type { Interpretation } from '../interpreter/interpretation.ts';
import type { Interpretations } from '../interpreter/interpretations.ts';
import type { KeyState, KeyStates } from '../key-state.ts';
import type { KeyParts, ProjectObjectKey } from '../object-key.ts';
import type { PolicyMatch } from '../policy/policy-index.ts';
import { contentHashOf } from '../projection/content-hash.ts';
import { crdResource } from '../projection/kinds.ts';
import { readObject } from '../read-object.ts';
import { recordMissing, replicasMissing } from '../rescheduling/missing-replicas.ts';
import { type ResourceWatches, watchName } from '../watches/resource-watches.ts';
import type { Workspaces } from '../workspaces.ts';
import { aggregateStatus } from './aggregate.ts';
import type { CellStatus } from './aggregation-rule.ts';
import { type CellReport, type DecidedCopy, reportOf } from './cell-report.ts';
import type { CopyReader, CopyReading } from './copy-reader.ts';
import { type CellDefinition, definitionReport, servedKindsOf } from './definition-report.ts';
import { defaultGatherIntervalMs, gatherBurst, gatherWaitMs, paidAfterGathering } from './gather-pace.ts';
import { gatheredStatus } from './gathered-status.ts';
import { podsThere } from './pods.ts';
import { applyStatus, unknownStatusHash } from './status-writer.ts';

export interface GathererDependencies {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly controlPlaneId: string;
  readonly cells: CellStore;
  readonly workspaces: Workspaces;
  readonly watches: ResourceWatches;
  readonly copies: CopyIndex;
  readonly reader: CopyReader;
  readonly bindings: BindingStore;
  readonly interpretations: Interpretations;
  readonly states: KeyStates;
  readonly gatherIntervalMs?: number | undefined;
}

/** What came back from the cells. */
interface Gathered {
  /** Of the cells that tell one. */
  readonly statuses: readonly CellStatus[];
  /** Of all cells, by name. */
  readonly reports: readonly CellReport[];
  /** Every cell has seen what is to be there now. */
  readonly allObserved: boolean;
  readonly interpretation: Interpretation | undefined;
}

/** What failover goes by: where the object is healthy, and since when it is not. */
function recordHealth(state: KeyState, reports: readonly CellReport[], nowMs: number): void {
  const { health } = state;
  state.isHeard = true;
  health.healthy.clear();
  const unhealthy = new Set<string>();
  for (const { cell, applied, health: one } of reports) {
    if (applied && one === 'Healthy') health.healthy.add(cell);
    if (one !== 'Unhealthy') continue;
    unhealthy.add(cell);
    if (!health.unhealthySinceMs.has(cell)) health.unhealthySinceMs.set(cell, nowMs);
  }
  for (const cell of health.unhealthySinceMs.keys())
    if (!unhealthy.has(cell)) health.unhealthySinceMs.delete(cell);
}

const unread: ReadonlyMap<CopyRecord, CopyReading | undefined> = new Map();

function sortByCell(reports: CellReport[]): void {
  reports.sort((a, b) => (a.cell < b.cell ? -1 : 1));
}

/** Brings what came back from the cells into the binding and, by the kind's rule, into the project object's status. */
export class Gatherer {
  readonly #on: GathererDependencies;

  constructor(dependencies: GathererDependencies) {
    this.#on = dependencies;
  }

  /** The first changes are gathered at once, further ones at most once in the interval. Returns when to look again. */
  async gatherWhenDue(
    key: ProjectObjectKey,
    parts: KeyParts,
    match: PolicyMatch,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const state = this.#on.states.get(key);
    if (state === undefined) return undefined;
    const { clock, gatherIntervalMs: intervalMs = defaultGatherIntervalMs } = this.#on;
    const burst = gatherBurst(match.resource.hasStatus);
    const waitMs = gatherWaitMs(state.gatherPaidUntilMs, clock.monotonic(), { intervalMs, burst });
    if (waitMs > 0) return waitMs;
    if (this.#isUnheard(key, parts, match.resource, state)) {
      const present = await this.#on.bindings.read(parts, signal);
      // A decision says already that nothing has come back.
      if (present?.status?.summary === undefined) {
        state.isHeard = true;
        return undefined;
      }
    }
    const changed = await this.#gather(key, parts, match, state, signal);
    if (changed)
      state.gatherPaidUntilMs = paidAfterGathering(state.gatherPaidUntilMs, clock.monotonic(), intervalMs);
    return undefined;
  }

  /** Nothing is known but what was decided: so it is right after each first decision. */
  #isUnheard(
    key: ProjectObjectKey,
    parts: KeyParts,
    { hasStatus }: DiscoveredResource,
    { failures, problems, health }: KeyState,
  ): boolean {
    if (hasStatus || watchName(parts) === crdResource) return false;
    if (failures.size > 0 || problems.nameCollision !== undefined || problems.apiConflict !== undefined)
      return false;
    if (health.healthy.size > 0 || health.unhealthySinceMs.size > 0) return false;
    for (const { syncedHash, syncError } of this.#on.copies.ofOrigin(key).values())
      if (syncedHash !== undefined || syncError !== undefined) return false;
    return true;
  }

  async #gather(
    key: ProjectObjectKey,
    parts: KeyParts,
    { resource, policy }: PolicyMatch,
    state: KeyState,
    signal: AbortSignal,
  ): Promise<boolean> {
    const resourceName = watchName(parts);
    if (resourceName === crdResource) return this.#gatherDefinition(parts, policy, state, signal);
    const { copies, missing } = this.#decidedCopies(key, state);
    const project = this.#on.workspaces.get(parts.cluster);
    const interpretation =
      project === undefined ? undefined : this.#on.interpretations.of(project, parts.group, resource.kind);
    const { hasStatus } = resource;
    const readings = hasStatus ? await this.#read(copies, interpretation !== undefined, signal) : unread;
    const judging = { resourceName, hasStatus, interpretation, state };
    const statuses: CellStatus[] = [];
    const reports: CellReport[] = [];
    let allObserved = missing.length === 0 && copies.length > 0;
    const { complete } = state.health;
    complete.clear();
    for (const copy of copies) {
      const { cell, record, replicas } = copy;
      const { report, observed } = reportOf(copy, readings.get(record), judging);
      const { status } = report;
      if (!observed) allObserved = false;
      else if (replicas !== undefined && (podsThere(status) ?? -1) >= replicas) complete.add(cell);
      if (state.replicas !== undefined && observed && replicas !== undefined && status !== undefined)
        recordMissing(state.replicas, cell, replicasMissing(status, replicas), this.#on.clock.now());
      reports.push(report);
      if (status !== undefined && Object.keys(status).length > 0) statuses.push({ cell, status });
    }
    for (const cell of missing) {
      const message = state.failures.get(cell);
      reports.push({ cell, applied: false, message, health: 'Unknown', status: undefined });
    }
    sortByCell(reports);
    recordHealth(state, reports, this.#on.clock.now());
    const gathered = { statuses, reports, allObserved, interpretation };
    const statusChanged = hasStatus && (await this.#writeStatus(parts, resource, state, gathered, signal));
    const memory = memoryOf(policy.spec.failover, state.health, state.replicas);
    const bindingChanged = await this.#writeGathered(parts, state, reports, memory, signal);
    return statusChanged || bindingChanged;
  }

  /** The copies in the cells that are decided for, and those of these cells that have none. */
  #decidedCopies(key: ProjectObjectKey, state: KeyState): { copies: DecidedCopy[]; missing: string[] } {
    const byCell = new Map<string, CopyRecord>();
    for (const [place, record] of this.#on.copies.ofOrigin(key)) {
      const cell = this.#on.workspaces.cellOf(record.cellId);
      if (cell !== undefined && state.desired.has(place)) byCell.set(cell, record);
    }
    const copies: DecidedCopy[] = [];
    const missing: string[] = [];
    for (const { name, replicas } of state.targets) {
      const record = byCell.get(name);
      if (record === undefined) missing.push(name);
      else copies.push({ cell: name, record, replicas });
    }
    return { copies, missing };
  }

  /** What the copies' statuses are. Before a syncer has said anything there is none to read. */
  async #read(
    copies: readonly DecidedCopy[],
    whole: boolean,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<CopyRecord, CopyReading | undefined>> {
    const heard = copies
      .map(({ record }) => record)
      .filter(({ syncedHash, syncError }) => syncedHash !== undefined || syncError !== undefined);
    const read = await this.#on.reader.readAll(heard, signal, whole);
    return new Map(heard.map((record, i) => [record, read[i]]));
  }

  /** A definition lies in a cell as the cell's own, for all projects that bring it: there is no copy to look at. */
  async #gatherDefinition(
    parts: KeyParts,
    policy: PolicyMatch['policy'],
    state: KeyState,
    signal: AbortSignal,
  ): Promise<boolean> {
    const object = await readObject(this.#on.client, parts, crdsGvr, signal);
    if (object === undefined) return false;
    const kinds = servedKindsOf(object);
    const reports = state.targets.map(({ name: cell }) => {
      const enabled = this.#on.cells.info(cell)?.served;
      return definitionReport(cell, {
        failure: state.failures.get(cell),
        found: this.#definitionIn(cell, parts.name),
        served: enabled === undefined ? undefined : kinds.every((kind) => enabled.has(kind)),
      });
    });
    sortByCell(reports);
    recordHealth(state, reports, this.#on.clock.now());
    const memory = memoryOf(policy.spec.failover, state.health, state.replicas);
    return this.#writeGathered(parts, state, reports, memory, signal);
  }

  #definitionIn(cell: string, name: string): CellDefinition['found'] {
    const cellId = this.#on.workspaces.cellId(cell);
    const found = cellId === undefined ? undefined : this.#on.watches.get(crdResource, cellId, '', name);
    if (cellId === undefined || found === undefined) return undefined;
    const record = copyRecordOf(cellId, crdsGvr, found.metadata, this.#on.controlPlaneId);
    return {
      isMadeByUs: record?.origin.cluster === cellId,
      contentHash: record?.contentHash,
      syncedHash: record?.syncedHash,
      syncError: record?.syncError,
    };
  }

  async #writeStatus(
    parts: KeyParts,
    resource: DiscoveredResource,
    state: KeyState,
    gathered: Gathered,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { statuses, reports, interpretation } = gathered;
    const resourceName = watchName(parts);
    const now = nowTime(this.#on.clock.now());
    const metadata = this.#on.watches.get(resourceName, parts.cluster, parts.namespace, parts.name)?.metadata;
    const items = reports.map(({ cell, applied, health, status: told }) => ({
      clusterName: cell,
      applied,
      health,
      ...(told === undefined ? {} : { status: told }),
    }));
    const custom =
      statuses.length === 0 || interpretation?.has('statusAggregation') !== true
        ? undefined
        : interpretation.aggregate((await readObject(this.#on.client, parts, resource, signal)) ?? {}, items);
    const heard = new Set(statuses.map(({ cell }) => cell));
    const silent = reports.filter(({ cell }) => !heard.has(cell)).map(({ cell }) => cell);
    // Nobody reports (any more): an empty status, if one that was gathered before may still stand.
    const emptied = state.appliedStatusHash === undefined ? undefined : {};
    const status: JsonObject | undefined =
      custom ?? aggregateStatus(resourceName, statuses, now, silent) ?? emptied;
    if (status === undefined || metadata?.uid === undefined) return false;
    const observed = await this.#observedGeneration(parts, resource, state, gathered, signal);
    if (observed !== undefined) status['observedGeneration'] = observed;
    const hash = contentHashOf(status);
    if (state.appliedStatusHash === hash) return false;
    state.appliedStatusHash = unknownStatusHash;
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
    { statuses, allObserved }: Gathered,
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
      const object = await readObject(this.#on.client, parts, resource, signal);
      const stored = (object?.['status'] as JsonObject | undefined)?.['observedGeneration'];
      state.observedGeneration = typeof stored === 'number' ? stored : 0;
    }
    return state.observedGeneration === 0 ? undefined : state.observedGeneration;
  }

  async #writeGathered(
    parts: KeyParts,
    state: KeyState,
    reports: readonly CellReport[],
    memory: FailoverMemory | undefined,
    signal: AbortSignal,
  ): Promise<boolean> {
    const present = await this.#on.bindings.read(parts, signal);
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
    const { failover: _former, ...rest } = gathered;
    const status = {
      ...rest,
      ...(memory === undefined ? {} : { failover: memory }),
      conditions: withProblems(
        gathered.conditions,
        { nameCollision, apiConflict, statusOwnedElsewhere: state.statusOwnedElsewhere },
        now,
      ),
    };
    if (equalJson(status, present.status)) return false;
    await this.#on.bindings.commit(parts, { ...present, status }, present, signal);
    return true;
  }
}
