import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { CachedStorage } from '../cached-storage.ts';
import { isStorageError, StorageError } from '../errors.ts';
import { createMemoryStorage } from '../memory/memory-storage.ts';
import type { Storage } from '../storage.ts';
import { RemoteStorage } from '../testing/remote-storage.ts';
import { runStorageConformance } from '../testing/storage-conformance.ts';
import { key, put, record, revision, until, write } from '../testing/storage-fixture.ts';
import { openCachedStorage } from './caching-storage.ts';
import { QuorumReads, RevisionWaiters } from './freshness.ts';

async function cacheOverRemoteFixture() {
  const storage = await openCachedStorage(new RemoteStorage(createMemoryStorage()), { freshWaitMs: 60_000 });
  return { storage, dispose: () => storage.close() };
}

runStorageConformance('cache over a remote store', cacheOverRemoteFixture, { reopen: false });

describe('cache over a store that others write too', () => {
  let origin: Storage;
  let remote: RemoteStorage;
  let cache: CachedStorage;

  beforeEach(async () => {
    origin = createMemoryStorage();
    remote = new RemoteStorage(origin);
    cache = await openCachedStorage(remote, { freshWaitMs: 60_000 });
  });
  afterEach(() => cache.close());

  it('waits for what others have written before it answers', async () => {
    remote.hold();
    await write(origin, put('/g/r/c/n/a', '1'));
    assert.equal(cache.peek(key('/g/r/c/n/a')), undefined);
    const reading = cache.get(key('/g/r/c/n/a'));
    let answered = false;
    void reading.then(() => {
      answered = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(answered, false);
    remote.release();
    assert.equal((await reading)?.value.toString(), '1');
  });

  it('answers a writer only when the cache has its write', async () => {
    remote.hold();
    const writing = write(cache, put('/g/r/c/n/a', '1'));
    setImmediate(() => remote.release());
    const at = await writing;
    assert.equal(cache.revision, at);
    assert.equal(cache.peek(key('/g/r/c/n/a'))?.revision, at);
  });

  it('serves all who asked in one turn with one quorum read', async () => {
    remote.currentRevisionReads = 0;
    await Promise.all(Array.from({ length: 50 }, () => cache.awaitFresh()));
    assert.equal(remote.currentRevisionReads, 1);
    await cache.awaitFresh();
    assert.equal(remote.currentRevisionReads, 2);
  });

  it('lets nobody wait for a quorum read that began before the asking, and begins no more than it may', async () => {
    const ends: (() => void)[] = [];
    let begun = 0;
    const reads = new QuorumReads(() => {
      begun++;
      return new Promise((resolve) => ends.push(resolve));
    }, 2);
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    const answered: number[] = [];
    const ask = async (who: number) => {
      await reads.fresh();
      answered.push(who);
    };
    const asked: Promise<void>[] = [];
    for (const who of [1, 2, 3]) {
      asked.push(ask(who));
      await turn();
      await turn();
    }
    assert.equal(begun, 2);
    asked.push(ask(4));
    ends[1]?.();
    await asked[1];
    await turn();
    assert.deepEqual(answered, [2]);
    assert.equal(begun, 3);
    ends[2]?.();
    await Promise.all([asked[2], asked[3]]);
    ends[0]?.();
    await Promise.all(asked);
    assert.deepEqual(answered, [2, 3, 4, 1]);
  });

  it('goes on after a quorum read that failed', async () => {
    let fails = true;
    const reads = new QuorumReads(async () => {
      if (fails) throw new StorageError('unavailable', 'away');
    }, 1);
    await assert.rejects(reads.fresh(), /away/);
    fails = false;
    await reads.fresh();
  });

  it('ends each wait in its own time, and serves those whose revision is reached in any order', async () => {
    const waiters = new RevisionWaiters();
    const settled: string[] = [];
    const wait = (at: number, waitMs: number) =>
      waiters.wait(revision(at), waitMs).then(
        () => settled.push(`${at} reached`),
        () => settled.push(`${at} over`),
      );
    const waits = [wait(9, 60_000), wait(5, 60_000), wait(7, 20), wait(6, 60_000)];
    waiters.reached(revision(5));
    await waits[1];
    await waits[2];
    assert.deepEqual(settled, ['5 reached', '7 over']);
    waiters.reached(revision(6));
    waiters.rejectAll(new StorageError('closed', 'over'));
    await Promise.all(waits);
    assert.deepEqual(settled, ['5 reached', '7 over', '6 reached', '9 over']);
  });

  it('ends a wait that is not fulfilled with timeout', async () => {
    remote.hold();
    await write(origin, put('/g/r/c/n/a', '1'));
    await assert.rejects(cache.awaitRevision(revision(2), 10), (error) => isStorageError(error, 'timeout'));
    remote.release();
    await cache.awaitRevision(revision(2), 60_000);
    assert.equal((await cache.get(key('/g/r/c/n/a')))?.revision, 2);
  });

  it('ends a read that does not become fresh with timeout', async () => {
    const hasty = await openCachedStorage(remote, { freshWaitMs: 20 });
    remote.hold();
    await write(origin, put('/g/r/c/n/a', '1'));
    await assert.rejects(hasty.get(key('/g/r/c/n/a')), (error) => isStorageError(error, 'timeout'));
    await hasty.close();
  });

  it('follows again after its watch broke, without its watchers noticing', async () => {
    const watch = await record(cache, { prefix: '', afterRevision: revision(1) });
    await write(cache, put('/g/r/c/n/a', '1'));
    remote.watchFailures.push(new StorageError('unavailable', 'still away'));
    remote.breakWatches();
    await write(origin, put('/g/r/c/n/b', '2'));
    await until('the event', () => watch.events.length === 2);
    assert.deepEqual(watch.ended, []);
    assert.equal(cache.revision, 3);
  });

  it('reads everything anew when it was away for longer than the log, and tells its watchers', async () => {
    await write(cache, put('/g/r/c/n/a', '1'), put('/g/r/c/n/gone', '1'));
    const watch = await record(cache, { prefix: '', afterRevision: revision(2) });
    const away = new StorageError('unavailable', 'still away');
    remote.watchFailures.push(...Array.from({ length: 1_000 }, () => away));
    remote.breakWatches();
    await origin.transact({ guards: [], operations: [{ type: 'delete', key: key('/g/r/c/n/gone') }] });
    await write(origin, put('/g/r/c/n/b', '2'));
    await origin.compact(revision(4));
    remote.watchFailures.length = 0;
    await until('the end', () => watch.ended.length === 1);
    assert.ok(isStorageError(watch.ended[0], 'compacted'));
    await cache.awaitRevision(revision(4), 60_000);
    assert.equal(cache.snapshot('/g/').count(), 2);
    assert.equal(cache.peek(key('/g/r/c/n/gone')), undefined);
    assert.throws(
      () => cache.watchCache('', revision(3), { events() {}, end() {} }),
      (error) => isStorageError(error, 'compacted'),
    );
    const next = await record(cache, { prefix: '', afterRevision: revision(4) });
    await write(cache, put('/g/r/c/n/c', '3'));
    assert.equal(next.events.length, 1);
  });

  it('waits between its tries to read anew', async () => {
    await write(cache, put('/g/r/c/n/a', '1'));
    remote.rangeFailures.push(
      ...Array.from({ length: 1_000 }, () => new StorageError('unavailable', 'away')),
    );
    remote.ranges = 0;
    const compacted = new StorageError('compacted', 'the revision was compacted');
    remote.watchFailures.push(...Array.from({ length: 1_000 }, () => compacted));
    remote.breakWatches();
    await until('two tries', () => remote.ranges >= 2);
    assert.ok(remote.ranges < 5, `${remote.ranges} tries at once`);
    remote.rangeFailures.length = 0;
    remote.watchFailures.length = 0;
    await cache.awaitFresh();
  });

  it('ends with the store', async () => {
    const watch = await record(cache, { prefix: '', afterRevision: revision(1) });
    await origin.close();
    assert.ok(isStorageError(watch.ended[0], 'closed'));
    await assert.rejects(
      async () => cache.awaitFresh(),
      (error) => isStorageError(error, 'closed'),
    );
  });
});
