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
    // Others are accepted meanwhile: it is not the edge.
    queue.failed('accepted');
    queue.succeeded('accepted');
    queue.forget('accepted');
    if (index < 250) assert.ok(last <= 20, 'a burst costs no more than each one’s own pause');
  }
  assert.equal(Math.round(last / 1_000), 250, 'two thousand and five hundred more at ten a second');
  assert.ok(queue.addRateLimited('another') <= 20, 'what fails for another reason is not held up');
  queue.close();
});

test('an edge that accepts nothing is tried more and more rarely, with one object after another', () => {
  const clock = new ManualClock();
  const queue = new PacedQueue({ clock, limits });
  const keys = Array.from({ length: 10 }, (_, index) => `key-${index}`);
  const dueMs = new Map(keys.map((key) => [key, 0]));
  /** Tries within the time, each as soon as it is due. */
  const triesWithin = (ms: number): number => {
    const endMs = clock.monotonic() + ms;
    let tries = 0;
    for (;;) {
      const [key, atMs] = [...dueMs].reduce((first, one) => (one[1] < first[1] ? one : first));
      if (atMs >= endMs) break;
      clock.advance(Math.max(0, atMs - clock.monotonic()));
      tries++;
      queue.failed(key);
      dueMs.set(key, clock.monotonic() + queue.addRateLimited(key));
    }
    clock.advance(Math.max(0, endMs - clock.monotonic()));
    return tries;
  };
  const first = triesWithin(10_000);
  assert.ok(first >= 16 && first <= 40, `${first} in the first ten seconds`);
  triesWithin(60_000);
  const later = triesWithin(60_000);
  assert.ok(later >= 10 && later <= 20, `${later} in a minute: each about twice`);
  queue.succeeded('key-0');
  queue.failed('key-1');
  queue.forget('key-1');
  assert.ok(queue.addRateLimited('key-1') <= 20, 'one that was accepted ends it');
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

/** A queue in which these got no answer so often that each waits for half a minute. */
async function unansweredQueue(...keys: readonly string[]): Promise<PacedQueue> {
  const clock = new ManualClock();
  const queue = new PacedQueue({ clock, limits });
  for (const key of keys) queue.add(key);
  for (let tries = 0; tries < 14; tries++) {
    clock.advance(60_000);
    for (let left = keys.length; left > 0; left--) {
      const key = (await queue.take()) ?? '';
      queue.unanswered(key);
      queue.addRateLimited(key);
      queue.done(key);
    }
  }
  clock.advance(1_000);
  assert.equal(queue.idle, true, 'all of them wait');
  return queue;
}

test('what got no answer is tried as soon as answers come again, a few first, others as those succeed', async () => {
  const queue = await unansweredQueue('a', 'b', 'c', 'd', 'e');
  queue.answersAgain();
  assert.deepEqual([await queue.take(), await queue.take()], ['a', 'b']);
  assert.equal(queue.idle, false);
  queue.done('a');
  queue.done('b');
  assert.equal(queue.idle, true, 'the others wait for what comes of these');
  queue.succeeded('a');
  assert.deepEqual([await queue.take(), await queue.take()], ['b', 'c']);
  queue.close();
});

test('what gets no answer again waits longer than before, and brings no other along', async () => {
  const queue = await unansweredQueue('a', 'b', 'c');
  const failures = queue.failuresOf('a');
  queue.answersAgain();
  for (const key of ['a', 'b']) {
    assert.equal(await queue.take(), key);
    queue.unanswered(key);
    assert.ok(queue.addRateLimited(key) > 10_000);
    queue.done(key);
  }
  assert.ok(queue.failuresOf('a') > failures);
  assert.equal(queue.idle, true);
  queue.close();
});
