import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import { EdgePace } from './edge-pace.ts';
import { TokenBucket } from './token-bucket.ts';

const call = new AbortController();
const mebibyte = 1024 * 1024;

test('a bucket lets a burst pass, then a steady rate; debt is paid first', () => {
  const clock = new ManualClock();
  const bucket = new TokenBucket({ clock, perSecond: 10, burst: 5 });
  assert.equal(bucket.spend(5), 0);
  assert.equal(bucket.spend(1), 100);
  assert.equal(bucket.spend(1), 200);
  clock.advance(150);
  assert.equal(bucket.waitMs, 50);
  clock.advance(10_000);
  assert.equal(bucket.spend(6), 100, 'no more than the burst is saved up');
});

test('an edge that sends more than its pace waits, and says so for a while', async () => {
  const clock = new ManualClock();
  const pace = new EdgePace({ clock, bytesPerSecond: mebibyte, burstBytes: mebibyte });
  assert.equal(pace.read(mebibyte / 2, call), undefined);
  assert.equal(pace.wasThrottled(1_000), false);
  let passed = false;
  const waiting = pace.read(mebibyte, call)?.then(() => {
    passed = true;
  });
  assert.ok(waiting);
  assert.equal(pace.wasThrottled(1_000), true);
  clock.advance(400);
  await Promise.resolve();
  assert.equal(passed, false);
  clock.advance(200);
  await waiting;
  assert.ok(pace.throttledMs > 500 && pace.throttledMs < 520);
  clock.advance(2_000);
  assert.equal(pace.wasThrottled(1_000), false);
});

test('small events count for more than their bytes, long answers for far more', () => {
  const clock = new ManualClock();
  const waitOf = (bytes: number, times: number) => {
    const pace = new EdgePace({ clock, bytesPerSecond: mebibyte, burstBytes: 0 });
    for (let index = 0; index < times; index++) pace.read(bytes, { signal: AbortSignal.abort() });
    return pace.throttledMs;
  };
  assert.ok(waitOf(1, 1) > 3, 'an event of one byte');
  assert.ok(waitOf(3 * mebibyte, 1) > 15_000, 'three mebibytes in one piece');
  assert.ok(waitOf(mebibyte, 1) < 1_100, 'one mebibyte');
});

test('a wait ends with its call', async () => {
  const clock = new ManualClock();
  const pace = new EdgePace({ clock, bytesPerSecond: 1, burstBytes: 0 });
  const call = new AbortController();
  const waiting = pace.read(1_000, call);
  call.abort();
  await waiting;
});
