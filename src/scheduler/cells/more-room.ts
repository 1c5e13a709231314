import type { CellInfo, NodeRoom } from '../algorithm/cell.ts';

/**
 * Whether a cell has room that it had not: more of something, or more nodes that have as much of all, of any kind. Nodes that are of
 * other kinds than before may be for other pods.
 */
export function hasMoreRoom(now: CellInfo, old: CellInfo | undefined): boolean {
  if (now.free === undefined || old?.free === undefined) return now.free !== old?.free;
  for (const [resource, amount] of now.free) if (amount > (old.free.get(resource) ?? 0)) return true;
  if (now.nodeKinds?.text !== old.nodeKinds?.text) return true;
  const { nodeRoom } = now;
  const before = old.nodeRoom;
  if (nodeRoom === undefined) return before !== undefined;
  return (
    before !== undefined && nodeRoom.some((group) => nodesLike(group, nodeRoom) > nodesLike(group, before))
  );
}

/** How many nodes of the kind have at least so much. */
function nodesLike({ free, kind }: NodeRoom, nodeRoom: readonly NodeRoom[]): number {
  let count = 0;
  for (const node of nodeRoom) {
    let holds = node.kind === kind;
    for (const [resource, amount] of free) if ((node.free.get(resource) ?? 0) < amount) holds = false;
    if (holds) count += node.nodes;
  }
  return count;
}
