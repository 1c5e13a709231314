import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Placement } from '#api/policy/placement.ts';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import { decide, suspendedDecision } from '../algorithm/decide.ts';
import type { DecisionInput } from '../algorithm/decision.ts';
import { cell, free, inputOf, snapshotOf, targets, template } from '../algorithm/testing/cells.ts';
import { aggregated } from '../algorithm/testing/placements.ts';
import { decidedCells, toldCellsMax } from './decided-cells.ts';

const nowMs = Date.parse('2026-01-01T00:00:00Z');
const time = '2026-01-01T00:00:00Z';
const later = Date.parse('2026-01-02T00:00:00Z');

function told(input: DecisionInput, placement: Placement, present?: ResourceBinding['status'], atMs = nowMs) {
  const binding = present === undefined ? undefined : ({ status: present } as ResourceBinding);
  return decidedCells(decide(input, placement), input.snapshot, undefined, binding, atMs);
}

test('of a few cells each is told: refusal, share, room and points', () => {
  const cells = snapshotOf(
    cell('a', free(3)),
    cell('b', free(9)),
    cell('c', { ready: false }),
    cell('d', { labels: { env: 'dev' } }),
  );
  const input = inputOf(cells, { template: template({ replicas: 4 }), previous: targets('a:1') });
  const placement: Placement = {
    clusterAffinity: { clusterNames: ['a', 'b', 'c'] },
    ...aggregated,
  };
  assert.deepEqual(told(input, placement), {
    time,
    cells: [
      { name: 'a', replicas: 4, room: 3, scores: { Stickiness: 100, SoftTaints: 50 } },
      { name: 'b', refusal: 'NoReplicasLeft', room: 9, scores: { Stickiness: 0, SoftTaints: 50 } },
      { name: 'c', refusal: 'CellNotReady' },
      { name: 'd', refusal: 'AffinityNotMatched' },
    ],
  });
});

test('room and points alone are no reason to tell anew; a share, a refusal and another cell are', () => {
  const input = (free: number, ...more: string[]) =>
    inputOf(
      snapshotOf(
        cell('a', { free: new Map([['pods', free]]) }),
        cell('b', { ready: false }),
        ...more.map((name) => cell(name)),
      ),
      { template: template({ replicas: 2 }) },
    );
  const first = told(input(9), {});
  const status = { decision: first } as ResourceBinding['status'];
  assert.equal(told(input(5), {}, status, later), first);
  const grown = { ...input(5), template: template({ replicas: 3 }) };
  assert.equal(told(grown, {}, status, later)?.time, '2026-01-02T00:00:00Z', 'a share');
  const elsewhere: Placement = { clusterAffinity: { clusterNames: ['a'] } };
  assert.equal(
    told(input(9), elsewhere, status, later)?.cells[1]?.refusal,
    'AffinityNotMatched',
    'a refusal',
  );
  assert.equal(told(input(9, 'c'), elsewhere, status, later)?.cells.length, 3, 'another cell');
  const swapped = inputOf(snapshotOf(cell('a'), cell('z', { ready: false })), {
    template: template({ replicas: 2 }),
  });
  assert.equal(told(swapped, {}, status, later)?.cells[1]?.name, 'z', 'another in place of one');
});

test('of many cells: those chosen, the best that passed, those that are not left out by name', () => {
  const cells = snapshotOf(
    ...Array.from({ length: 10 }, (_, i) => cell(`far-${i}`)),
    ...Array.from({ length: 30 }, (_, i) =>
      cell(`near-${i < 10 ? '0' : ''}${i}`, {
        labels: { near: 'yes' },
        ready: i < 12,
        taints: i === 0 ? [{ key: 'slow', value: '', effect: 'PreferNoSchedule', timeAddedMs: 0 }] : [],
      }),
    ),
  );
  const one: Placement = {
    clusterAffinity: { labelSelector: { matchLabels: { near: 'yes' } } },
    spreadConstraints: [{ spreadByField: 'cluster', minGroups: 1, maxGroups: 1 }],
  };
  const found = told(inputOf(cells, { template: template({ replicas: undefined }) }), one);
  assert.equal(found?.cells.length, toldCellsMax);
  assert.equal(found?.more, 40 - toldCellsMax);
  const count = (refusal: string | undefined) =>
    found?.cells.filter((told) => told.refusal === refusal).length;
  assert.deepEqual(
    [undefined, 'MaxGroupsReached', 'CellNotReady', 'AffinityNotMatched'].map(count),
    [1, 11, 8, 0],
  );
  assert.equal(found?.cells[0]?.name, 'near-00', 'by name, and though it is the worst of those that passed');
});

test('of many cells chosen the first are told, within the bound', () => {
  const cells = snapshotOf(...Array.from({ length: 1_000 }, (_, i) => cell(`cell-${i}`)));
  const found = told(inputOf(cells), {});
  assert.equal(found?.cells.length, toldCellsMax);
  assert.ok(found?.cells.every(({ refusal, replicas }) => refusal === undefined && replicas === 1));
  assert.ok(JSON.stringify(found).length < 3_000);
});

test('where no cell was looked for nothing is told', () => {
  const input = inputOf(snapshotOf(cell('a')), { previous: targets('a:1') });
  assert.equal(
    decidedCells(suspendedDecision(input), input.snapshot, undefined, undefined, nowMs),
    undefined,
  );
});
