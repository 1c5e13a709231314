import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff, backoffDelayMs, KeyedBackoff } from './backoff.ts';
import { sleep, systemClock } from './clock.ts';
import { linkedController, retry, retryLoop, untilAborted } from './lifecycle.ts';
import { ManualClock } from './testing/manual-clock.ts';

test('the manual clock fires timers in order of time, then of setting', () => {
  const clock = new ManualClock(0);
  const fired: string[] = [];
  clock.setTimeout(() => fired.push('b'), 20);
  clock.setTimeout(() => {
    fired.push('a');
    clock.setTimeout(() => fired.push('a2'), 5);
  }, 10);
  const cancelled = clock.setTimeout(() => fired.push('never'), 15);
  cancelled.cancel();
  clock.advance(9);
  assert.deepEqual(fired, []);
  clock.advance(20);
  assert.deepEqual(fired, ['a', 'a2', 'b']);
  assert.equal(clock.now(), 29);
  assert.equal(clock.pendingCount, 0);
});

test('sleep ends with the time or the signal and leaves nothing behind', async () => {
  const clock = new ManualClock();
  const slept = sleep(clock, 100);
  clock.advance(100);
  await slept;
  const controller = new AbortController();
  const aborted = sleep(clock, 100, controller.signal);
  controller.abort(new Error('stop'));
  await assert.rejects(aborted, /stop/);
  await assert.rejects(sleep(clock, 100, controller.signal), /stop/);
  assert.equal(clock.pendingCount, 0);
});

test('the system clock waits for long delays in steps', () => {
  let fired = false;
  const timer = systemClock.setTimeout(() => {
    fired = true;
  }, 2 ** 33);
  timer.unref();
  timer.cancel();
  assert.equal(fired, false);
});

test('backoff grows, is bounded, and starts anew after a success', () => {
  const backoff = new Backoff({ initialMs: 10, maxMs: 50, jitter: 0 });
  assert.deepEqual([backoff.next(), backoff.next(), backoff.next(), backoff.next()], [10, 20, 40, 50]);
  backoff.reset();
  assert.equal(backoff.next(), 10);
  assert.equal(backoffDelayMs(1, { initialMs: 10, jitter: 0.5, random: () => 0.999 }) > 5, true);
  assert.equal(backoffDelayMs(100_000, { jitter: 0 }), 30_000);
});

test('backoff by key is bounded in keys', () => {
  const backoff = new KeyedBackoff({ initialMs: 10, jitter: 0 }, 2);
  assert.equal(backoff.next('a'), 10);
  assert.equal(backoff.next('a'), 20);
  backoff.next('b');
  backoff.next('c');
  assert.equal(backoff.size, 2);
  assert.equal(backoff.failuresOf('a'), 0);
});

test('linked controllers fire with a parent and let go of it', () => {
  const parent = new AbortController();
  const child = linkedController(parent.signal, undefined);
  assert.equal(child.signal.aborted, false);
  parent.abort('why');
  assert.equal(child.signal.reason, 'why');
  assert.equal(linkedController(parent.signal).signal.aborted, true);
});

test('retryLoop runs again after failures, waits in between, and ends with the signal', async () => {
  const clock = new ManualClock();
  const controller = new AbortController();
  const failures: number[] = [];
  let runs = 0;
  const loop = retryLoop(
    async (signal) => {
      runs++;
      if (runs < 3) throw new Error('again');
      await untilAborted(signal);
    },
    {
      signal: controller.signal,
      clock,
      backoff: { initialMs: 10, jitter: 0 },
      onError: (_, retryInMs) => failures.push(retryInMs),
    },
  );
  while (runs < 3) await clock.advanceAsync(10);
  controller.abort();
  await loop;
  assert.deepEqual(failures, [10, 20]);
});

test('retry gives up at what is not retryable, or after the last try', async () => {
  const clock = new ManualClock();
  let tries = 0;
  const failing = retry(
    async () => {
      tries++;
      throw new Error(tries === 2 ? 'final' : 'busy');
    },
    { retryable: (error) => (error as Error).message === 'busy', attemptsMax: 5, clock },
  );
  const outcome = assert.rejects(failing, /final/);
  await clock.advanceAsync(1000, 100);
  await outcome;
  assert.equal(tries, 2);
});
