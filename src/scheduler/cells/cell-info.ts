import { conditionOf } from '#api/conditions.ts';
import {
  type Cell,
  type Taint as CellTaint,
  cellAllowsKind,
  mayBringGroup,
  projectMayUse,
} from '#api/federation/cell.ts';
import { parseQuantity, quantityNumber } from '#apimachinery/quantity.ts';
import type { CellInfo, NodeKinds, NodeRoom, Taint, UnschedulablePods } from '../algorithm/cell.ts';

/**
 * What the algorithm needs of a Cell. `hasWorkspace`: nothing can be written for a cell before its workspace is there.
 * `firstSeenMs`: from when on a taint counts that does not tell itself.
 */
export function cellInfoOf(
  cell: Cell,
  hasWorkspace: boolean,
  firstSeenMs?: (taint: CellTaint) => number,
  scores?: CellInfo['scores'],
): CellInfo {
  const { spec = {}, metadata } = cell;
  return {
    name: metadata.name ?? '',
    labels: metadata.labels ?? {},
    provider: spec.provider ?? '',
    region: spec.region ?? '',
    zones: spec.zones ?? [],
    pop: spec.pop ?? '',
    dataCenter: spec.dataCenter ?? '',
    weight: spec.weight ?? 1,
    taints: (spec.taints ?? []).map((taint) => taintOf(taint, firstSeenMs)),
    ready: hasWorkspace && isReady(cell),
    suspended: spec.suspend === true,
    deleting: metadata.deletionTimestamp !== undefined,
    served: servedKinds(cell),
    bringsGroup: (group) => mayBringGroup(cell, group),
    allows: (group, kind) => cellAllowsKind(cell, group, kind),
    admitsProject: ({ path }) => projectMayUse(cell, path),
    free: freeCapacity(cell),
    nodeRoom: nodeRoomOf(cell),
    nodeKinds: nodeKindsOf(cell),
    unschedulable: unschedulableOf(cell),
    cost: spec.cost,
    latencyMs: roundedLatency(cell.status?.lastProbe?.latencyMs),
    location: spec.location,
    timeZone: spec.timeZone,
    maintenance: spec.maintenanceWindows,
    estimator: spec.estimator,
    scores,
  };
}

/**
 * A cell that no federator holds is for a third-party syncer, or waits for its first: what is written for it is safe in its
 * workspace. One that was heard of and no longer is, is not ready.
 */
function isReady({ status }: Cell): boolean {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  return (
    ready === undefined ||
    ready.status === 'True' ||
    (ready.status === 'Unknown' && ready.reason === 'NoFederator')
  );
}

function taintOf(taint: CellTaint, firstSeenMs: ((taint: CellTaint) => number) | undefined): Taint {
  const { key, value = '', effect, timeAdded } = taint;
  const timeAddedMs = timeAdded === undefined ? (firstSeenMs?.(taint) ?? Number.NaN) : Date.parse(timeAdded);
  return { key, value, effect, timeAddedMs: Number.isNaN(timeAddedMs) ? undefined : timeAddedMs };
}

/** In steps of a quarter: a probe that differs a little is no news. */
function roundedLatency(latencyMs: number | undefined): number | undefined {
  if (latencyMs === undefined || !(latencyMs >= 0)) return undefined;
  return Math.round(1.25 ** Math.round(Math.log(Math.max(1, latencyMs)) / Math.log(1.25)));
}

function servedKinds({ status }: Cell): ReadonlySet<string> | undefined {
  const enablements = status?.apiEnablements;
  if (enablements === undefined || enablements.length === 0) return undefined;
  const served = new Set<string>();
  for (const { groupVersion, resources } of enablements) {
    const qualified = groupVersion.includes('/') ? groupVersion : `/${groupVersion}`;
    for (const { kind } of resources ?? []) served.add(`${qualified}/${kind}`);
  }
  return served;
}

/** Allocatable (or else capacity, told or declared) minus allocated; undefined when nothing is known. */
function freeCapacity({ spec, status }: Cell): ReadonlyMap<string, number> | undefined {
  const total = status?.allocatable ?? status?.capacity ?? spec?.capacity;
  if (total === undefined) return undefined;
  const free = new Map<string, number>();
  for (const resource in total) {
    const amount = numberOf(total[resource]);
    if (amount !== undefined) free.set(resource, amount - (numberOf(status?.allocated?.[resource]) ?? 0));
  }
  return free;
}

function nodeRoomOf({ status }: Cell): readonly NodeRoom[] | undefined {
  const kindCount = status?.nodeKinds?.kinds.length ?? 0;
  return status?.nodeRoom?.map(({ nodes, free, kind = kindCount }) => ({
    nodes,
    free: amountsOf(free),
    // What stands nowhere is not told: whoever wrote it may have written it beside another list.
    kind: kind < kindCount ? kind : undefined,
  }));
}

function nodeKindsOf({ status }: Cell): NodeKinds | undefined {
  const told = status?.nodeKinds;
  if (told === undefined) return undefined;
  const { labels = {}, untoldLabels = [] } = told;
  return {
    kinds: told.kinds.map((kind) => ({
      labels: new Map(Object.entries({ ...labels, ...kind.labels })),
      taints: (kind.taints ?? []).map(({ key, value = '', effect }) => ({ key, value, effect })),
    })),
    untold: new Set(untoldLabels),
    text: JSON.stringify(told),
  };
}

/** What stands there while pods are not watched is of the past. */
function unschedulableOf(cell: Cell): UnschedulablePods | undefined {
  const told = cell.status?.unschedulable;
  if (told === undefined || !isRoomWatched(cell)) return undefined;
  const byWorkload = told.workloads.map(
    ({ kind, namespace, name, pods }) => [`${kind}/${namespace}/${name}`, pods] as const,
  );
  return { byWorkload: new Map(byWorkload), hasOthers: (told.others ?? 0) > 0 };
}

function amountsOf(told: { readonly [resource: string]: string | number }): ReadonlyMap<string, number> {
  const amounts = new Map<string, number>();
  for (const resource in told) {
    const amount = numberOf(told[resource]);
    if (amount !== undefined) amounts.set(resource, amount);
  }
  return amounts;
}

export type RoomWord =
  | 'none'
  /** What there is, and not what is taken of it. */
  | 'whole'
  | 'free';

/** How far the Cell says what is free in it: who tells no `allocated` does not say what is taken. */
export function roomWordOf(cell: Cell | undefined): RoomWord {
  const { spec, status } = cell ?? {};
  if ((status?.allocatable ?? status?.capacity ?? spec?.capacity) === undefined) return 'none';
  return status?.allocated === undefined ? 'whole' : 'free';
}

/** It has an estimator to be asked. */
export function isEstimated(cell: Cell | undefined): boolean {
  return cell?.spec?.estimator !== undefined;
}

/** Its federator watches nodes and pods: whatever is there is told at once. */
export function isRoomWatched(cell: Cell | undefined): boolean {
  return conditionOf(cell?.status?.conditions, 'NodesWatched')?.status === 'True';
}

function numberOf(quantity: string | number | undefined): number | undefined {
  if (quantity === undefined) return undefined;
  try {
    return quantityNumber(parseQuantity(quantity));
  } catch {
    return undefined; // the API server refuses such a quantity
  }
}

/**
 * What of a Cell other than free capacity bears on decisions, as text to compare by: a heartbeat changes none of it.
 * `labels`: with its labels.
 */
export function schedulingDigest(cell: Cell, hasWorkspace: boolean, labels = true): string {
  const { metadata, spec = {}, status = {} } = cell;
  const { provider, region, zones, pop, dataCenter, weight, taints, projects, allow, apis, suspend } = spec;
  const { timeZone, location, maintenanceWindows, estimator } = spec;
  return JSON.stringify([
    labels ? metadata.labels : undefined,
    metadata.deletionTimestamp !== undefined,
    hasWorkspace && isReady(cell),
    provider,
    region,
    zones,
    pop,
    dataCenter,
    weight,
    taints,
    projects,
    allow,
    apis,
    suspend,
    timeZone,
    location,
    maintenanceWindows,
    estimator,
    status.apiEnablements,
  ]);
}
