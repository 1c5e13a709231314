import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import { DriftRecord } from './drift-record.ts';

test('three repairs in a minute make an object contested; slower ones do not', () => {
  const clock = new ManualClock();
  const drift = new DriftRecord(clock);
  for (let repair = 0; repair < 5; repair++) {
    assert.equal(drift.repaired('slow'), false);
    clock.advance(31_000);
  }
  assert.equal(drift.repaired('fast'), false);
  assert.equal(drift.repaired('fast'), false);
  assert.equal(drift.waitMs('fast'), 0);
  assert.equal(drift.repaired('fast'), true);
  assert.equal(drift.isContested('fast'), true);
});

test('a contested object is repaired after 5 s, 10 s, 20 s … at most 5 minutes', () => {
  const clock = new ManualClock();
  const drift = new DriftRecord(clock);
  for (let repair = 0; repair < 3; repair++) drift.repaired('a');
  const pauses: number[] = [];
  for (let repair = 0; repair < 8; repair++) {
    const waitMs = drift.waitMs('a');
    pauses.push(waitMs / 1_000);
    clock.advance(waitMs);
    assert.equal(drift.waitMs('a'), 0);
    drift.repaired('a');
  }
  assert.deepEqual(pauses, [5, 10, 20, 40, 80, 160, 300, 300]);
});

test('one that is left alone is not contested any more, and begins anew', () => {
  const clock = new ManualClock();
  const drift = new DriftRecord(clock);
  for (let repair = 0; repair < 3; repair++) drift.repaired('a');
  clock.advance(drift.contestedForMs('a'));
  assert.equal(drift.isContested('a'), false);
  assert.equal(drift.repaired('a'), false);
});

test('fields that an edge drops are no drift', () => {
  const drift = new DriftRecord(new ManualClock());
  assert.equal(drift.onlyDropped('a', []), true);
  assert.equal(drift.onlyDropped('a', ['spec.x']), false);
  drift.applied('a', ['spec.x']);
  assert.equal(drift.onlyDropped('a', ['spec.x']), true);
  assert.equal(drift.onlyDropped('a', ['spec.x', 'spec.y']), false);
  drift.applied('a', []);
  assert.equal(drift.onlyDropped('a', ['spec.x']), false);
});
