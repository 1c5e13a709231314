import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conditionOf } from '#api/conditions.ts';
import type { Cell } from '#api/federation/cell.ts';
import { roomReport } from './room-report.ts';
import type { Room } from './room-watch.ts';

const now = '2026-01-01T00:00:00Z';

function report(
  room: Room | undefined,
  { watchNodes = true, status = {} as NonNullable<Cell['status']> } = {},
) {
  const cell: Cell = {
    apiVersion: 'federation.cellplane.io/v1alpha1',
    kind: 'Cell',
    metadata: { name: 'a' },
    spec: { watchNodes },
    status,
  };
  const { conditions, amounts } = roomReport(cell, status.conditions, room, now);
  const one = conditionOf(conditions, 'NodesWatched');
  return { told: one === undefined ? undefined : `${one.status} ${one.reason}`, amounts, conditions };
}

const known: Room = { state: 'known', allocatable: { cpu: '4', pods: '110' }, allocated: { cpu: '1' } };

test('sums are told as what differs from what stands', () => {
  const first = report(known);
  assert.equal(first.told, 'True Watched');
  assert.deepEqual(first.amounts, { allocatable: { cpu: '4', pods: '110' }, allocated: { cpu: '1' } });
  const status = { allocatable: { cpu: '4', pods: '110' }, allocated: { cpu: '1', 'nvidia.com/gpu': '1' } };
  assert.deepEqual(report(known, { status }).amounts, { allocated: { cpu: '1', 'nvidia.com/gpu': null } });
  assert.deepEqual(report(known, { status: { ...status, allocated: { cpu: '1' } } }).amounts, {});
});

test('what is not known leaves what was told; what is not there any more does not', () => {
  const status = { allocatable: { cpu: '4' }, allocated: { cpu: '1' } };
  assert.deepEqual(report(undefined, { status }), { told: undefined, amounts: {}, conditions: undefined });
  const refused = report({ state: 'unknown', reason: 'Forbidden', message: 'no' }, { status });
  assert.equal(refused.told, 'False Forbidden');
  assert.deepEqual(refused.amounts, {}, 'no word of room would mean room for everything');
  const none = report({ state: 'no-nodes' }, { status });
  assert.equal(none.told, 'False NoNodes');
  assert.deepEqual(none.amounts, { allocatable: null, allocated: null });
});

test('what is not asked for is left to others, once what was ours is taken away', () => {
  const status = { allocatable: { cpu: '4' }, allocated: { cpu: '1' } };
  assert.deepEqual(report(known, { watchNodes: false, status }).amounts, {}, 'another controller writes it');
  const conditions = report(known).conditions ?? [];
  const left = report(known, { watchNodes: false, status: { ...status, conditions: [...conditions] } });
  assert.equal(left.told, undefined);
  assert.deepEqual(left.amounts, { allocatable: null, allocated: null });
});
