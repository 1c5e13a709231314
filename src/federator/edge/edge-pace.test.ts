import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import { EdgePace } from './edge-pace.ts';
import { TokenBucket } from './token-bucket.ts';

const call = new AbortController();
const ended = { signal: AbortSignal.abort() };
const mebibyte = 1024 * 1024;
const limits = {
  bytesPerSecond: mebibyte,
  burstBytes: mebibyte,
  eventMsPerSecond: 100,
  eventBurstMs: 250,
};

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
  const pace = new EdgePace({ ...limits, clock });
  assert.equal(pace.read(mebibyte / 2, call, 'answer'), undefined);
  assert.equal(pace.wasThrottled(1_000), false);
  let passed = false;
  const waiting = pace.read(mebibyte, call, 'answer')?.then(() => {
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

test('small answers count for more than their bytes, long ones for far more', () => {
  const clock = new ManualClock();
  const waitOf = (bytes: number) => {
    const pace = new EdgePace({ ...limits, clock, burstBytes: 0 });
    void pace.read(bytes, ended, 'answer');
    return pace.throttledMs;
  };
  assert.ok(waitOf(1) > 3, 'an answer of one byte');
  assert.ok(waitOf(3 * mebibyte) > 15_000, 'three mebibytes in one piece');
  assert.ok(waitOf(mebibyte) < 1_100, 'one mebibyte');
});

/** How many events of so many bytes are taken in a time by whoever always has the next one ready. */
function eventsWithin(clock: ManualClock, pace: EdgePace, bytes: number, ms: number): number {
  const endMs = clock.monotonic() + ms;
  let count = 0;
  while (clock.monotonic() < endMs) {
    const waiting = pace.read(bytes, call, 'event');
    count++;
    while (waiting !== undefined && clock.pendingCount > 0) clock.advance(1);
  }
  return count;
}

test('events are taken in short turns, a burst of them and then a steady share', () => {
  const clock = new ManualClock();
  const pace = new EdgePace({ ...limits, clock });
  const burst = eventsWithin(clock, pace, 0, 1_000);
  assert.ok(burst > 4_000 && burst < 6_000, `${burst} in the first second`);
  assert.equal(pace.wasThrottled(1_000), false, 'who has much to tell once does not flood');
  eventsWithin(clock, pace, 0, 3_000);
  assert.equal(pace.wasThrottled(1_000), true);
  const steady = eventsWithin(clock, pace, 0, 1_000);
  assert.ok(steady > 1_900 && steady < 2_200, `${steady} each second`);
  const large = eventsWithin(clock, pace, mebibyte, 10_000);
  assert.ok(large > 80 && large < 120, `${large} of a mebibyte`);
  assert.equal(pace.beforeAsking(call), undefined, 'what is written there does not wait for them');
});

test('a single event never waits', () => {
  const clock = new ManualClock();
  const pace = new EdgePace({ ...limits, clock });
  for (let index = 0; index < 10_000; index++) {
    assert.equal(pace.read(500, call, 'event'), undefined);
    clock.advance(1);
  }
});

test('who has sent too much to be taken is not asked again at once, and soon enough', async () => {
  const clock = new ManualClock();
  const pace = new EdgePace({ ...limits, clock });
  assert.equal(pace.beforeAsking(call), undefined);
  for (let index = 0; index < 32; index++) {
    assert.equal(pace.read(4 * mebibyte, call, 'oversize'), undefined);
  }
  let passed = false;
  const waiting = pace.beforeAsking(call)?.then(() => {
    passed = true;
  });
  clock.advance(9_000);
  await Promise.resolve();
  assert.equal(passed, false);
  clock.advance(1_000);
  await waiting;
  clock.advance(10_000);
  assert.equal(pace.beforeAsking(call), undefined);
});

test('one answer that is too large is paid for at once, the next ones more and more', () => {
  const clock = new ManualClock();
  const pace = new EdgePace({ ...limits, clock, bytesPerSecond: 8 * mebibyte, burstBytes: 64 * mebibyte });
  const isPaused = () => {
    const asking = new AbortController();
    const wait = pace.beforeAsking(asking);
    asking.abort();
    return wait !== undefined;
  };
  const pausesSeconds = (count: number) =>
    Array.from({ length: count }, () => {
      void pace.read(4 * mebibyte, ended, 'oversize');
      const fromMs = clock.monotonic();
      while (isPaused()) clock.advance(50);
      return Math.round((clock.monotonic() - fromMs) / 1_000);
    });
  assert.deepEqual(pausesSeconds(4), [2, 4, 8, 8]);
  clock.advance(61_000);
  assert.deepEqual(pausesSeconds(2), [2, 4]);
  assert.equal(pace.read(4 * mebibyte, ended, 'answer') === undefined, false, 'no burst is left for others');
});

test('a wait ends with its call', async () => {
  const clock = new ManualClock();
  const pace = new EdgePace({ ...limits, clock, bytesPerSecond: 1, burstBytes: 0 });
  const call = new AbortController();
  const waiting = pace.read(1_000, call, 'answer');
  call.abort();
  await waiting;
});
