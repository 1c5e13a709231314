import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import { gatherBurst, gatherWaitMs, paidAfterGathering } from './gather-pace.ts';

/** When an object is gathered whose changes come at these times; at the end of each wait it is looked at again. */
function gatheredAt(changesMs: readonly number[], burst: number, intervalMs = 1_000): number[] {
  const clock = new ManualClock(0);
  const gatheredMs: number[] = [];
  let paidUntilMs = Number.NEGATIVE_INFINITY;
  let isAwaited = false;
  const look = (): void => {
    const waitMs = gatherWaitMs(paidUntilMs, clock.monotonic(), { intervalMs, burst });
    if (waitMs === 0) {
      gatheredMs.push(clock.monotonic());
      paidUntilMs = paidAfterGathering(paidUntilMs, clock.monotonic(), intervalMs);
    } else if (!isAwaited) {
      isAwaited = true;
      clock.setTimeout(() => {
        isAwaited = false;
        look();
      }, waitMs);
    }
  };
  for (const atMs of changesMs) clock.setTimeout(look, atMs);
  clock.advance(20_000);
  return gatheredMs;
}

const always = Array.from({ length: 500 }, (_, i) => i * 10);

const cases: [string, number[], number, number[]][] = [
  ['that it is applied, and its first status', [0, 15], 2, [0, 15]],
  ['of what comes behind them only the last', [0, 15, 30, 45, 60], 2, [0, 15, 1_000]],
  ['the next status after a rest of one interval', [0, 15, 1_200], 2, [0, 15, 1_200]],
  ['a whole rest: two again', [0, 15, 3_000, 3_010, 3_020], 2, [0, 15, 3_000, 3_010, 4_000]],
  ['kinds without a status', [0, 15, 30], 1, [0, 1_000]],
  ['changes all the time: one in each interval', always, 2, [0, 10, 1_000, 2_000, 3_000, 4_000, 5_000]],
  ['the same without a status', always, 1, [0, 1_000, 2_000, 3_000, 4_000, 5_000]],
];
for (const [name, changesMs, burst, want] of cases) {
  test(`gathered: ${name}`, () => {
    assert.deepEqual(gatheredAt(changesMs, burst), want);
  });
}

test('with a status two go at once', () => {
  assert.deepEqual([gatherBurst(true), gatherBurst(false)], [2, 1]);
});
