import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import { Lots } from './lots.ts';

/** When what is asked for at these times goes. */
function goesAt(askedMs: readonly number[], intervalMs = 100): number[] {
  const clock = new ManualClock(0);
  const lots = new Lots(clock, intervalMs);
  return askedMs.map((atMs) => {
    clock.advance(atMs - clock.monotonic());
    return atMs + lots.waitMs();
  });
}

const cases: [string, number[], number[]][] = [
  ['the first after a rest at once, what follows together', [0, 10, 60], [0, 100, 100]],
  ['who comes as a lot goes takes the next', [0, 10, 100, 130], [0, 100, 200, 200]],
  ['again at once after a whole interval without any', [0, 10, 200, 210], [0, 100, 200, 300]],
  ['one in each interval while they come all the time', [0, 50, 150, 250, 350], [0, 100, 200, 300, 400]],
];
for (const [name, askedMs, want] of cases) {
  test(`lots: ${name}`, () => {
    assert.deepEqual(goesAt(askedMs), want);
  });
}

test('a turn is nothing to wait for after a rest, and one for all who come then', async () => {
  const clock = new ManualClock(0);
  const lots = new Lots(clock, 100);
  assert.equal(lots.turn(), undefined);
  clock.advance(10);
  const first = lots.turn();
  clock.advance(60);
  assert.ok(first !== undefined);
  assert.equal(lots.turn(), first);
  assert.equal(clock.pendingCount, 1);
  let hasGone = false;
  void first.then(() => {
    hasGone = true;
  });
  clock.advance(29);
  await Promise.resolve();
  assert.equal(hasGone, false);
  clock.advance(1);
  await first;
  assert.notEqual(lots.turn(), first, 'the next lot');
});
