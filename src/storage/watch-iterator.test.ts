import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isStorageError } from './errors.ts';
import { createMemoryStorage } from './memory/memory-storage.ts';
import { put, revision, write } from './testing/storage-fixture.ts';
import { watchIterator } from './watch-iterator.ts';

const all = { prefix: '', afterRevision: revision(1) };

describe('watch iterator', () => {
  it('gives out events in order and closes the watch when the loop is left', async () => {
    const storage = createMemoryStorage();
    for (let index = 0; index < 5; index++) await write(storage, put(`/${index}`, 'x'));
    const seen: number[] = [];
    for await (const event of watchIterator(storage, all)) {
      seen.push(event.revision);
      if (seen.length === 3) await write(storage, put('/live', 'x'));
      if (event.key === '/live') break;
    }
    assert.deepEqual(seen, [2, 3, 4, 5, 6, 7]);
    await storage.close();
  });

  it('ends quietly when the signal fires, before or while waiting', async () => {
    const storage = createMemoryStorage();
    const abort = new AbortController();
    const waiting = watchIterator(storage, all, { signal: abort.signal })[Symbol.asyncIterator]();
    const next = waiting.next();
    setImmediate(() => abort.abort());
    assert.deepEqual(await next, { done: true, value: undefined });
    for await (const _ of watchIterator(storage, all, { signal: abort.signal })) assert.fail();
    await storage.close();
  });

  it('gives out what it has before the end of the store', async () => {
    const storage = createMemoryStorage();
    const iterator = watchIterator(storage, all)[Symbol.asyncIterator]();
    await write(storage, put('/a', 'x'));
    assert.equal((await iterator.next()).value?.revision, 2);
    await write(storage, put('/a', 'y'));
    await storage.close();
    assert.equal((await iterator.next()).value?.revision, 3);
    await assert.rejects(iterator.next(), (error) => isStorageError(error, 'closed'));
    assert.equal((await iterator.next()).done, true);
  });

  it('is ended at its bound of events or of bytes, but holds one event of any size', async () => {
    for (const [limits, survives] of [
      [{ backlogEventsMax: 3 }, 3],
      [{ backlogBytesMax: 2_500 }, 2],
      [{ backlogBytesMax: 10 }, 1],
    ] as const) {
      const storage = createMemoryStorage();
      const iterator = watchIterator(storage, all, limits)[Symbol.asyncIterator]();
      const first = iterator.next();
      await write(storage, put('/first', 'x'));
      await first;
      for (let index = 0; index < survives; index++)
        await write(storage, put(`/${index}`, 'x'.repeat(1_000)));
      assert.equal((await iterator.next()).value?.key, '/0');
      for (let index = 0; index < 5; index++) await write(storage, put(`/more${index}`, 'x'.repeat(1_000)));
      await assert.rejects(iterator.next(), (error) => isStorageError(error, 'slow-watcher'));
      await storage.close();
    }
  });

  it('throws what the watch throws', async () => {
    const storage = createMemoryStorage();
    const iterator = watchIterator(storage, { prefix: '', afterRevision: revision(9) })[
      Symbol.asyncIterator
    ]();
    await assert.rejects(iterator.next(), (error) => isStorageError(error, 'future'));
    await storage.close();
  });
});
