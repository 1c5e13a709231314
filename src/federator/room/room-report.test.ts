import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conditionOf } from '#api/conditions.ts';
import type { Cell } from '#api/federation/cell.ts';
import { roomReport } from './room-report.ts';
import type { Room } from './room-watch.ts';

const now = '2026-01-01T00:00:00Z';

function report(
  room: Room | undefined,
  {
    watchNodes,
    status = {},
  }: { readonly watchNodes?: boolean; readonly status?: NonNullable<Cell['status']> } = {},
) {
  const cell: Cell = {
    apiVersion: 'federation.cellplane.io/v1alpha1',
    kind: 'Cell',
    metadata: { name: 'a' },
    spec: watchNodes === undefined ? {} : { watchNodes },
    status,
  };
  const { conditions, amounts } = roomReport(cell, status.conditions, room, now);
  const one = conditionOf(conditions, 'NodesWatched');
  return { told: one === undefined ? undefined : `${one.status} ${one.reason}`, amounts, conditions };
}

const nodeRoom = [{ nodes: 1, free: { cpu: '3', pods: '109' } }];
const known: Room = {
  state: 'known',
  allocatable: { cpu: '4', pods: '110' },
  allocated: { cpu: '1' },
  nodeRoom,
  nodeKinds: undefined,
  unschedulable: { workloads: [] },
};

test('sums are told as what differs from what stands', () => {
  const first = report(known);
  assert.equal(first.told, 'True Watched');
  assert.deepEqual(first.amounts, {
    allocatable: { cpu: '4', pods: '110' },
    allocated: { cpu: '1' },
    nodeRoom,
    unschedulable: { workloads: [] },
  });
  const { conditions = [] } = first;
  const unschedulable = { workloads: [] };
  const status = {
    allocatable: { cpu: '4', pods: '110' },
    nodeRoom,
    unschedulable,
    conditions: [...conditions],
  };
  const more = { ...status, allocated: { cpu: '1', 'nvidia.com/gpu': '1' } };
  assert.deepEqual(report(known, { status: more }).amounts, {
    allocated: { cpu: '1', 'nvidia.com/gpu': null },
  });
  assert.deepEqual(report(known, { status: { ...status, allocated: { cpu: '1' } } }).amounts, {});
  const fuller = [{ nodes: 2, free: { cpu: '1' } }];
  assert.deepEqual(
    report(known, { status: { ...status, allocated: { cpu: '1' }, nodeRoom: fuller } }).amounts,
    {
      nodeRoom,
    },
  );
});

/** As the federator left it, whatever it has been told since. */
function told(room: Room, amounts: NonNullable<Cell['status']>): NonNullable<Cell['status']> {
  return { ...amounts, conditions: [...(report(room).conditions ?? [])] };
}
const unschedulable = { workloads: [] };
const amounts = { allocatable: { cpu: '4' }, allocated: { cpu: '1' }, nodeRoom, unschedulable };
const taken = { allocatable: null, allocated: null, nodeRoom: null, unschedulable: null };

test('what is not known leaves what was told; what is not there any more does not', () => {
  const status = told(known, amounts);
  assert.deepEqual(report(undefined, { status }).amounts, {});
  const refused = report({ state: 'unknown', reason: 'Forbidden', message: 'no' }, { status });
  assert.equal(refused.told, 'False Forbidden');
  assert.deepEqual(refused.amounts, {}, 'no word of room would mean room for everything');
  const gone = report({ state: 'no-nodes' }, { status });
  assert.equal(gone.told, undefined);
  assert.deepEqual(gone.amounts, taken);
  assert.equal(report({ state: 'no-nodes' }, { watchNodes: true, status }).told, 'False NoNodes');
});

test('of an edge without nodes nothing is said where nobody asked', () => {
  assert.deepEqual(report({ state: 'no-nodes' }), { told: undefined, amounts: {}, conditions: undefined });
});

test('what another controller told first is its own, unless the federator is asked', () => {
  const others = report(known, { status: amounts });
  assert.equal(others.told, 'False ToldByOthers');
  assert.deepEqual(others.amounts, {});
  const since = { ...amounts, conditions: [...(others.conditions ?? [])] };
  assert.deepEqual(report(known, { status: since }).amounts, {}, 'nor later');
  assert.deepEqual(report({ state: 'no-nodes' }, { status: since }), {
    told: undefined,
    amounts: {},
    conditions: [],
  });
  const refused = report({ state: 'unknown', reason: 'Forbidden', message: 'no' }, { status: amounts });
  assert.equal(refused.told, undefined, 'nobody needs what is refused');
  const asked = report(known, { watchNodes: true, status: since });
  assert.equal(asked.told, 'True Watched');
  assert.deepEqual(asked.amounts, { allocatable: { cpu: '4', pods: '110' } });
  assert.deepEqual(report(known, { status: told(known, amounts) }).told, 'True Watched', 'its own it keeps');
});

test('what is not wanted is left to others, once what was ours is taken away', () => {
  assert.deepEqual(
    report(known, { watchNodes: false, status: amounts }).amounts,
    {},
    'another controller writes it',
  );
  const left = report(known, { watchNodes: false, status: told(known, amounts) });
  assert.equal(left.told, undefined);
  assert.deepEqual(left.amounts, taken);
});

test('pods that wait for a node are told as they are now', () => {
  const waits = (name: string) => ({ kind: 'Deployment', namespace: 'n', name, pods: 1 });
  const before = { ...known, unschedulable: { workloads: [waits('a')], others: 3 } };
  const status = told(before, { ...amounts, unschedulable: before.unschedulable });
  assert.equal(report(before, { status }).amounts['unschedulable'], undefined);
  const { amounts: change } = report({ ...known, unschedulable: { workloads: [waits('b')] } }, { status });
  assert.deepEqual(change['unschedulable'], { workloads: [waits('b')], others: null });
});

test('of kinds of nodes that are told otherwise what is no more is taken away', () => {
  const nodeKinds = { labels: { os: 'linux', zone: 'a' }, untoldLabels: ['rack'], kinds: [{}] };
  const status = told({ ...known, nodeKinds }, { ...amounts, nodeKinds });
  assert.deepEqual(report({ ...known, nodeKinds }, { status }).amounts.nodeKinds, undefined);
  const now = { labels: { os: 'linux' }, kinds: [{ labels: { zone: 'a' } }, { labels: { zone: 'b' } }] };
  assert.deepEqual(report({ ...known, nodeKinds: now }, { status }).amounts.nodeKinds, {
    labels: { os: 'linux', zone: null },
    untoldLabels: null,
    kinds: now.kinds,
  });
  const tooMany = report(known, { status });
  assert.equal(tooMany.amounts.nodeKinds, null);
  assert.match(conditionOf(tooMany.conditions, 'NodesWatched')?.message ?? '', /any node counts for any pod/);
});
