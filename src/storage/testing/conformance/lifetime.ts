import assert from 'node:assert/strict';
import { it } from 'node:test';
import { isStorageError } from '../../errors.ts';
import type { Storage } from '../../storage.ts';
import {
  del,
  guard,
  key,
  plain,
  put,
  record,
  revision,
  type StorageFixture,
  until,
  write,
} from '../storage-fixture.ts';
import { rejectsWith } from './rejects-with.ts';

export function compaction(store: () => Storage): void {
  it('forgets events at or before, and states before, and nothing else', async () => {
    for (let index = 0; index < 5; index++) await write(store(), put('/g/r/c/n/a', String(index)));
    await write(store(), put('/g/r/c/n/b', 'old'));
    await write(store(), put('/g/r/c/n/gone', 'x'));
    await write(store(), del('/g/r/c/n/gone'));
    await store().compact(revision(5));
    assert.equal(await store().compactedRevision(), 5);
    await assert.rejects(store().range({ prefix: '', atRevision: revision(4) }), rejectsWith('compacted'));
    await assert.rejects(
      store().watch({ prefix: '', afterRevision: revision(4) }, { events() {}, end() {} }),
      rejectsWith('compacted'),
    );
    const state = await store().range({ prefix: '', atRevision: revision(5) });
    assert.deepEqual(
      state.items.map((item) => plain(item)),
      [{ key: '/g/r/c/n/a', value: '3', revision: 5 }],
    );
    const recording = await record(store(), { prefix: '', afterRevision: revision(5) });
    await until('the events left', () => recording.events.length === 4);
    assert.deepEqual(recording.events[0]?.previous, { key: '/g/r/c/n/a', value: '3', revision: 5 });
    await store().compact(revision(3));
    assert.equal(await store().compactedRevision(), 5);
    await assert.rejects(store().compact(revision(100)), rejectsWith('future'));
    await store().compact(await store().currentRevision());
    const { items } = await store().range({ prefix: '' });
    assert.deepEqual(
      items.map((item) => plain(item)),
      [
        { key: '/g/r/c/n/a', value: '4', revision: 6 },
        { key: '/g/r/c/n/b', value: 'old', revision: 7 },
      ],
    );
    assert.equal((await store().get(key('/g/r/c/n/b')))?.revision, 7);
    assert.deepEqual(
      await store().transact({
        guards: [guard('/g/r/c/n/gone', 0)],
        operations: [put('/g/r/c/n/gone', 'y')],
      }),
      {
        committed: true,
        revision: 10,
      },
    );
  });

  it('keeps watchers that are at the head', async () => {
    const recording = await record(store(), { prefix: '', afterRevision: revision(1) });
    for (let index = 0; index < 10; index++) {
      const at = await write(store(), put('/g/r/c/n/a', String(index)));
      await until('the event', () => recording.events.length === index + 1);
      await store().compact(at);
    }
    assert.deepEqual(recording.ended, []);
    assert.equal(recording.events[9]?.previous?.value, '8');
  });
}

export function closing(store: () => Storage): void {
  it('finishes writes under way, ends watches and refuses what comes after', async () => {
    const recording = await record(store(), { prefix: '', afterRevision: revision(1) });
    const underWay = Array.from({ length: 10 }, (_, index) => write(store(), put(`/g/r/c/n/${index}`, 'x')));
    await Promise.all(underWay);
    await Promise.all([store().close(), store().close()]);
    assert.equal(recording.ended.length, 1);
    assert.ok(isStorageError(recording.ended[0], 'closed'));
    await assert.rejects(write(store(), put('/g/r/c/n/a', '1')), rejectsWith('closed'));
    await assert.rejects(store().get(key('/g/r/c/n/a')), rejectsWith('closed'));
    await assert.rejects(store().range({ prefix: '' }), rejectsWith('closed'));
    await assert.rejects(store().currentRevision(), rejectsWith('closed'));
    await store().close();
  });
}

export function reopening(current: () => StorageFixture): void {
  it('has everything again after close and open', async () => {
    const { storage } = current();
    for (let index = 0; index < 20; index++) await write(storage, put(`/g/r/c/n/${index}`, String(index)));
    await write(storage, del('/g/r/c/n/3'), put('/g/r/c/n/4', 'new'));
    await storage.compact(revision(4));
    const before = (await storage.range({ prefix: '' })).items.map((item) => plain(item));
    const past = (await storage.range({ prefix: '', atRevision: revision(10) })).items.map((item) =>
      plain(item),
    );
    const ids = [storage.controlPlaneId, storage.incarnationId];
    const reopened = await current().reopen?.();
    assert.ok(reopened);
    assert.deepEqual([reopened.controlPlaneId, reopened.incarnationId], ids);
    assert.equal(await reopened.currentRevision(), 22);
    assert.equal(await reopened.compactedRevision(), 4);
    assert.deepEqual(
      (await reopened.range({ prefix: '' })).items.map((item) => plain(item)),
      before,
    );
    assert.deepEqual(
      (await reopened.range({ prefix: '', atRevision: revision(10) })).items.map((item) => plain(item)),
      past,
    );
    const recording = await record(reopened, { prefix: '', afterRevision: revision(4) });
    await until('the log', () => recording.events.length === 19);
    assert.deepEqual(recording.events.at(-2), {
      type: 'delete',
      key: '/g/r/c/n/3',
      revision: 22,
      value: undefined,
      previous: { key: '/g/r/c/n/3', value: '3', revision: 5 },
    });
    assert.equal(await write(reopened, put('/g/r/c/n/3', 'again')), 23);
  });
}
