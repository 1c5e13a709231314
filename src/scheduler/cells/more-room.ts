import type { CellInfo, NodeRoom } from '../algorithm/cell.ts';

/** Whether a cell has room that it had not: more of something, or more nodes that have as much of all. */
export function hasMoreRoom(now: CellInfo, old: CellInfo | undefined): boolean {
  if (now.free === undefined || old?.free === undefined) return now.free !== old?.free;
  for (const [resource, amount] of now.free) if (amount > (old.free.get(resource) ?? 0)) return true;
  const { nodeRoom } = now;
  const before = old.nodeRoom;
  if (nodeRoom === undefined) return before !== undefined;
  return (
    before !== undefined && nodeRoom.some(({ free }) => nodesWith(free, nodeRoom) > nodesWith(free, before))
  );
}

/** How many nodes have at least so much. */
function nodesWith(free: ReadonlyMap<string, number>, nodeRoom: readonly NodeRoom[]): number {
  let count = 0;
  for (const node of nodeRoom) {
    let holds = true;
    for (const [resource, amount] of free) if ((node.free.get(resource) ?? 0) < amount) holds = false;
    if (holds) count += node.nodes;
  }
  return count;
}
