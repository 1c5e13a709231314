import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '#apimachinery/api-error.ts';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import { type Logger, silentLogger } from './logger.ts';
import { ReconcileLoop, type ReconcileResult } from './reconcile.ts';
import { StillWaiting } from './still-waiting.ts';
import { WorkQueue } from './workqueue.ts';

/** A loop over one key; when it was looked at, and what each look does. */
function world(look: (times: number) => ReconcileResult, logger: Logger = silentLogger) {
  const clock = new ManualClock();
  const queue = new WorkQueue({ clock, backoffMinMs: 100, backoffMaxMs: 10_000 });
  const looksAtMs: number[] = [];
  const loop = new ReconcileLoop({
    name: 'test',
    queue,
    concurrency: 1,
    logger,
    reconcile: async () => {
      looksAtMs.push(clock.monotonic());
      return look(looksAtMs.length);
    },
  });
  loop.start();
  queue.add('key');
  return { clock, queue, loop, looksAtMs };
}

test('a key that fails is looked at again at longer and longer intervals, and from the shortest once it has succeeded', async () => {
  const { clock, queue, loop } = world((times) => {
    if (times === 4) return undefined;
    throw new Error('not yet');
  });
  await clock.advanceAsync(2_000, 10);
  assert.equal(queue.failuresOf('key'), 0, 'it has succeeded');
  queue.add('key');
  await clock.advanceAsync(20, 10);
  assert.equal(queue.failuresOf('key'), 1, 'what failed before is over');
  await loop.stop();
});

test('a server that asks to come again later is not asked before, within reason', async () => {
  for (const [asked, atLeastMs, atMostMs] of [
    [30, 30_000, 35_000],
    [3_600, 60_000, 70_000],
  ] as const) {
    const { clock, loop, looksAtMs } = world((times) => {
      if (times > 1) return undefined;
      throw new ApiError('TooManyRequests', 'later', { details: { retryAfterSeconds: asked } });
    });
    await clock.advanceAsync(atMostMs, 500);
    const [first = Number.NaN, second = Number.NaN] = looksAtMs;
    assert.ok(second - first >= atLeastMs, `${second - first} ms`);
    await loop.stop();
  }
});

test('a key that waits is looked at as one that fails, and told once, in one line', async () => {
  const lines: [level: string, fields: object, message: string][] = [];
  const logger: Logger = {
    debug: (...line) => lines.push(['debug', ...line]),
    info: (...line) => lines.push(['info', ...line]),
    warn: (...line) => lines.push(['warn', ...line]),
    error: (...line) => lines.push(['error', ...line]),
  };
  const { clock, loop, looksAtMs } = world(() => {
    throw new StillWaiting('the other one is there');
  }, logger);
  await clock.advanceAsync(20_000, 10);
  assert.ok(looksAtMs.length > 6, `${looksAtMs.length} looks`);
  const told = { loop: 'test', key: 'key', why: 'the other one is there' };
  assert.deepEqual(lines, [['info', told, 'waiting']]);
  await loop.stop();
});
