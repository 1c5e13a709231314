import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KeyQueue } from '../key-queue.ts';

/** A queue under test, on a clock that runs; `close` also frees what it stands on. */
export interface QueueUnderTest {
  readonly queue: KeyQueue;
  close(): Promise<void>;
}

/** For what comes: ends a test that would wait for ever. */
const patienceMs = 300_000;
/** Longer than any test: what is due then does not come. */
const neverMs = 3_600_000;

/** What every KeyQueue does, whatever it stands on. `make` gives an empty one, with backoff from 10 to 80 ms. */
export function keyQueueSuite(
  name: string,
  make: () => Promise<QueueUnderTest>,
  options: { readonly skip?: string | undefined } = {},
): void {
  const on = (title: string, body: (queue: KeyQueue) => Promise<void>): void => {
    test(`${name}: ${title}`, { skip: options.skip ?? false, timeout: patienceMs }, async () => {
      const { queue, close } = await make();
      try {
        await body(queue);
      } finally {
        await close();
      }
    });
  };

  on('each key comes once, in the order of the first adding', async (queue) => {
    for (const key of ['a', 'b', 'a', 'c', 'b']) queue.add(key);
    assert.equal(queue.idle, false);
    assert.deepEqual([await queue.take(), await queue.take(), await queue.take()], ['a', 'b', 'c']);
    for (const key of ['a', 'b', 'c']) queue.done(key);
    await untilIdle(queue);
    assert.equal(queue.size, 0);
  });

  on('a key added while being worked on is done again, and never twice at once', async (queue) => {
    queue.add('a');
    assert.equal(await queue.take(), 'a');
    for (let i = 0; i < 3; i++) queue.add('a');
    queue.add('b');
    assert.equal(await queue.take(), 'b');
    const next = queue.take();
    assert.equal(await within(next, 60), undefined, 'not while it is being worked on');
    queue.done('a');
    queue.done('b');
    assert.equal(await next, 'a');
    queue.done('a');
    await untilIdle(queue);
  });

  on('a key that was done can be added again', async (queue) => {
    for (let i = 0; i < 20; i++) {
      queue.add('a');
      assert.equal(await queue.take(), 'a');
      queue.done('a');
    }
    await untilIdle(queue);
  });

  on('delayed keys come when they are due; the earlier due time wins; adding overtakes', async (queue) => {
    queue.addAfter('late', neverMs);
    const startMs = performance.now();
    queue.addAfter('soon', 30);
    queue.addAfter('soon', neverMs);
    assert.equal(await queue.take(), 'soon');
    assert.ok(performance.now() - startMs >= 25);
    queue.add('late');
    assert.equal(await queue.take(), 'late');
    queue.done('soon');
    queue.done('late');
    await untilIdle(queue);
    assert.equal(queue.size, 0, 'nothing comes a second time');
  });

  on('a failing key waits ever longer, and not after it was forgotten', async (queue) => {
    for (const ceilingMs of [10, 20, 40, 80, 80]) {
      const waitMs = queue.addRateLimited('a');
      assert.ok(waitMs <= ceilingMs && waitMs >= ceilingMs * 0.75, `${waitMs} of ${ceilingMs}`);
      assert.equal(await queue.take(), 'a');
      queue.done('a');
    }
    assert.equal(queue.failuresOf('a'), 5);
    queue.forget('a');
    assert.equal(queue.failuresOf('a'), 0);
    assert.equal(queue.addRateLimited('a', 100), 100);
  });

  on('a key that fails while an update waits is done at once', async (queue) => {
    queue.add('a');
    await queue.take();
    queue.add('a');
    queue.addAfter('a', neverMs);
    queue.done('a');
    assert.equal(await queue.take(), 'a');
    queue.done('a');
  });

  on('background keys are done too, and one that is wanted as normal is moved up', async (queue) => {
    const count = 300;
    for (let i = 0; i < count; i++) queue.add(`b${i}`, 'background');
    assert.equal(await queue.take(), 'b0');
    queue.done('b0');
    queue.add('b299');
    queue.add('n');
    const order: string[] = [];
    for (let i = 0; i < count; i++) {
      // What is fetched already is not given back; then whoever takes is slow, until the queue has heard of both.
      const isHeard = order.includes('b299') && order.includes('n');
      if (!isHeard) await new Promise((resolve) => setTimeout(resolve, Math.min(i, 100)));
      const key = (await queue.take()) ?? '';
      order.push(key);
      queue.done(key);
    }
    assert.equal(new Set(order).size, count, 'each once');
    // Else they would be the last.
    assert.ok(order.indexOf('b299') < 280, `the raised key was number ${order.indexOf('b299')}`);
    assert.ok(order.indexOf('n') < 280, `the normal key was number ${order.indexOf('n')}`);
    await untilIdle(queue);
  });

  on(
    'many keys on many workers: each is done, none twice at once, and after its last adding',
    async (queue) => {
      const added = new Map<string, number>();
      const seen = new Map<string, number>();
      const active = new Set<string>();
      let wrong = '';
      const workers = Array.from({ length: 16 }, async () => {
        for (let key = await queue.take(); key !== undefined; key = await queue.take()) {
          if (active.has(key)) wrong = `${key} twice at once`;
          active.add(key);
          seen.set(key, added.get(key) ?? 0);
          await new Promise((resolve) => setImmediate(resolve));
          active.delete(key);
          queue.done(key);
        }
      });
      for (let i = 0; i < 2_000; i++) {
        const key = `k${(i * 7) % 97}`;
        added.set(key, (added.get(key) ?? 0) + 1);
        queue.add(key);
        if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      await untilIdle(queue);
      queue.close();
      await Promise.all(workers);
      assert.equal(wrong, '');
      assert.deepEqual(seen, added);
    },
  );

  on('closing answers all takers with undefined', async (queue) => {
    const taker = queue.take();
    queue.close();
    assert.equal(await taker, undefined);
    queue.add('a');
    assert.equal(await queue.take(), undefined);
    queue.close();
  });
}

/** Polls, as a queue tells nobody when it comes to rest. */
async function untilIdle(queue: KeyQueue): Promise<void> {
  while (!queue.idle) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** The value, or undefined after a while. */
function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  return Promise.race([promise, new Promise<undefined>((resolve) => setTimeout(resolve, ms, undefined))]);
}
