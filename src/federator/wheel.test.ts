import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import { Wheel } from './wheel.ts';

test('everything on a wheel shares one timer, and comes when it is due', () => {
  const clock = new ManualClock();
  const wheel = new Wheel(clock);
  const calls: string[] = [];
  for (const [key, delayMs] of [
    ['late', 300],
    ['early', 100],
    ['middle', 200],
  ] as const) {
    wheel.schedule(key, delayMs, () => calls.push(key));
  }
  assert.equal(clock.pendingCount, 1);
  clock.advance(100);
  assert.deepEqual(calls, ['early']);
  clock.advance(200);
  assert.deepEqual(calls, ['early', 'middle', 'late']);
  assert.equal(clock.pendingCount, 0);
});

test('scheduling a key again moves it, either way; a cancelled one does not come', () => {
  const clock = new ManualClock();
  const wheel = new Wheel(clock);
  const calls: string[] = [];
  wheel.schedule('a', 100, () => calls.push('a, first'));
  wheel.schedule('a', 300, () => calls.push('a, second'));
  wheel.schedule('b', 300, () => calls.push('b, first'));
  wheel.schedule('b', 50, () => calls.push('b, second'));
  wheel.schedule('c', 10, () => calls.push('c'));
  wheel.cancel('c');
  clock.advance(1_000);
  assert.deepEqual(calls, ['b, second', 'a, second']);
});

test('a callback may schedule itself; a stopped wheel leaves no timer', () => {
  const clock = new ManualClock();
  const wheel = new Wheel(clock);
  let turns = 0;
  const turn = () => {
    turns++;
    wheel.schedule('turn', 10, turn);
  };
  turn();
  for (let at = 0; at < 5; at++) clock.advance(10);
  assert.equal(turns, 6);
  wheel.stop();
  assert.equal(clock.pendingCount, 0);
});
