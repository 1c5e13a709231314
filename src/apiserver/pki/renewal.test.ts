import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import { silentLogger } from '#client/logger.ts';
import type { ServerPki } from './pki.ts';
import { keepRenewed } from './renewal.ts';

test('the serving certificate is renewed when due, again after a failure, and not after the stop', async () => {
  const clock = new ManualClock();
  const due = (inMs: number) => ({ renewAfter: new Date(clock.now() + inMs) }) as ServerPki;
  const used: ServerPki[] = [];
  let fails = true;
  let tries = 0;
  const stop = keepRenewed({
    pki: due(10_000),
    renew: async () => {
      tries++;
      if (fails) throw new Error('disk full');
      return due(50_000);
    },
    use: (pki) => used.push(pki),
    clock,
    logger: silentLogger,
  });
  clock.advance(9_999);
  assert.equal(tries, 0);
  clock.advance(1);
  await setImmediate();
  assert.deepEqual([tries, used.length], [1, 0]);
  fails = false;
  clock.advance(3_600_000);
  await setImmediate();
  assert.deepEqual([tries, used.length], [2, 1]);
  // It comes while a renewal is under way.
  clock.advance(50_000);
  assert.equal(tries, 3);
  stop();
  await setImmediate();
  clock.advance(3_600_000);
  await setImmediate();
  assert.deepEqual([tries, used.length, clock.pendingCount], [3, 1, 0]);
});
