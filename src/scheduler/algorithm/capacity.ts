import type { CellInfo, CellSnapshot } from './cell.ts';

/** What one replica asks for: resource name and amount, in the units of CellInfo.free. */
export type ReplicaRequest = readonly (readonly [resource: string, amount: number])[];

/** More replicas than anyone asks for: what a cell is taken to hold that tells no capacity. */
export const unboundedReplicas = 2 ** 31 - 1;

/**
 * How many further replicas fit into what the cell says is free, less what is assumed to be taken besides: the least over the resources asked for and `pods`. A
 * resource that the cell does not list holds none. Unbounded when the cell tells nothing.
 */
export function replicasThatFit(
  cell: CellInfo,
  request: ReplicaRequest,
  assumed?: ReadonlyMap<string, number>,
): number {
  if (cell.free === undefined) return unboundedReplicas;
  let fit = unboundedReplicas;
  const pods = cell.free.get('pods');
  if (pods !== undefined) fit = Math.max(0, Math.floor(pods - (assumed?.get('pods') ?? 0)));
  for (const [resource, amount] of request) {
    if (amount <= 0) continue;
    const free = (cell.free.get(resource) ?? 0) - (assumed?.get(resource) ?? 0);
    // The margin keeps 0.3/0.1 at 3.
    fit = Math.min(fit, Math.max(0, Math.floor(free / amount + 1e-9)));
    if (fit === 0) return 0;
  }
  return fit;
}

const requestsMax = 64;
const fitsBySnapshot = new WeakMap<CellSnapshot, Map<string, Int32Array>>();

/**
 * `replicasThatFit` without assumptions, beside the cells of the snapshot; -1 where nobody asked yet. Remembered for as long as
 * the snapshot is: many objects ask for the same.
 */
export function fitsIn(snapshot: CellSnapshot, request: ReplicaRequest): Int32Array {
  let byRequest = fitsBySnapshot.get(snapshot);
  if (byRequest === undefined) {
    byRequest = new Map();
    fitsBySnapshot.set(snapshot, byRequest);
  }
  let key = '';
  for (const [resource, amount] of request) key += `${resource}=${amount},`;
  let fits = byRequest.get(key);
  if (fits === undefined) {
    if (byRequest.size >= requestsMax) byRequest.clear();
    fits = new Int32Array(snapshot.cells.length).fill(-1);
    byRequest.set(key, fits);
  }
  return fits;
}
