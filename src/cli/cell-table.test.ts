// docs/federation-contract.md: FB2
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Condition } from '#api/conditions.ts';
import type { Cell } from '#api/federation/cell.ts';
import { cellTaints } from '#api/federation/cell-taints.ts';
import { cellTable } from './cell-table.ts';

const condition = (type: string, status: Condition['status'], reason: string, message = ''): Condition => ({
  type,
  status,
  reason,
  message,
});
const well = [
  condition('Reachable', 'True', 'Reachable'),
  condition('Ready', 'True', 'EdgeReady'),
  condition('Synced', 'True', 'InSync'),
];

function lineOf(conditions: Condition[], asked: Partial<Cell> = {}): string {
  const cell: Cell = {
    apiVersion: 'federation.cellplane.io/v1alpha1',
    kind: 'Cell',
    spec: asked.spec ?? {},
    metadata: { name: 'fra-1', ...asked.metadata },
    status: { conditions, syncLag: '3s', objects: { synced: 7, pending: 0, failed: 0 }, federator: 'a' },
  };
  return cellTable([cell]).trimEnd().split('\n').at(-1) ?? '';
}

test('a cell in which all is well has nothing to say', () => {
  assert.match(lineOf(well), /fra-1 +True +True +a +7 synced, 0 pending, 0 failed +3s$/);
});

test('deletions that wait for a person are told when nothing worse is', () => {
  const held = condition('DeletionHeld', 'True', 'Held', '2 deletions');
  assert.match(lineOf([...well, held]), /DeletionHeld: 2 deletions$/);
  const away = condition('Ready', 'False', 'ConnectionRefused', 'no');
  assert.match(lineOf([away, held]), /ConnectionRefused: no$/);
  assert.doesNotMatch(lineOf([...well, { ...held, status: 'False' }]), /DeletionHeld/);
});

test('how far behind a cell is that nobody looks at is not known', () => {
  const gone = ['Reachable', 'Ready', 'Synced'].map((type) =>
    condition(type, 'Unknown', 'FederatorGone', 'a has stopped'),
  );
  assert.match(lineOf(gone), / unknown +FederatorGone: a has stopped$/);
});

test('what was asked for is told, beside what ails the cell', () => {
  const cordon = { key: cellTaints.cordon, effect: 'NoSchedule' as const };
  const drain = { key: cellTaints.drain, effect: 'NoExecute' as const };
  const away = condition('Ready', 'False', 'ConnectionRefused', 'no');
  assert.match(lineOf(well, { spec: { taints: [cordon] } }), /3s +cordoned$/);
  assert.match(lineOf(well, { spec: { taints: [cordon, drain] } }), /3s +draining$/);
  assert.match(lineOf(well, { spec: { taints: [{ key: 'gpu', effect: 'NoSchedule' }] } }), /3s$/);
  const leaving = { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } };
  assert.match(lineOf([away], leaving), /being removed; ConnectionRefused: no$/);
});
