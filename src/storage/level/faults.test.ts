import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { openCachedStorage } from '../cache/caching-storage.ts';
import { isStorageError, type StorageErrorCode } from '../errors.ts';
import type { Storage, TransactionResult } from '../storage.ts';
import { SimulatedDisk } from '../testing/simulated-disk.ts';
import { del, guard, key, plain, put, record, revision, until, write } from '../testing/storage-fixture.ts';
import type { LevelDatabase } from './database.ts';
import { type LevelStorageOptions, openLevelStorage } from './level-storage.ts';

describe('level: faults of the disk', () => {
  let base: string;
  let folders = 0;

  before(async () => {
    base = await mkdtemp(join(tmpdir(), 'cellplane-faults-'));
  });
  after(() => rm(base, { recursive: true, force: true }));

  const opener = (disk: SimulatedDisk) => {
    const directory = join(base, String(folders++));
    return (options: Partial<LevelStorageOptions> = {}) =>
      openLevelStorage({ directory, createDatabase: disk.boot(), settleWaitMs: 60_000, ...options });
  };

  async function outcomes(promises: Promise<unknown>[]): Promise<string[]> {
    const settled = await Promise.allSettled(promises);
    return settled.map((result) => {
      if (result.status === 'fulfilled') return 'ok';
      return isStorageError(result.reason) ? result.reason.code : String(result.reason);
    });
  }

  it('keeps every acknowledged write over a crash that drops what was not synced', async () => {
    const disk = new SimulatedDisk();
    const open = opener(disk);
    const storage = await open();
    const acknowledged = await Promise.all(
      Array.from({ length: 100 }, (_, index) => write(storage, put(`/g/r/c/n/${index}`, String(index)))),
    );
    void write(storage, put('/g/r/c/n/late', 'x')).catch(() => {});
    disk.crash();
    await storage.close().catch(() => {});
    const reopened = await open();
    assert.ok((await reopened.currentRevision()) >= Math.max(...acknowledged));
    for (let index = 0; index < 100; index++) {
      assert.equal((await reopened.get(key(`/g/r/c/n/${index}`)))?.value.toString(), String(index));
    }
    await reopened.close();
  });

  it('would lose them without sync: this is what the test above sees', async () => {
    const disk = new SimulatedDisk();
    const open = opener(disk);
    const storage = await open({ sync: false });
    const acknowledged = await write(storage, put('/g/r/c/n/a', '1'));
    disk.crash();
    const reopened = await open();
    assert.ok((await reopened.currentRevision()) < acknowledged);
    assert.equal(await reopened.get(key('/g/r/c/n/a')), undefined);
    await reopened.close();
    await storage.close();
  });

  it('gathers concurrent writes into one sync', async () => {
    const disk = new SimulatedDisk();
    const storage = await opener(disk)();
    const before = disk.syncedBatches;
    await Promise.all(
      Array.from({ length: 200 }, (_, index) => write(storage, put(`/g/r/c/n/${index}`, 'x'))),
    );
    assert.ok(disk.syncedBatches - before <= 5, `${disk.syncedBatches - before} syncs`);
    assert.equal(disk.syncedBatches, disk.batches);
    await storage.close();
  });

  for (const fault of ['lost', 'landed'] as const) {
    it(`after a failed batch that ${fault}: outcome-unknown, reopened, watchers told what happened`, async () => {
      const disk = new SimulatedDisk();
      const level = await opener(disk)();
      const cache = await openCachedStorage(level);
      await write(cache, put('/g/r/c/n/a', '1'));
      const watch = await record(level, { prefix: '', afterRevision: revision(2) });
      const cached = await record(cache, { prefix: '', afterRevision: revision(2) });
      disk.nextFault = fault;
      disk.openFailures = 1;
      const written = outcomes([write(cache, put('/g/r/c/n/b', '2'))]);
      // The first is being synced when the second comes.
      await new Promise((resolve) => setImmediate(resolve));
      const queued = outcomes([write(cache, put('/g/r/c/n/c', '3'))]);
      assert.deepEqual([await written, await queued], [['outcome-unknown'], ['outcome-unknown']]);
      assert.deepEqual(await outcomes([write(cache, put('/g/r/c/n/d', '4'))]), ['unavailable']);
      assert.deepEqual(await outcomes([level.get(key('/g/r/c/n/a'))]), ['unavailable']);
      await cache.awaitFresh();
      assert.equal(cache.awaitFresh(), undefined);
      const known = await level.currentRevision();
      assert.equal(known, fault === 'lost' ? 2 : 3);
      assert.equal(cache.revision, known);
      assert.equal(watch.events.length, known - 2);
      assert.deepEqual(cached.events, watch.events);
      assert.equal(cache.peek(key('/g/r/c/n/b')) !== undefined, fault === 'landed');
      const next = await write(cache, put('/g/r/c/n/d', '4'));
      assert.equal(next, known + 1);
      assert.deepEqual(
        watch.events.map((event) => event.revision),
        fault === 'lost' ? [3] : [3, 4],
      );
      assert.deepEqual([...watch.ended, ...cached.ended], []);
      await cache.close();
    });
  }

  it('answers a guard that failed against an uncommitted write only with that write', async () => {
    const disk = new SimulatedDisk();
    const storage = await opener(disk)();
    const name = '/g/r/c/n/a';
    const create = () => storage.transact({ guards: [guard(name, 0)], operations: [put(name, 'x')] });
    disk.nextFault = 'lost';
    assert.deepEqual(await outcomes([create(), create()]), ['outcome-unknown', 'outcome-unknown']);
    await storage.awaitSettled?.();
    const [first, second] = await Promise.all([create(), create()]);
    assert.deepEqual(first, { committed: true, revision: 2 });
    assert.ok(!second.committed);
    assert.deepEqual(plain(second.current), { key: name, value: 'x', revision: 2 });
    await storage.close();
  });

  it('answers what changes nothing, and tells the revision of an uncommitted write, only with that write', async () => {
    const disk = new SimulatedDisk();
    const storage = await opener(disk)();
    const idle = () => storage.transact({ guards: [], operations: [del('/g/r/c/n/none')] });
    disk.nextFault = 'lost';
    assert.deepEqual(await outcomes([write(storage, put('/g/r/c/n/a', '1')), idle()]), [
      'outcome-unknown',
      'outcome-unknown',
    ]);
    await storage.awaitSettled?.();
    const [written, told] = await Promise.all([write(storage, put('/g/r/c/n/a', '2')), idle()]);
    assert.deepEqual(told, { committed: true, revision: written });
    await storage.close();
  });

  it('knows what landed while it was reading where other keys stand', async () => {
    const disk = new SimulatedDisk();
    const boot = disk.boot();
    let onFlying: (() => void) | undefined;
    let landing: Promise<void> | undefined;
    const storage = await openLevelStorage({
      directory: join(base, String(folders++)),
      createDatabase: (directory) => {
        const database = boot(directory);
        return new Proxy(database, {
          get: (target, name: keyof LevelDatabase) => {
            if (name === 'batch')
              return (...batch: Parameters<LevelDatabase['batch']>) => {
                const done = target.batch(...batch);
                const flying = onFlying;
                onFlying = undefined;
                if (flying !== undefined) {
                  landing = done;
                  flying();
                }
                return done;
              };
            if (name === 'getMany')
              return async (...keys: Parameters<LevelDatabase['getMany']>) => {
                const found = await target.getMany(...keys);
                // As slow as the disk's own writing, and a turn more.
                await landing;
                if (landing !== undefined) await new Promise((resolve) => setImmediate(resolve));
                return found;
              };
            const member: unknown = target[name];
            return typeof member === 'function' ? member.bind(target) : member;
          },
        });
      },
    });
    const [known, unknown] = ['/g/r/c/n/known', '/g/r/c/n/unknown'];
    const second = new Promise<TransactionResult>((resolve, reject) => {
      onFlying = () => {
        const operations = [put(known, '2'), put(unknown, '1')];
        storage.transact({ guards: [guard(known, 2)], operations }).then(resolve, reject);
      };
    });
    assert.equal(await write(storage, put(known, '1')), 2);
    assert.deepEqual(await second, { committed: true, revision: 3 });
    await storage.close();
  });

  it('catches up a watch that was reading the log when the batch failed', async () => {
    const disk = new SimulatedDisk();
    const storage = await opener(disk)();
    for (let index = 0; index < 30; index++) await write(storage, put('/g/r/c/n/a', String(index)));
    disk.nextFault = 'landed';
    const failing = outcomes([write(storage, put('/g/r/c/n/a', 'unknown'))]);
    const watch = await record(storage, { prefix: '', afterRevision: revision(1) });
    assert.deepEqual(await failing, ['outcome-unknown']);
    await until('all events', () => watch.events.length === 31);
    assert.deepEqual(
      watch.events.map((event) => event.revision),
      Array.from({ length: 31 }, (_, index) => index + 2),
    );
    await storage.close();
  });

  it('stays closed when the reopened store has lost what was acknowledged', async () => {
    const disk = new SimulatedDisk();
    const storage = await opener(disk)();
    await write(storage, put('/g/r/c/n/a', '1'));
    const forget = disk.remember();
    await write(storage, put('/g/r/c/n/a', '2'));
    const watch = await record(storage, { prefix: '', afterRevision: revision(3) });
    disk.nextFault = 'lost';
    const failing = outcomes([write(storage, put('/g/r/c/n/a', '3'))]);
    forget();
    assert.deepEqual(await failing, ['outcome-unknown']);
    await until('the end', () => watch.ended.length === 1);
    assert.ok(isStorageError(watch.ended[0], 'corrupt'));
    assert.deepEqual(await outcomes([write(storage, put('/g/r/c/n/a', '4')), storage.currentRevision()]), [
      'corrupt',
      'corrupt',
    ]);
    await assert.rejects(async () => storage.awaitSettled?.());
    await storage.close();
  });

  it('can be closed while it cannot be reopened', async () => {
    const disk = new SimulatedDisk();
    const storage = await opener(disk)({ settleWaitMs: 20 });
    disk.nextFault = 'lost';
    disk.openFailures = 1_000;
    assert.deepEqual(await outcomes([write(storage, put('/g/r/c/n/a', '1'))]), ['outcome-unknown']);
    assert.deepEqual(await outcomes([Promise.resolve(storage.awaitSettled?.())]), ['unavailable']);
    await storage.close();
    assert.deepEqual(await outcomes([write(storage, put('/g/r/c/n/a', '1'))]), ['closed']);
  });

  it('survives random crashes: order, atomicity, no acknowledged write lost, no revision twice', async () => {
    const disk = new SimulatedDisk();
    const open = opener(disk);
    let acknowledged = 1;
    for (let round = 0; round < 8; round++) {
      const storage: Storage = await open();
      const before = await storage.currentRevision();
      assert.ok(before >= acknowledged);
      const pair = async (index: number): Promise<void> => {
        const at = await write(
          storage,
          put(`/a/r/c/n/${index}`, `${round}`),
          put(`/b/r/c/n/${index}`, `${round}`),
        );
        acknowledged = Math.max(acknowledged, at);
      };
      const writers = Array.from({ length: 40 }, (_, index) => pair(index % 10).catch(() => {}));
      for (let pause = 0; pause < round * 2; pause++) await new Promise((resolve) => setImmediate(resolve));
      disk.crash();
      await Promise.all(writers);
      await storage.close().catch(() => {});
      const reopened = await open({ verifyValues: true });
      for (let index = 0; index < 10; index++) {
        const left = await reopened.get(key(`/a/r/c/n/${index}`));
        const right = await reopened.get(key(`/b/r/c/n/${index}`));
        assert.equal(left?.revision, right?.revision);
        assert.equal(left?.value.toString(), right?.value.toString());
      }
      await reopened.close();
    }
  });

  const refusals: [string, StorageErrorCode][] = [
    ['head', 'corrupt'],
    ['ids', 'corrupt'],
  ];
  for (const [name, code] of refusals) {
    it(`refuses a store without its ${name} record`, async () => {
      const disk = new SimulatedDisk();
      const open = opener(disk);
      await (await open()).close();
      const database = disk.boot()('');
      await database.open({ createIfMissing: false });
      await database.batch([{ type: 'del', key: Buffer.from(`m${name}`) }], { sync: true });
      await database.close();
      assert.deepEqual(await outcomes([open()]), [code]);
    });
  }
});
