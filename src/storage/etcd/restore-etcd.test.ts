import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '#apimachinery/clock.ts';
import { EtcdServer, skipWithoutEtcd } from '../../../test/harness/etcd-server.ts';
import { contentDigest } from '../backup/content-digest.ts';
import { restoreEtcdStorage } from '../backup/restore-etcd.ts';
import { writeBackup } from '../backup/write-backup.ts';
import { isStorageError } from '../errors.ts';
import { createMemoryStorage } from '../memory/memory-storage.ts';
import type { Storage } from '../storage.ts';
import { del, guard, key, put, record, revision, until, write } from '../testing/storage-fixture.ts';
import { openEtcdStorage } from './etcd-storage.ts';

describe('restore into etcd', { skip: skipWithoutEtcd }, () => {
  let etcd: EtcdServer;
  let origin: Storage;
  let chunks: Buffer[];

  before(async () => {
    etcd = await EtcdServer.start({ flags: ['--unsafe-no-fsync'] });
    origin = createMemoryStorage({ controlPlaneId: 'origin' });
    for (let index = 0; index < 350; index++) await write(origin, put(`/g/r/c/n/${index}`, `value ${index}`));
    await write(origin, put('/g/r/c/n/large', 'x'.repeat(1_200_000)));
    chunks = await collect(origin);
  });
  after(() => etcd.dispose());

  async function collect(storage: Storage): Promise<Buffer[]> {
    const collected: Buffer[] = [];
    for await (const chunk of writeBackup(storage, { nowMs: 0 })) collected.push(Buffer.from(chunk));
    return collected;
  }

  async function* stream(parts: readonly Buffer[]): AsyncGenerator<Buffer> {
    yield* parts;
  }

  const access = (prefix: string) => ({
    endpoints: [etcd.endpoint],
    prefix,
    clock: systemClock,
    requestTimeoutMs: 120_000,
  });

  it('gives back every object at revisions beyond all that were handed out', async () => {
    const before = await origin.currentRevision();
    const summary = await restoreEtcdStorage({ ...access('/restored'), source: stream(chunks) });
    assert.deepEqual([summary.keys, summary.controlPlaneId], [351, 'origin']);
    const storage = await openEtcdStorage(access('/restored'));
    try {
      assert.equal(storage.controlPlaneId, 'origin');
      assert.notEqual(storage.incarnationId, origin.incarnationId);
      assert.equal(await storage.compactedRevision(), summary.revision);
      const { items } = await storage.range({ prefix: '' });
      const expected = (await origin.range({ prefix: '' })).items;
      assert.deepEqual(
        items.map((item) => [item.key, item.value.toString()]),
        expected.map((item) => [item.key, item.value.toString()]),
      );
      assert.ok(items.every((item) => item.revision > before));
      for (const past of [before, items[0]?.revision ?? 0]) {
        await assert.rejects(
          storage.watch({ prefix: '', afterRevision: revision(past) }, { events() {}, end() {} }),
          (error) => isStorageError(error, 'compacted'),
        );
        await assert.rejects(storage.range({ prefix: '', atRevision: revision(past) }), (error) =>
          isStorageError(error, 'compacted'),
        );
      }
      const recording = await record(storage, { prefix: '', afterRevision: revision(summary.revision) });
      const name = '/g/r/c/n/7';
      const at = items.find((item) => item.key === name)?.revision ?? 0;
      const swapped = await storage.transact({ guards: [guard(name, at)], operations: [put(name, 'new')] });
      assert.ok(swapped.committed && swapped.revision > summary.revision);
      const stale = await storage.transact({ guards: [guard(name, 8)], operations: [put(name, 'stale')] });
      assert.ok(!stale.committed);
      await until('the event', () => recording.events.length === 1);
      assert.deepEqual(recording.events[0]?.previous, { key: name, value: 'value 7', revision: at });
      // And from there on to the next store.
      const again = await restoreEtcdStorage({
        ...access('/again'),
        source: stream(await collect(storage)),
        asClone: true,
      });
      assert.ok(again.revision > swapped.revision);
      assert.notEqual(again.controlPlaneId, 'origin');
    } finally {
      await storage.close();
    }
    assert.equal((await origin.get(key('/g/r/c/n/7')))?.value.toString(), 'value 7');
  });

  it('refuses a prefix that holds something, and leaves one that the store refuses', async () => {
    await assert.rejects(restoreEtcdStorage({ ...access('/restored'), source: stream(chunks) }), (error) =>
      isStorageError(error, 'unusable'),
    );
    await assert.rejects(
      restoreEtcdStorage({ ...access('/cut'), source: stream(chunks.slice(0, -1)) }),
      (error) => isStorageError(error, 'corrupt'),
    );
    await assert.rejects(openEtcdStorage(access('/cut')), /did not come to its end/);
  });

  it('goes on where it was cut short, also when the store has changed since, and lets no two go on', async () => {
    const moved = createMemoryStorage({ controlPlaneId: 'moved' });
    for (let index = 0; index < 350; index++) await write(moved, put(`/g/r/c/n/${index}`, `value ${index}`));
    const parts = await collect(moved);
    const cut = async function* (): AsyncGenerator<Buffer> {
      yield* parts.slice(0, -1);
      throw new Error('cut short');
    };
    await assert.rejects(restoreEtcdStorage({ ...access('/resumed'), source: cut() }), /cut short/);
    await write(moved, put('/g/r/c/n/1', 'other'), del('/g/r/c/n/100'), put('/g/r/c/n/0/new', 'new'));
    const changed = await collect(moved);
    const resume = { ...access('/resumed'), resume: true };
    await assert.rejects(
      restoreEtcdStorage({ ...resume, source: stream(chunks) }),
      (error) => isStorageError(error, 'unusable') && error.message.includes('another control plane'),
    );
    // One that still is at it finds its claim gone when another goes on.
    let goOn = () => {};
    const another = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    let claimed = () => {};
    const hasClaimed = new Promise<void>((resolve) => {
      claimed = resolve;
    });
    const slow = async function* (): AsyncGenerator<Buffer> {
      yield* parts.slice(0, 1);
      // Asked for what follows the header.
      claimed();
      await another;
      yield* parts.slice(1);
    };
    const first = restoreEtcdStorage({ ...resume, source: slow() });
    const overtaken = assert.rejects(first, /somebody else/);
    await hasClaimed;
    const summary = await restoreEtcdStorage({ ...resume, source: stream(changed) });
    goOn();
    await overtaken;
    // Three of four batches were there, without the changed one and the deleted one.
    assert.deepEqual([summary.keys, summary.kept], [350, 298]);
    const storage = await openEtcdStorage(access('/resumed'));
    try {
      assert.deepEqual(await contentDigest(storage), await contentDigest(moved));
    } finally {
      await storage.close();
    }
    await assert.rejects(restoreEtcdStorage({ ...resume, source: stream(changed) }), (error) =>
      isStorageError(error, 'unusable'),
    );
  });
});
