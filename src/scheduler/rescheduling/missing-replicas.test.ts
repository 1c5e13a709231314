import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  cellsDue,
  deschedulingLimits,
  limitsNow,
  missingDueMs,
  type ReplicaRecord,
  recordMissing,
  replicasMissing,
  settleLimits,
} from './missing-replicas.ts';

const limits = deschedulingLimits({ afterSeconds: 300, avoidSeconds: 600 });
const minute = 60_000;
const newRecord = (): ReplicaRecord => ({ missing: new Map(), limits: new Map() });
const previous = [
  { name: 'a', replicas: 5 },
  { name: 'b', replicas: 3 },
];
const every = () => true;

test('what a status tells of replicas that do not run', () => {
  const told = (status: Parameters<typeof replicasMissing>[0]): number => replicasMissing(status, 5);
  assert.equal(told({ replicas: 5, updatedReplicas: 5, readyReplicas: 3 }), 2);
  assert.equal(told({ observedGeneration: 1, unavailableReplicas: 5 }), 5, 'no pod could be made at all');
  assert.equal(told({ replicas: 6, updatedReplicas: 2, readyReplicas: 4 }), 0, 'a rollout at the edge');
  assert.equal(told({ replicas: 5, readyReplicas: 4, currentRevision: 'x', updateRevision: 'y' }), 0);
  assert.equal(told({ replicas: 5, readyReplicas: 4, currentRevision: 'x', updateRevision: 'x' }), 1);
  assert.equal(told({ active: 5, ready: 1 }), 0, 'a Job counts none');
  assert.equal(told({ replicas: 7, updatedReplicas: 7, readyReplicas: 7 }), 0);
});

test('only what was missing all the time counts', () => {
  const record = newRecord();
  recordMissing(record, 'a', 4, 0);
  recordMissing(record, 'a', 1, minute);
  recordMissing(record, 'a', 3, 2 * minute);
  assert.deepEqual(record.missing.get('a'), { replicas: 1, sinceMs: 0 });
  assert.equal(missingDueMs(record, limits), 5 * minute);
  recordMissing(record, 'a', 0, 3 * minute);
  assert.equal(missingDueMs(record, limits), undefined);
});

test('a cell is limited to what ran, for longer each time, and forgotten in the end', () => {
  const record = newRecord();
  recordMissing(record, 'a', 2, 0);
  recordMissing(record, 'b', 1, 4 * minute);
  assert.deepEqual(limitsNow(record, previous, limits, every, 5 * minute - 1).mostIn, new Map());
  const first = limitsNow(record, previous, limits, every, 5 * minute);
  assert.deepEqual(
    Object.fromEntries(first.mostIn),
    { a: 3, b: 3 },
    'b is given none while some are missing',
  );
  assert.deepEqual([...first.due], ['a']);
  const moved = [
    { name: 'a', replicas: 3 },
    { name: 'c', replicas: 2 },
  ];
  assert.equal(settleLimits(record, first, moved, limits, 5 * minute), false);
  assert.deepEqual(record.limits.get('a'), { replicas: 3, untilMs: 15 * minute, times: 1 });
  assert.equal(record.missing.has('a'), false);
  record.missing.clear();
  assert.deepEqual([...limitsNow(record, moved, limits, every, 14 * minute).mostIn], [['a', 3]]);
  assert.equal(limitsNow(record, moved, limits, every, 15 * minute).mostIn.size, 0);
  // It was given more again, and again they do not run.
  recordMissing(record, 'a', 2, 16 * minute);
  const again = limitsNow(record, previous, limits, every, 21 * minute);
  settleLimits(record, again, moved, limits, 21 * minute);
  assert.deepEqual(record.limits.get('a'), { replicas: 3, untilMs: 41 * minute, times: 2 });
  limitsNow(record, moved, limits, every, 61 * minute);
  assert.equal(record.limits.size, 0, 'as long again after it was over');
});

test('only what the edge has no node for is taken away, where its estimator tells; what crashes stays and is asked for again', () => {
  const record = newRecord();
  recordMissing(record, 'a', 4, 0);
  recordMissing(record, 'b', 2, 0);
  assert.deepEqual(cellsDue(record, limits, 5 * minute - 1), new Set());
  assert.deepEqual(cellsDue(record, limits, 5 * minute), new Set(['a', 'b']));
  const told = new Map([
    ['a', 1],
    ['b', 0],
  ]);
  const now = limitsNow(record, previous, limits, every, 5 * minute, told);
  assert.deepEqual(Object.fromEntries(now.mostIn), { a: 4, b: 3 }, 'b, where some crash, is given none');
  assert.deepEqual([...now.due], ['a']);
  const crashing = limitsNow(record, previous, limits, every, 5 * minute, new Map([...told, ['a', 0]]));
  assert.deepEqual([crashing.mostIn.size, crashing.waits], [0, true]);
  assert.equal(settleLimits(record, crashing, previous, limits, 5 * minute), true);
  const all = limitsNow(record, previous, limits, every, 5 * minute, new Map([['a', 9]]));
  assert.deepEqual(
    Object.fromEntries(all.mostIn),
    { a: 1, b: 1 },
    'no more than are missing; b does not tell',
  );
});

test('without another place, or word of the cell, nothing is limited, and an event is waited for', () => {
  const record = newRecord();
  recordMissing(record, 'a', 2, 0);
  const now = limitsNow(record, previous, limits, every, 5 * minute);
  assert.equal(settleLimits(record, now, previous, limits, 5 * minute), true);
  assert.equal(record.limits.size, 0);
  assert.equal(record.missing.size, 1);
  const unwell = limitsNow(record, previous, limits, () => false, 5 * minute);
  assert.equal(unwell.due.size, 0);
  assert.equal(settleLimits(record, unwell, previous, limits, 5 * minute), true);
  limitsNow(record, [{ name: 'b', replicas: 8 }], limits, every, 5 * minute);
  assert.equal(record.missing.size, 0, 'what is not there is missing nowhere');
});
