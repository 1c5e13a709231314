import type { DecidedCell, DecidedCells, ResourceBinding } from '#api/work/resource-binding.ts';
import { nowTime } from '#apimachinery/rfc3339.ts';
import { type Bounds, refusingPolicy } from '../algorithm/bounds.ts';
import type { CellSnapshot } from '../algorithm/cell.ts';
import type { Considered, Decision, RefusalCode } from '../algorithm/decision.ts';

/** Cells that a binding tells of singly: some 150 bytes each at most, 3 KB of its 64 KiB. */
export const toldCellsMax = 20;

/** Cell → replicas; undefined for kinds without. */
type Shares = ReadonlyMap<string, number | undefined>;

/**
 * What a binding tells of the cells: refusal, share, room and points of each. What `present` tells, while that leads to the same
 * decision: rooms and points alone change with every other object, and are no reason to write. To be asked before what was
 * decided counts for others. Undefined where no cell was looked for.
 */
export function decidedCells(
  decision: Decision,
  snapshot: CellSnapshot,
  bounds: Bounds | undefined,
  present: ResourceBinding | undefined,
  nowMs: number,
): DecidedCells | undefined {
  const { considered, targets } = decision;
  if (considered === undefined) return undefined;
  const shares: Shares = new Map(targets.map(({ name, replicas }) => [name, replicas]));
  const told = present?.status?.decision;
  if (told !== undefined && leadsTo(told, decision, shares, snapshot)) return told;
  const picked = pick(decision, considered, snapshot);
  const { scores, available } = considered.detailsOf(
    considered.candidates.filter(({ index }) => picked.has(index)),
  );
  const cells = snapshot.cells.flatMap(({ name }, index): DecidedCell[] => {
    if (!picked.has(index)) return [];
    const cell: DecidedCell = { name };
    const refusal = decision.refusals[index];
    if (refusal !== undefined) cell.refusal = refusal;
    const policy = refusingPolicy(refusal, bounds, snapshot, index);
    if (policy !== undefined) cell.policy = policy;
    const replicas = shares.get(name);
    if (replicas !== undefined) cell.replicas = replicas;
    const room = available.get(name);
    if (room !== undefined) cell.room = Math.max(room, 0);
    const points = scores.get(name);
    if (points !== undefined) cell.scores = Object.fromEntries(points);
    return [cell];
  });
  const more = snapshot.cells.length - cells.length;
  const time = nowTime(nowMs);
  return more === 0 ? { time, cells } : { time, cells, more };
}

/** Whether a decision is what is told of, but for rooms and points. */
function leadsTo(
  { cells, more = 0 }: DecidedCells,
  { refusals }: Decision,
  shares: Shares,
  snapshot: CellSnapshot,
): boolean {
  if (cells.length + more !== snapshot.cells.length) return false;
  const told = new Map(cells.map((cell) => [cell.name, cell]));
  let found = 0;
  const isSame = snapshot.cells.every(({ name }, index) => {
    const cell = told.get(name);
    if (cell === undefined) return true;
    found++;
    return cell.refusal === refusals[index] && cell.replicas === shares.get(name);
  });
  return isSame && found === cells.length;
}

/** Indices of the cells to tell of: all where there are few; else chosen ones, the best that passed, others that are not left out by name. */
function pick({ refusals }: Decision, { candidates }: Considered, { cells }: CellSnapshot): Set<number> {
  if (cells.length <= toldCellsMax) return new Set(cells.keys());
  const picked = new Set<number>();
  const take = (indices: Iterable<number>): void => {
    for (const index of indices) {
      if (picked.size >= toldCellsMax) return;
      picked.add(index);
    }
  };
  const indicesWhere = function* (isMeant: (refusal: RefusalCode | undefined) => boolean): Iterable<number> {
    for (let index = 0; index < refusals.length; index++) if (isMeant(refusals[index])) yield index;
  };
  take(indicesWhere((refusal) => refusal === undefined));
  if (picked.size >= toldCellsMax) return picked;
  take([...candidates].sort((a, b) => b.score - a.score || a.index - b.index).map(({ index }) => index));
  take(indicesWhere((refusal) => refusal !== undefined && refusal !== 'AffinityNotMatched'));
  return picked;
}
