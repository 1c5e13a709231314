import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { generateNameSuffix } from '#apimachinery/names.ts';
import { newClusterId } from '#apiserver/workspace/cluster-ref.ts';
import { VirtualTime } from './virtual-time.ts';

const undiciTimers = createRequire(import.meta.url)('undici/lib/util/timers.js') as {
  readonly setFastTimeout: (callback: () => void, delayMs: number) => unknown;
};

/** When timers fire and what chance says, in a run that leaves one of undici's timers behind. */
function runOnce(): Promise<unknown> {
  const time = new VirtualTime(7);
  return time.run(async () => {
    undiciTimers.setFastTimeout(() => {}, 60_000);
    const firedMs = await new Promise((resolve) => {
      undiciTimers.setFastTimeout(() => resolve(time.nowMs), 2_000);
    });
    const { active, idle } = performance.eventLoopUtilization();
    const chances = [newClusterId(), generateNameSuffix(), randomInt(1_000_000), Math.random()];
    return [firedMs, active, idle, ...chances];
  });
}

test('a run is what its seed makes it, whatever ran in the process before', async () => {
  newClusterId();
  generateNameSuffix();
  const first = await runOnce();
  assert.deepEqual(await runOnce(), first);
});
