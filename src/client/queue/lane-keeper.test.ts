import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { Redis } from 'ioredis';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import { until } from '#test/harness/until.ts';
import { silentLogger } from '../logger.ts';
import { LaneKeeper } from './lane-keeper.ts';
import { laneCount } from './lanes.ts';

const leaseMs = 10_000;
const intervalMs = 1_000;

describe('the keeper of lanes', () => {
  let clock: ManualClock;
  let keeper: LaneKeeper;
  /** Answers all that is wanted or kept, once for each call that waits. */
  let answers: (() => void)[];
  let told: string[];

  beforeEach(() => {
    clock = new ManualClock();
    answers = [];
    told = [];
    const redis = {
      status: 'ready',
      on: () => {},
      off: () => {},
      eval: (_script: string, _keys: number, ...rest: readonly (string | number)[]) =>
        new Promise((resolve) => {
          const held = String(rest.at(-1)).replaceAll(/[kt]/g, '1').replaceAll(/[nr]/g, '0');
          answers.push(() => resolve([held, ['me']]));
        }),
    };
    keeper = new LaneKeeper({
      redis: redis as unknown as Redis,
      clock,
      logger: silentLogger,
      prefix: 'test',
      member: 'me',
      leaseMs,
      intervalMs,
      onGained: (lanes) => told.push(`gained ${lanes.length}`),
      onLost: (lanes) => told.push(`lost ${lanes.length}`),
      drain: () => Promise.resolve(),
    });
    keeper.start();
  });
  afterEach(async () => {
    const stopped = keeper.stop();
    clock.advance(intervalMs);
    await settled();
    for (const answer of answers.splice(0)) answer();
    await settled();
    for (const answer of answers.splice(0)) answer();
    await stopped;
  });

  const settled = () => new Promise((resolve) => setImmediate(resolve));

  async function answerNext(): Promise<void> {
    await until('it asks', () => answers.length > 0);
    answers.shift()?.();
    await settled();
  }

  test('lanes are gained once, as long as Redis answers in time', async () => {
    await answerNext();
    await answerNext();
    assert.deepEqual(told, [`gained ${laneCount}`]);
    for (let step = 0; step < 20; step++) {
      clock.advance(intervalMs);
      await answerNext();
    }
    assert.ok(keeper.holds(0));
    assert.deepEqual(told, [`gained ${laneCount}`]);
  });

  test('what was not ours for a moment by our own clock is looked at again, though Redis kept it', async () => {
    await answerNext();
    await answerNext();
    clock.advance(intervalMs);
    await until('it asks', () => answers.length > 0);
    clock.advance(leaseMs - 2 * intervalMs);
    assert.equal(keeper.holds(0), false);
    await answerNext();
    assert.deepEqual(told, [`gained ${laneCount}`, `lost ${laneCount}`, `gained ${laneCount}`]);
    assert.ok(keeper.holds(0));
  });
});
