import type { CellInfo, CellSnapshot, NodeRoom } from './cell.ts';
import type { NodeDemand } from './node-demand.ts';
import { includesKind, type KindMask, kindsFor } from './node-kinds.ts';

/** What one replica asks for: resource name and amount, in the units of CellInfo.free. */
export type ReplicaRequest = readonly (readonly [resource: string, amount: number])[];

/** More replicas than anyone asks for: what a cell is taken to hold that tells no capacity. */
export const unboundedReplicas = 2 ** 31 - 1;

/**
 * How many further replicas fit into what the cell says is free: the least over the resources asked for and `pods`, and where the
 * cell tells how that lies on nodes no more than fit into these, each into one; where it tells what they are, into those alone that
 * `demand` and their taints let a replica on. A resource that the cell does not list holds none. Unbounded when the cell tells nothing.
 */
export function replicasThatFit(cell: CellInfo, request: ReplicaRequest, demand?: NodeDemand): number {
  const { free, nodeRoom, nodeKinds } = cell;
  if (free === undefined) return unboundedReplicas;
  const fit = fitsIntoSums(free, request, undefined);
  if (nodeRoom === undefined || fit === 0) return fit;
  return Math.min(fit, fitsOnNodes(nodeRoom, request, kindsFor(nodeKinds, demand)));
}

/**
 * Of the `fit` replicas that fit into what the cell says is free, those that still do with what is assumed to be taken besides.
 * Nobody knows on which nodes that will be: of what the nodes hold it takes the places of as many replicas as it is worth.
 * `assumedOnNodes`: that part of it which may come to nodes that the replicas may run on; default: all.
 */
export function replicasThatFitBeside(
  cell: CellInfo,
  request: ReplicaRequest,
  fit: number,
  assumed: ReadonlyMap<string, number>,
  assumedOnNodes = assumed,
): number {
  if (cell.free === undefined) return unboundedReplicas;
  const bySums = fitsIntoSums(cell.free, request, assumed);
  if (cell.nodeRoom === undefined) return bySums;
  return Math.max(0, Math.min(bySums, fit - replicasWorth(request, assumedOnNodes)));
}

/** As how many replicas these amounts count, in the resource that tells most; where they ask for nothing, a pod for a pod. */
export function replicasWorth(request: ReplicaRequest, amounts: ReadonlyMap<string, number>): number {
  let replicas = 0;
  let asks = false;
  for (const [resource, amount] of request) {
    if (amount <= 0) continue;
    asks = true;
    replicas = Math.max(replicas, Math.ceil((amounts.get(resource) ?? 0) / amount - margin));
  }
  return asks ? replicas : (amounts.get('pods') ?? 0);
}

/** What is left of an estimate beside what it cannot have counted yet. */
export function estimateBeside(
  estimate: number,
  request: ReplicaRequest,
  underWay: ReadonlyMap<string, number> | undefined,
): number {
  return underWay === undefined ? estimate : Math.max(0, estimate - replicasWorth(request, underWay));
}

/** Keeps 0.3/0.1 at 3. */
const margin = 1e-9;

function fitsIntoSums(
  free: ReadonlyMap<string, number>,
  request: ReplicaRequest,
  assumed: ReadonlyMap<string, number> | undefined,
): number {
  let fit = unboundedReplicas;
  const pods = free.get('pods');
  if (pods !== undefined) fit = Math.max(0, Math.floor(pods - (assumed?.get('pods') ?? 0)));
  for (const [resource, amount] of request) {
    if (amount <= 0) continue;
    const left = (free.get(resource) ?? 0) - (assumed?.get(resource) ?? 0);
    fit = Math.min(fit, Math.max(0, Math.floor(left / amount + margin)));
    if (fit === 0) return 0;
  }
  return fit;
}

/** Resources that no node tells are the sums' to judge. */
function fitsOnNodes(nodeRoom: readonly NodeRoom[], request: ReplicaRequest, kinds: KindMask): number {
  const asked = request.filter(
    ([resource, amount]) => amount > 0 && nodeRoom.some(({ free }) => free.has(resource)),
  );
  const countsPods = nodeRoom.some(({ free }) => free.has('pods'));
  let total = 0;
  for (const { nodes, free, kind } of nodeRoom) {
    if (!includesKind(kinds, kind)) continue;
    let fit = countsPods ? Math.floor(free.get('pods') ?? 0) : unboundedReplicas;
    for (const [resource, amount] of asked)
      fit = Math.min(fit, Math.floor((free.get(resource) ?? 0) / amount + margin));
    total += nodes * fit;
  }
  return Math.min(total, unboundedReplicas);
}

const requestsMax = 64;
const fitsBySnapshot = new WeakMap<CellSnapshot, Map<string, Int32Array>>();

/**
 * `replicasThatFit`, beside the cells of the snapshot; -1 where nobody asked yet. Remembered for as long as
 * the snapshot is: many objects ask for the same.
 */
export function fitsIn(
  snapshot: CellSnapshot,
  request: ReplicaRequest,
  demand: NodeDemand | undefined,
): Int32Array {
  let byRequest = fitsBySnapshot.get(snapshot);
  if (byRequest === undefined) {
    byRequest = new Map();
    fitsBySnapshot.set(snapshot, byRequest);
  }
  let key = demand?.key ?? '';
  for (const [resource, amount] of request) key += `${resource}=${amount},`;
  let fits = byRequest.get(key);
  if (fits === undefined) {
    if (byRequest.size >= requestsMax) byRequest.clear();
    fits = new Int32Array(snapshot.cells.length).fill(-1);
    byRequest.set(key, fits);
  }
  return fits;
}
