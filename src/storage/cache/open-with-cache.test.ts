import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { isStorageError } from '../errors.ts';
import { createClassicLevel, type LevelDatabase, type LevelRange } from '../level/database.ts';
import { openLevelStorage } from '../level/level-storage.ts';
import { databaseFolder } from '../level/marker.ts';
import { plain, put, revision, write } from '../testing/storage-fixture.ts';
import { openWithCache } from './caching-storage.ts';

describe('a cache that opens its store', () => {
  async function withFolder(test: (directory: string) => Promise<void>): Promise<void> {
    const directory = await mkdtemp(join(tmpdir(), 'cellplane-load-'));
    try {
      await test(directory);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }

  async function fill(directory: string, compactedAt: number): Promise<void> {
    const storage = await openLevelStorage({ directory });
    for (let index = 0; index < 40; index++) {
      await write(storage, put(`/g/r/c/n/${index % 25}`, `${index}`), put(`/g/r/c/m/${index}`, 'x'));
    }
    await storage.compact(revision(compactedAt));
    await storage.close();
  }

  it('reads each record once, older and newer than the compaction, and no further than the ring needs', () =>
    withFolder(async (directory) => {
      await fill(directory, 20);
      const ranges: LevelRange[] = [];
      const createDatabase = (location: string): LevelDatabase => {
        const database = createClassicLevel(location);
        const iterator = database.iterator.bind(database);
        database.iterator = (range) => {
          ranges.push(range);
          return iterator(range);
        };
        return database;
      };
      const storage = await openWithCache(
        (takeAll) => openLevelStorage({ directory, createDatabase, takeAll }),
        { ringEventsMax: 5 },
      );
      try {
        const ofRecords = ranges.filter(({ gte }) => gte?.[0] === 'r'.charCodeAt(0));
        // What is compacted, the log, and that nothing is beyond it.
        assert.equal(ofRecords.length, 3);
        assert.equal(storage.figures().keys, 65);
        assert.equal(storage.figures().ringEvents, 5);
        const items = (await storage.range({ prefix: '/g/r/c/n/' })).items.map((item) => plain(item));
        const plainStore = (await storage.range({ prefix: '/g/r/c/n/', atRevision: storage.revision })).items;
        assert.deepEqual(
          items,
          plainStore.map((item) => plain(item)),
        );
        assert.equal(items.find(({ key }) => key.endsWith('/14'))?.value, '39');
        const seen: number[] = [];
        storage.watchCache('', revision(storage.revision - 2), {
          events: (events) => seen.push(...events.map((event) => event.revision)),
          end() {},
        });
        assert.deepEqual(seen, [
          storage.revision - 1,
          storage.revision - 1,
          storage.revision,
          storage.revision,
        ]);
        // Half of a revision has left the ring: the whole of it has.
        assert.throws(
          () => storage.watchCache('', revision(storage.revision - 3), { events() {}, end() {} }),
          (error) => isStorageError(error, 'compacted'),
        );
      } finally {
        await storage.close();
      }
    }));

  it('leaves the files as they were when what was read cannot be taken', () =>
    withFolder(async (directory) => {
      await fill(directory, 2);
      const before = (await readdir(databaseFolder(directory))).sort();
      const failing = openWithCache((takeAll) =>
        openLevelStorage({
          directory,
          takeAll: async (pages) => {
            await takeAll(pages);
            throw new Error('cannot be taken');
          },
        }),
      );
      await assert.rejects(failing, /cannot be taken/);
      assert.deepEqual((await readdir(databaseFolder(directory))).sort(), before);
      const notToItsEnd = openLevelStorage({ directory, takeAll: async () => {} });
      await assert.rejects(notToItsEnd, /must be read to its end/);
      assert.deepEqual((await readdir(databaseFolder(directory))).sort(), before);
      assert.deepEqual(await readdir(directory), ['cellplane-store.json', 'leveldb']);
    }));

  it('reads a store by pages that hands nothing over', () =>
    withFolder(async (directory) => {
      await fill(directory, 20);
      const storage = await openWithCache(() => openLevelStorage({ directory }));
      assert.equal(storage.figures().keys, 65);
      await storage.close();
    }));
});
