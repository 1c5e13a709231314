import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasMoreRoom } from '../cells/more-room.ts';
import { type ReplicaRequest, replicasThatFit, replicasThatFitBeside } from './capacity.ts';
import type { CellInfo, NodeKinds, NodeRoom } from './cell.ts';
import { nodeDemandOf } from './node-demand.ts';
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

/** Two nodes with an SSD, one of them taken up; one without. */
const kinds: NodeKinds = {
  kinds: [
    { labels: new Map([['disk', 'ssd']]), taints: [] },
    { labels: new Map(), taints: [] },
    { labels: new Map(), taints: [{ key: 'own', value: '', effect: 'NoSchedule' }] },
  ],
  untold: new Set(),
  text: 'a',
};
const ofKind = (kind: number | undefined, nodes: number, free: Free): NodeRoom => ({
  ...group(nodes, free),
  kind,
});
const ssd = nodeDemandOf({ nodeSelector: { disk: 'ssd' } });
const hdd = nodeDemandOf({ nodeSelector: { disk: 'hdd' } });
const mixed: CellInfo = {
  ...cellOf({ cpu: 20 }, ofKind(0, 2, { cpu: 2 }), ofKind(1, 1, { cpu: 8 }), ofKind(2, 1, { cpu: 8 })),
  nodeKinds: kinds,
};

test('room: on nodes of the kinds that selectors, affinity and taints let a replica on', () => {
  assert.equal(replicasThatFit(mixed, cpu(1), ssd), 4);
  assert.equal(replicasThatFit(mixed, cpu(4), ssd), 0);
  assert.equal(replicasThatFit(mixed, cpu(1), hdd), 0);
  assert.equal(replicasThatFit(mixed, cpu(1)), 12, 'a taint counts for who asks for nothing');
  assert.equal(replicasThatFit(mixed, cpu(1), nodeDemandOf({ tolerations: [{ operator: 'Exists' }] })), 20);
  const untold = { ...mixed, nodeKinds: undefined };
  assert.equal(replicasThatFit(untold, cpu(1), ssd), 20, 'what is not told counts as before');
  const older = { ...mixed, nodeRoom: [ofKind(undefined, 1, { cpu: 8 })] };
  assert.equal(replicasThatFit(older, cpu(1), ssd), 8, 'nodes of which nobody says what they are');
});

test('room beside what is assumed: what comes to other nodes takes none of these', () => {
  const assumed = amounts({ cpu: 9, pods: 9 });
  const fit = replicasThatFit(mixed, cpu(1), ssd);
  assert.equal(replicasThatFitBeside(mixed, cpu(1), fit, assumed, amounts({ cpu: 1, pods: 1 })), 3);
  assert.equal(replicasThatFitBeside(mixed, cpu(1), fit, assumed, new Map()), 4);
  assert.equal(replicasThatFitBeside(mixed, cpu(1), fit, assumed), 0);
  const most = amounts({ cpu: 18, pods: 18 });
  assert.equal(replicasThatFitBeside(mixed, cpu(1), fit, most, new Map()), 2, 'sums hold for all together');
});

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
  [
    'as much in all, and more of it on nodes of one kind',
    { ...mixed, nodeRoom: [ofKind(0, 1, { cpu: 2 }), ofKind(1, 1, { cpu: 1 })] },
    { ...mixed, nodeRoom: [ofKind(0, 1, { cpu: 1 }), ofKind(1, 1, { cpu: 2 })] },
    true,
  ],
  ['the same nodes of other kinds', { ...mixed, nodeKinds: { ...kinds, text: 'b' } }, mixed, true],
  ['the same', mixed, { ...mixed }, false],
  ['nodes that are told at last', three, cellOf({ cpu: 3, pods: 300 }), false],
] as const satisfies readonly (readonly [string, CellInfo, CellInfo, boolean])[]) {
  test(`more room: ${what}`, () => {
    assert.equal(hasMoreRoom(now, old), isMore);
  });
}
