import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { openCachedStorage } from '../cache/caching-storage.ts';
import type { CachedStorage } from '../cached-storage.ts';
import type { Storage, TransactionResult } from '../storage.ts';
import { SimulatedDisk } from '../testing/simulated-disk.ts';
import { del, guard, key, plain, put, revision, until, write } from '../testing/storage-fixture.ts';
import type { GroupEvent } from './commit-group.ts';
import { openLevelStorage } from './level-storage.ts';
import type { Head } from './meta.ts';
import { Tombstones, tombstonesMax } from './tombstones.ts';

const a = '/g/r/c/n/a';

interface Opened {
  readonly disk: SimulatedDisk;
  /** Pointers that were looked for on the disk. */
  reads: number;
  open(): Promise<{ readonly level: Storage; readonly cache: CachedStorage }>;
}

async function withStore(run: (opened: Opened) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'cellplane-recall-'));
  const disk = new SimulatedDisk();
  const opened: Opened = {
    disk,
    reads: 0,
    async open() {
      const createDatabase = disk.boot();
      const level = await openLevelStorage({
        directory,
        createDatabase: (location) => {
          const database = createDatabase(location);
          const getMany = database.getMany.bind(database);
          database.getMany = (keys, view) => {
            opened.reads += keys.filter((one) => one.toString('latin1').startsWith('k')).length;
            return getMany(keys, view);
          };
          return database;
        },
      });
      return { level, cache: await openCachedStorage(level) };
    },
  };
  try {
    await run(opened);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

const create = (storage: Storage): Promise<TransactionResult> =>
  storage.transact({ guards: [guard(a, 0)], operations: [put(a, 'new')] });

async function stateAt(storage: Storage, at: number): Promise<string[]> {
  const { items } = await storage.range({ prefix: '', atRevision: revision(at) });
  return items.map((item) => plain(item).value);
}

describe('level: guards checked against the cache', () => {
  it('reads no pointer for writes of present, absent and deleted keys', () =>
    withStore(async (opened) => {
      const { cache } = await opened.open();
      opened.reads = 0;
      await write(cache, put(a, '1'));
      await write(cache, put(a, '2'), put('/g/r/c/n/b', '1'));
      await write(cache, del(a));
      assert.ok((await create(cache)).committed);
      assert.equal(opened.reads, 0);
      const refused = await create(cache);
      assert.ok(!refused.committed);
      assert.deepEqual(plain(refused.current), { key: a, value: 'new', revision: 5 });
      await cache.close();
    }));

  it('keeps the history of a key that is deleted and made again, over a restart too', () =>
    withStore(async (opened) => {
      let { level, cache } = await opened.open();
      await write(cache, put(a, '1'));
      await write(cache, del(a));
      assert.ok((await create(cache)).committed);
      await write(cache, del(a));
      assert.deepEqual(await Promise.all([2, 3, 4, 5].map((at) => stateAt(level, at))), [
        ['1'],
        [],
        ['new'],
        [],
      ]);
      await cache.close();
      ({ level, cache } = await opened.open());
      opened.reads = 0;
      assert.ok((await create(cache)).committed);
      assert.equal(opened.reads, 0);
      assert.deepEqual(await Promise.all([2, 3, 4, 5, 6].map((at) => stateAt(level, at))), [
        ['1'],
        [],
        ['new'],
        [],
        ['new'],
      ]);
      await cache.close();
      await (await opened.open()).cache.close();
    }));

  it('goes on after what was deleted is pruned', () =>
    withStore(async (opened) => {
      const { cache } = await opened.open();
      await write(cache, put(a, '1'));
      await write(cache, del(a));
      await cache.compact(revision(3));
      await until('the pointer is gone', () => !opened.disk.names().some((name) => name.startsWith('k')));
      assert.ok((await create(cache)).committed);
      await cache.close();
      const reopened = await opened.open();
      assert.deepEqual(plain(reopened.cache.peek(key(a))), { key: a, value: 'new', revision: 4 });
      await reopened.cache.close();
    }));

  it('asks the disk when a writer is in the middle of an event', () =>
    withStore(async (opened) => {
      const { cache } = await opened.open();
      const written: Promise<TransactionResult>[] = [];
      cache.watchCache('/g/r/c/n/', revision(1), {
        events: (events) => {
          // The cache has the first of two revisions, the store both.
          if (events[0]?.key === '/g/r/c/n/0') written.push(create(cache));
        },
        end() {},
      });
      await Promise.all([write(cache, put('/g/r/c/n/0', 'x')), write(cache, put(a, 'first'))]);
      const [result] = await Promise.all(written);
      assert.ok(result !== undefined && !result.committed);
      assert.deepEqual(plain(result.current), { key: a, value: 'first', revision: 3 });
      await cache.close();
    }));
});

describe('tombstones', () => {
  const head = (at: number, pruned: number): Head => ({
    revision: revision(at),
    compacted: revision(pruned),
    pruned: revision(pruned),
    count: 0,
    sum: 0,
  });
  const event = (type: GroupEvent['type'], name: string, at: number): GroupEvent => ({
    type,
    key: key(name),
    revision: revision(at),
    value: undefined,
    previous: undefined,
    link: undefined,
  });

  it('holds deletes until the key is written again or they are pruned', () => {
    const tombstones = new Tombstones(revision(1));
    const revisions = [[event('delete', 'a', 2)], [event('delete', 'b', 3)], [event('put', 'a', 4)]];
    tombstones.take({ head: head(4, 1), revisions });
    assert.equal(tombstones.revisionOf(key('a')), undefined);
    assert.equal(tombstones.revisionOf(key('b')), 3);
    tombstones.take({ head: head(4, 3), revisions: [] });
    assert.equal(tombstones.revisionOf(key('b')), undefined);
    assert.ok(tombstones.isComplete(revision(3)));
  });

  it('forgets all when there are too many, and is complete again when those are pruned', () => {
    const tombstones = new Tombstones(revision(1));
    for (let at = 2; at <= tombstonesMax + 2; at++) tombstones.add(key(`k${at}`), revision(at));
    assert.equal(tombstones.revisionOf(key('k2')), undefined);
    assert.ok(!tombstones.isComplete(revision(1)));
    tombstones.add(key('later'), revision(tombstonesMax + 3));
    assert.equal(tombstones.revisionOf(key('later')), tombstonesMax + 3);
    assert.ok(tombstones.isComplete(revision(tombstonesMax + 2)));
  });
});
