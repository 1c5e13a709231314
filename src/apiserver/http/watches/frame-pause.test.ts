import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import { FramePause } from './frame-pause.ts';

/** A loop of which a test says how long it has worked and waited. */
function pauseOf() {
  const clock = new ManualClock();
  const loop = { active: 1_000, idle: 9_000 };
  const pause = new FramePause(clock, () => ({ ...loop }));
  const pass = (active: number, idle: number) => {
    loop.active += active;
    loop.idle += idle;
    clock.advance(active + idle);
    return pause.ms;
  };
  return { pause, pass };
}

test('frames wait the longer, the less idle the loop was of late', () => {
  const { pause, pass } = pauseOf();
  assert.equal(pause.ms, 5);
  assert.equal(pass(40, 60), 5);
  assert.equal(pass(60, 40), 12);
  assert.equal(pass(80, 20), 20);
  assert.equal(pass(100, 0), 20);
  assert.equal(pass(0, 100), 5);
});

test('a short while tells nothing, and what was before the last look neither', () => {
  const { pass } = pauseOf();
  assert.equal(pass(99, 0), 5);
  assert.equal(pass(1, 0), 20);
  assert.equal(pass(5, 10_000), 5);
  assert.equal(pass(100, 0), 20);
});
