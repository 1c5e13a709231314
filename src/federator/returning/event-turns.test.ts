import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import { TokenBucket } from '../edge/token-bucket.ts';
import { EventTurns } from './event-turns.ts';

test('so many go at once, the others one after the other, each in the turn that it asked for first', () => {
  const clock = new ManualClock();
  const turns = new EventTurns({
    clock,
    pace: new TokenBucket({ clock, perSecond: 10, burst: 2 }),
    repeatMs: 5_000,
  });
  assert.deepEqual(
    ['a', 'b', 'c', 'd'].map((key) => turns.waitMs(key)),
    [0, 0, 100, 200],
  );
  assert.equal(turns.waitMs('d'), 200, 'asking again costs nothing');
  clock.advance(100);
  assert.equal(turns.waitMs('c'), 0);
  assert.equal(turns.waitMs('d'), 100);
  turns.told('a');
  clock.advance(1_000);
  assert.equal(turns.waitMs('a'), 4_000, 'one that was told waits');
  turns.forget('a');
  assert.equal(turns.waitMs('a'), 0);
});

test('a turn that could not be used is kept, and costs no second', () => {
  const clock = new ManualClock();
  const turns = new EventTurns({
    clock,
    pace: new TokenBucket({ clock, perSecond: 1, burst: 1 }),
    repeatMs: 10_000,
  });
  assert.equal(turns.waitMs('a'), 0);
  // It was not written: the retry need not wait as for one that is said again, nor for another turn.
  clock.advance(50);
  assert.equal(turns.waitMs('a'), 0);
  assert.equal(turns.waitMs('b'), 950, 'only one turn was taken');
  turns.told('a');
  assert.equal(turns.waitMs('a'), 10_000);
});
