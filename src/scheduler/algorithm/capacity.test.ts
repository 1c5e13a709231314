import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasMoreRoom } from '../cells/more-room.ts';
import { type ReplicaRequest, replicasThatFit, replicasThatFitBeside } from './capacity.ts';
import type { CellInfo, NodeRoom } from './cell.ts';
import { cell } from './testing/cells.ts';

type Free = Readonly<Record<string, number>>;

const amounts = (free: Free): ReadonlyMap<string, number> => new Map(Object.entries(free));
const group = (nodes: number, free: Free): NodeRoom => ({ nodes, free: amounts(free) });

function cellOf(free: Free | undefined, ...nodeRoom: NodeRoom[]): CellInfo {
  return cell('a', {
    free: free === undefined ? undefined : amounts(free),
    nodeRoom: nodeRoom.length === 0 ? undefined : nodeRoom,
  });
}

const cpu = (amount: number): ReplicaRequest => [['cpu', amount]];

const three = cellOf({ cpu: 3, pods: 300 }, group(3, { cpu: 1, pods: 100 }));

for (const [what, info, request, fit] of [
  ['what asks for nothing is bounded by pods', cellOf({ pods: 7 }), [], 7],
  ['by the sum', cellOf({ cpu: 3 }), cpu(0.3), 10],
  ['what the cell does not list', cellOf({ cpu: 3 }), [['gpu', 1]], 0],
  ['three nodes with a processor each hold no replica that asks for three', three, cpu(3), 0],
  ['nor for two', three, cpu(2), 0],
  ['but three that ask for one', three, cpu(1), 3],
  ['and three that ask for more than half of one', three, cpu(0.6), 3],
  ['six that ask for half of one', three, cpu(0.5), 6],
  [
    'each node by what it has least of',
    cellOf({ cpu: 12, memory: 12 }, group(1, { cpu: 10, memory: 2 }), group(1, { cpu: 2, memory: 10 })),
    [
      ['cpu', 1],
      ['memory', 1],
    ],
    4,
  ],
  ['a node by its pods', cellOf({ cpu: 8, pods: 2 }, group(2, { cpu: 4, pods: 1 })), cpu(1), 2],
  [
    'a node without a resource that others have',
    cellOf({ gpu: 2 }, group(1, { gpu: 2 }), group(9, {})),
    [['gpu', 1]],
    2,
  ],
  [
    'a resource that no node tells is the sum’s',
    cellOf({ gpu: 2, cpu: 4 }, group(1, { cpu: 4 })),
    [['gpu', 1]],
    2,
  ],
  ['pods that wait for a node count in the sum alone', cellOf({ cpu: 1 }, group(3, { cpu: 1 })), cpu(1), 1],
  ['no usable node', cell('a', { free: amounts({ cpu: 0 }), nodeRoom: [] }), cpu(1), 0],
] as const satisfies readonly (readonly [string, CellInfo, ReplicaRequest, number])[]) {
  test(`room: ${what}`, () => {
    assert.equal(replicasThatFit(info, request), fit);
  });
}

for (const [what, info, request, assumed, fit] of [
  ['by the sum', cellOf({ cpu: 3 }), cpu(1), { cpu: 0.5 }, 2],
  ['of the nodes as many places as it is worth', three, cpu(1), { cpu: 2 }, 1],
  ['a part of one is one', three, cpu(1), { cpu: 0.5 }, 2],
  ['no more than there are', three, cpu(1), { cpu: 7 }, 0],
  ['what is not asked for takes none', three, cpu(1), { memory: 7, pods: 10 }, 3],
] as const satisfies readonly (readonly [string, CellInfo, ReplicaRequest, Free, number])[]) {
  test(`room beside what is assumed: ${what}`, () => {
    const all = replicasThatFit(info, request);
    assert.equal(replicasThatFitBeside(info, request, all, amounts(assumed)), fit);
  });
}

for (const [what, now, old, isMore] of [
  ['a larger sum', cellOf({ cpu: 4 }), cellOf({ cpu: 3 }), true],
  ['a smaller sum', cellOf({ cpu: 2 }), cellOf({ cpu: 3 }), false],
  [
    'as much on fewer nodes',
    cellOf({ cpu: 3 }, group(1, { cpu: 2 }), group(1, { cpu: 1 })),
    cellOf({ cpu: 3 }, group(3, { cpu: 1 })),
    true,
  ],
  ['less on one node', cellOf({ cpu: 2.5 }, group(2, { cpu: 1 }), group(1, { cpu: 0.5 })), three, false],
  ['nodes that are told no more', cellOf({ cpu: 3 }), three, true],
  ['nodes that are told at last', three, cellOf({ cpu: 3, pods: 300 }), false],
] as const satisfies readonly (readonly [string, CellInfo, CellInfo, boolean])[]) {
  test(`more room: ${what}`, () => {
    assert.equal(hasMoreRoom(now, old), isMore);
  });
}
