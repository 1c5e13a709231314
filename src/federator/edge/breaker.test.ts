import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import { DeletionBudget } from '../downsync/deletion-budget.ts';
import { DriftRecord } from '../downsync/drift-record.ts';
import { Breaker } from './breaker.ts';

test('the breaker opens after its failures, lets one call through when the time is over, and closes on an answer', () => {
  const clock = new ManualClock();
  const breaker = new Breaker({ clock, failureThreshold: 2, openMinMs: 100, openMaxMs: 300 });
  breaker.unreached();
  assert.equal(breaker.waitMs(), 0, 'one failure is no reason');
  breaker.unreached();
  assert.equal(breaker.state, 'open');
  assert.equal(breaker.waitMs(), 100);
  clock.advance(100);
  assert.equal(breaker.waitMs(), 0);
  breaker.begin();
  assert.equal(breaker.waitMs(), 100, 'the second has to wait for the first');
  breaker.unreached();
  assert.equal(breaker.waitMs(), 200, 'the wait doubles');
  clock.advance(200);
  breaker.unreached();
  assert.equal(breaker.waitMs(), 300, 'up to its bound');
  clock.advance(300);
  breaker.reached();
  assert.equal(breaker.state, 'closed');
});

test('three repairs within a minute are contested; an edge’s own droppings are not drift', () => {
  const clock = new ManualClock();
  const record = new DriftRecord(clock);
  assert.deepEqual([record.repaired('a'), record.repaired('a'), record.repaired('a')], [false, false, true]);
  assert.equal(record.isContested('a'), true);
  clock.advance(61_000);
  assert.equal(record.isContested('a'), false);
  assert.equal(record.onlyDropped('b', ['spec.x']), false);
  record.applied('b', ['spec.x']);
  assert.equal(record.onlyDropped('b', ['spec.x']), true);
  assert.equal(record.onlyDropped('b', ['spec.x', 'spec.y']), false);
});

test('the deletion budget holds what exceeds it until its window is over', () => {
  const clock = new ManualClock();
  const budget = new DeletionBudget(clock);
  const limits = { maxObjects: 100, maxPercent: 20, windowMs: 1_000 };
  const taken = Array.from({ length: 4 }, () => budget.take(limits, 10));
  assert.deepEqual(taken, [true, true, false, false], '20 % of ten');
  clock.advance(1_000);
  assert.equal(budget.take(limits, 8), true);
  assert.equal(budget.take(undefined, 0), true, 'no budget, no bound');
});
