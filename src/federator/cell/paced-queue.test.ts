import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import { defaultCellLimits } from './cell-limits.ts';
import { PacedQueue } from './paced-queue.ts';

const limits = { ...defaultCellLimits, retriesPerSecond: 10 };

test('failures of one cell are tried again at a bounded rate, of all its objects together', () => {
  const queue = new PacedQueue({ clock: new ManualClock(), limits });
  let last = 0;
  for (let index = 0; index < 1_500; index++) {
    queue.failed(`key-${index}`);
    last = queue.addRateLimited(`key-${index}`);
    if (index < 500) assert.ok(last <= 20, 'a burst costs no more than each one’s own pause');
  }
  assert.equal(Math.round(last / 1_000), 100, 'a thousand more at ten a second');
  assert.ok(queue.addRateLimited('another') <= 20, 'what fails for another reason is not held up');
  queue.close();
});

test('when one is accepted after all, others follow at once', async () => {
  const queue = new PacedQueue({ clock: new ManualClock(), limits });
  for (const key of ['a', 'b', 'c', 'd']) {
    queue.failed(key);
    queue.addRateLimited(key, 60_000);
  }
  queue.succeeded('stranger');
  assert.equal(queue.idle, true);
  queue.succeeded('b');
  assert.deepEqual([await queue.take(), await queue.take()], ['a', 'c']);
  assert.equal(queue.idle, false);
  queue.close();
});
