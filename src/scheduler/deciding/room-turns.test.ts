import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import { keyOf } from '../object-key.ts';
import { RoomTurns } from './room-turns.ts';

const keyNamed = (name: string) =>
  keyOf({ group: 'apps', resource: 'deployments', cluster: 'p', namespace: 'n', name });
const [high, low, lower, other] = [keyNamed('a'), keyNamed('b'), keyNamed('c'), keyNamed('d')];

function turns() {
  const clock = new ManualClock();
  const woken: string[] = [];
  return { clock, woken, turns: new RoomTurns(clock, (key) => woken.push(key)) };
}

test('of those called for room the most important is decided first, though it is read last', () => {
  const { turns: one, woken } = turns();
  one.call([
    { key: high, priority: 10 },
    { key: low, priority: 1 },
    { key: lower, priority: 0 },
  ]);
  assert.ok(!one.isTurn(low, 1));
  assert.ok(!one.isTurn(lower, 0));
  assert.ok(!one.isTurn(other, 5), 'nor one that was not called');
  assert.ok(one.isTurn(high, 10));
  assert.deepEqual(woken, []);
  one.done(high);
  assert.deepEqual(woken.splice(0).sort(), [low, lower, other].sort());
  assert.ok(one.isTurn(lower, 0), 'who has been let go on is not called any more');
});

test('where all are equally important nobody waits', () => {
  const { turns: one } = turns();
  one.call([
    { key: high, priority: 3 },
    { key: low, priority: 3 },
  ]);
  assert.ok(one.isTurn(lower, 0));
});

test('one that does not come to be decided keeps others for ten seconds at most', async () => {
  const { turns: one, woken, clock } = turns();
  one.call([
    { key: high, priority: 10 },
    { key: low, priority: 1 },
  ]);
  assert.ok(!one.isTurn(low, 1));
  await clock.advanceAsync(9_900);
  assert.deepEqual(woken, []);
  await clock.advanceAsync(200);
  assert.deepEqual(woken, [low]);
  assert.ok(one.isTurn(low, 1));
  one.done(low);
});
