import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import { keyOf } from '../object-key.ts';
import { FirstTurns } from './first-turns.ts';

const keyNamed = (name: string) =>
  keyOf({ group: 'apps', resource: 'deployments', cluster: 'p', namespace: 'n', name });
const [low, high, other] = [keyNamed('low'), keyNamed('high'), keyNamed('other')];

function turns() {
  const clock = new ManualClock();
  const ended = new AbortController();
  const first = new FirstTurns(clock);
  const called: string[] = [];
  /** Returns whether it may be decided at once. */
  const turn = (key: typeof low, priority: number): boolean => {
    const waits = first.turn(key, priority, ended.signal);
    void waits?.then(() => called.push(key));
    return waits === undefined;
  };
  return { clock, ended, first, turn, called };
}
const settled = () => new Promise((resolve) => setImmediate(resolve));

test('of those taken at once the most important is decided first, though it is read last', async () => {
  const { first, turn, called } = turns();
  first.take(low, undefined);
  first.take(other, 5);
  first.take(high, undefined);
  assert.ok(!turn(low, 1), 'it is not known how important another is');
  assert.ok(!turn(other, 5));
  assert.ok(turn(high, 10));
  await settled();
  assert.deepEqual(called, []);
  first.leave(high);
  await settled();
  assert.deepEqual(called.splice(0), [other]);
  first.leave(other);
  await settled();
  assert.deepEqual(called, [low]);
});

test('what is taken later keeps nobody waiting before it is read', async () => {
  const { first, turn, called } = turns();
  first.take(low, undefined);
  first.take(high, undefined);
  assert.ok(!turn(low, 1), 'it was taken with the other');
  first.take(other, undefined);
  first.leave(high);
  await settled();
  assert.deepEqual(called, [low], 'that one was not decided after all');
});

test('the equally important do not wait for one another, nor does what was decided before', () => {
  const { first, turn } = turns();
  first.take(low, 3);
  first.take(high, 3);
  assert.ok(turn(low, 3));
  assert.ok(turn(high, 3));
  assert.ok(turn(other, 0));
});

test('one that hangs keeps others for ten seconds at most, and for no longer than the scheduler runs', async () => {
  const { clock, ended, first, turn, called } = turns();
  first.take(high, 10);
  first.take(low, 1);
  assert.ok(!turn(low, 1));
  await clock.advanceAsync(9_900);
  assert.deepEqual(called, []);
  await clock.advanceAsync(200);
  assert.deepEqual(called.splice(0), [low]);
  first.leave(low);
  first.take(other, 1);
  assert.ok(!turn(other, 1));
  ended.abort();
  await settled();
  assert.deepEqual(called, [other]);
});
