import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import { MetricText } from './metrics/metric-text.ts';
import { WorkQueueMetrics } from './metrics/work-queue-metrics.ts';
import { WorkQueue } from './workqueue.ts';

test('a key stands in the queue once, in the order of its first adding', async () => {
  const queue = new WorkQueue({ clock: new ManualClock() });
  for (const key of ['a', 'b', 'a', 'c', 'b']) queue.add(key);
  assert.deepEqual([await queue.take(), await queue.take(), await queue.take()], ['a', 'b', 'c']);
  assert.equal(queue.size, 3);
  for (const key of ['a', 'b', 'c']) queue.done(key);
  assert.equal(queue.size, 0);
});

test('a key added while being worked on is done again, never twice at once', async () => {
  const queue = new WorkQueue({ clock: new ManualClock() });
  queue.add('a');
  assert.equal(await queue.take(), 'a');
  queue.add('a');
  const next = queue.take();
  let taken = false;
  void next.then(() => {
    taken = true;
  });
  await Promise.resolve();
  assert.equal(taken, false);
  queue.done('a');
  assert.equal(await next, 'a');
});

test('delayed keys come when due; the earlier due time wins; add overtakes', async () => {
  const clock = new ManualClock();
  const queue = new WorkQueue({ clock });
  queue.addAfter('late', 1_000);
  queue.addAfter('soon', 10);
  queue.addAfter('late', 50);
  queue.addAfter('soon', 500);
  clock.advance(10);
  assert.equal(await queue.take(), 'soon');
  queue.add('late');
  assert.equal(await queue.take(), 'late');
  queue.done('soon');
  queue.done('late');
  clock.advance(10_000);
  assert.equal(queue.size, 0, 'nothing comes a second time');
});

test('backoff doubles up to its bound and is forgotten', () => {
  const queue = new WorkQueue({ clock: new ManualClock(), backoffMinMs: 10, backoffMaxMs: 80 });
  const waits = Array.from({ length: 6 }, () => queue.addRateLimited('a'));
  waits.forEach((waitMs, index) => {
    const ceilingMs = Math.min(80, 10 * 2 ** index);
    assert.ok(waitMs <= ceilingMs && waitMs >= ceilingMs * 0.75, `wait ${index} is ${waitMs}`);
  });
  assert.equal(queue.failuresOf('a'), 6);
  queue.forget('a');
  assert.equal(queue.failuresOf('a'), 0);
});

test('closing answers all takers with undefined and drops what waits', async () => {
  const queue = new WorkQueue({ clock: new ManualClock() });
  const taker = queue.take();
  queue.close();
  assert.equal(await taker, undefined);
  queue.add('a');
  assert.equal(await queue.take(), undefined);
});

test('many keys through the ring keep their order', async () => {
  const queue = new WorkQueue({ clock: new ManualClock() });
  for (let i = 0; i < 5_000; i++) queue.add(`k${i}`);
  for (let i = 0; i < 5_000; i++) {
    const key = await queue.take();
    assert.equal(key, `k${i}`);
    queue.done(`k${i}`);
    if (i % 7 === 0) queue.add(`again${i}`);
  }
  assert.equal(await queue.take(), 'again0');
});

test('a rate-limited key waits at least as long as it is asked to', () => {
  const queue = new WorkQueue({ clock: new ManualClock(), backoffMinMs: 10 });
  assert.ok(queue.addRateLimited('a') <= 10);
  assert.equal(queue.addRateLimited('a', 5_000), 5_000);
  queue.close();
});

test('of those who wait for a key the one that came last has it', async () => {
  const queue = new WorkQueue({ clock: new ManualClock() });
  const takers = [queue.take(), queue.take(), queue.take()];
  queue.add('a');
  assert.equal(await takers[2], 'a');
  queue.add('b');
  assert.equal(await takers[1], 'b');
  queue.close();
  assert.equal(await takers[0], undefined);
});

test('what is told of a queue is what client-go tells of one', async () => {
  let nowMs = 0;
  const metrics = new WorkQueueMetrics(() => nowMs);
  const clock = new ManualClock();
  const queue = new WorkQueue({ clock, figures: metrics.of('crds') });
  const told = () => {
    const text = new MetricText();
    metrics.render(text);
    const lines = text.toString().split('\n');
    return (name: string) =>
      Number(
        lines
          .find((line) => line.startsWith(`${name}{`))
          ?.split(' ')
          .at(-1),
      );
  };
  for (const key of ['a', 'b', 'a']) queue.add(key);
  assert.deepEqual([told()('workqueue_adds_total'), told()('workqueue_depth')], [2, 2]);
  nowMs = 500;
  const key = await queue.take();
  queue.add(key!);
  await queue.take();
  nowMs = 2_500;
  assert.equal(told()('workqueue_depth'), 1);
  assert.equal(told()('workqueue_unfinished_work_seconds'), 4);
  assert.equal(told()('workqueue_longest_running_processor_seconds'), 2);
  assert.equal(told()('workqueue_queue_duration_seconds_sum'), 1);
  queue.addRateLimited(key!);
  queue.done(key!);
  assert.equal(told()('workqueue_retries_total'), 1);
  assert.equal(told()('workqueue_work_duration_seconds_sum'), 2);
  assert.equal(await queue.take(), key);
  assert.equal(told()('workqueue_queue_duration_seconds_count'), 3);
  assert.equal(told()('workqueue_depth'), 0);
  // A queue that is made anew, as at a leader's next term, is counted on.
  queue.close();
  new WorkQueue({ clock, figures: metrics.of('crds') }).add('c');
  assert.equal(told()('workqueue_adds_total'), 4);
  const text = new MetricText();
  metrics.render(text);
  assert.match(
    text.toString(),
    /workqueue_queue_duration_seconds_bucket\{name="crds",le="9.999999999999999e-06"\} 0/,
  );
});

test('a key that is added twice while it is worked on keeps the higher of its priorities', async () => {
  const queue = new WorkQueue({ clock: new ManualClock() });
  queue.add('a');
  assert.equal(await queue.take(), 'a');
  queue.add('a', 'normal');
  queue.add('a', 'background');
  queue.add('b', 'background');
  queue.done('a');
  assert.equal(await queue.take(), 'a', 'what somebody changed just now goes first');
});
