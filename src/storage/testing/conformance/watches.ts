import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Storage, StorageEvent } from '../../storage.ts';
import { watchIterator } from '../../watch-iterator.ts';
import {
  del,
  type PlainEvent,
  type PlainItem,
  plain,
  put,
  record,
  revision,
  until,
  write,
} from '../storage-fixture.ts';
import { rejectsWith } from './rejects-with.ts';

export function watches(store: () => Storage): void {
  it('delivers puts and deletes with what stood there before, past and live', async () => {
    await write(store(), put('/g/r/c/n/a', '1'));
    await write(store(), put('/g/r/c/n/a', '2'));
    const expected: PlainEvent[] = [
      {
        type: 'put',
        key: '/g/r/c/n/a',
        revision: 3,
        value: '2',
        previous: { key: '/g/r/c/n/a', value: '1', revision: 2 },
      },
      {
        type: 'delete',
        key: '/g/r/c/n/a',
        revision: 4,
        value: undefined,
        previous: { key: '/g/r/c/n/a', value: '2', revision: 3 },
      },
      { type: 'put', key: '/g/r/c/n/a', revision: 5, value: '3', previous: undefined },
    ];
    const live = await record(store(), { prefix: '/g/r/', afterRevision: revision(2) });
    await write(store(), del('/g/r/c/n/a'));
    await write(store(), put('/g/r/c/n/a', '3'));
    await until('live events', () => live.events.length === 3);
    assert.deepEqual(live.events, expected);
    const past = await record(store(), { prefix: '/g/r/', afterRevision: revision(2) });
    await until('past events', () => past.events.length === 3);
    assert.deepEqual(past.events, expected);
    live.subscription.close();
    await write(store(), put('/g/r/c/n/a', '4'));
    await until('the open watch', () => past.events.length === 4);
    assert.equal(live.events.length, 3);
    assert.deepEqual(live.ended, []);
  });

  it('delivers a revision whole, in key order, and only under the prefix', async () => {
    const watched = await record(store(), { prefix: '/g/r/a', afterRevision: revision(1) });
    const all = await record(store(), { prefix: '', afterRevision: revision(1) });
    await write(
      store(),
      put('/g/r/b/n/1', '1'),
      put('/g/r/a/n/2', '2'),
      put('/g/r/a/n/1', '3'),
      put('/g/r/ab/n/1', '4'),
    );
    await write(store(), put('/g/r/b/n/1', '2'));
    await until('all events', () => all.events.length === 5);
    // Another watch, which may be told later.
    await until('its events', () => watched.events.length === 3);
    assert.deepEqual(
      watched.calls.map((call) => call.map((event) => event.key)),
      [['/g/r/a/n/1', '/g/r/a/n/2', '/g/r/ab/n/1']],
    );
    assert.deepEqual(
      all.events.map((event) => event.key),
      ['/g/r/a/n/1', '/g/r/a/n/2', '/g/r/ab/n/1', '/g/r/b/n/1', '/g/r/b/n/1'],
    );
  });

  it('makes list + events equal to the store, from any revision, while others write', async () => {
    const recordings: { start: PlainItem[]; recording: Awaited<ReturnType<typeof record>> }[] = [];
    let seed = 7;
    const random = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return seed % below;
    };
    const writer = async (): Promise<void> => {
      for (let round = 0; round < 60; round++) {
        const name = `/g/r/c/n/${random(15)}`;
        await write(store(), random(3) === 0 ? del(name) : put(name, String(random(1000))));
      }
    };
    const watcher = async (): Promise<void> => {
      for (let round = 0; round < 5; round++) {
        const { items, revision: at } = await store().range({ prefix: '/g/r/' });
        const recording = await record(store(), { prefix: '/g/r/', afterRevision: at });
        recordings.push({ start: items.map((item) => plain(item)), recording });
      }
    };
    await Promise.all([writer(), writer(), watcher(), writer(), watcher()]);
    const end = (await store().range({ prefix: '/g/r/' })).items.map((item) => plain(item));
    const last = await write(store(), put('/g/r/c/n/zz-last', ''));
    for (const { start, recording } of recordings) {
      await until('the last event', () => recording.events.at(-1)?.revision === last);
      const state = new Map(start.map((item) => [item.key, item]));
      let position = 0;
      for (const { type, key: name, revision: at, value, previous } of recording.events.slice(0, -1)) {
        assert.ok(at >= position);
        position = at;
        assert.deepEqual(previous, state.get(name));
        if (type === 'delete') state.delete(name);
        else state.set(name, { key: name, value: value ?? '', revision: at });
      }
      const sorted = [...state.values()].sort((left, right) => (left.key < right.key ? -1 : 1));
      assert.deepEqual(sorted, end);
    }
  });

  it('refuses a revision that is not reached', async () => {
    await assert.rejects(
      store().watch({ prefix: '', afterRevision: revision(2) }, { events() {}, end() {} }),
      rejectsWith('future'),
    );
  });

  it('survives a handler that writes, watches, closes or throws', async () => {
    const inner = await record(store(), { prefix: '/inner/', afterRevision: revision(1) });
    const thrown: Error[] = [];
    await store().watch(
      { prefix: '/g/', afterRevision: revision(1) },
      {
        events() {
          throw new Error('handler');
        },
        end: (error) => thrown.push(error),
      },
    );
    const writes: Promise<unknown>[] = [];
    const nested: Promise<unknown>[] = [];
    const seen: StorageEvent[] = [];
    await store().watch(
      { prefix: '/g/', afterRevision: revision(1) },
      {
        events(events) {
          for (const event of events) {
            writes.push(write(store(), put('/inner/r/c/n/a', event.key)));
            nested.push(record(store(), { prefix: '/inner/', afterRevision: event.revision }));
          }
        },
        end() {},
      },
    );
    await store().watch(
      { prefix: '', afterRevision: revision(1) },
      { events: (events) => seen.push(...events), end() {} },
    );
    await write(store(), put('/g/r/c/n/a', '1'));
    await write(store(), put('/g/r/c/n/b', '1'));
    await until('four events', () => seen.length === 4);
    assert.deepEqual(
      seen.map((event) => event.revision),
      [2, 3, 4, 5],
    );
    await until('the inner events', () => inner.events.length === 2);
    // Not before: the handler starts the last of them when it gets the second event, which may come late.
    assert.equal(nested.length, 2);
    await Promise.all([...writes, ...nested]);
    await until('the end of the one that threw', () => thrown.length > 0);
    assert.deepEqual(
      thrown.map((error) => error.message),
      ['handler'],
    );
  });

  it('ends a watcher that falls behind, and no one else', async () => {
    const slow = watchIterator(
      store(),
      { prefix: '/g/', afterRevision: revision(1) },
      { backlogEventsMax: 10, backlogBytesMax: 1024 * 1024 },
    );
    const other = await record(store(), { prefix: '/g/', afterRevision: revision(1) });
    const iterator = slow[Symbol.asyncIterator]();
    const first = iterator.next();
    await write(store(), put('/g/r/c/n/a', 'first'));
    assert.equal((await first).value?.revision, 2);
    for (let index = 1; index < 40; index++) await write(store(), put('/g/r/c/n/a', String(index)));
    await until('all events', () => other.events.length === 40);
    await assert.rejects(async () => {
      for (;;) await iterator.next();
    }, rejectsWith('slow-watcher'));
    assert.equal(other.events.length, 40);
    assert.deepEqual(other.ended, []);
  });
}

export function answersAfterEvents(store: () => Storage): void {
  it('has shown a write to every watcher before the writer is answered', async () => {
    const recording = await record(store(), { prefix: '/g/', afterRevision: revision(1) });
    for (let index = 0; index < 20; index++) {
      const at = await write(store(), put('/g/r/c/n/a', String(index)));
      assert.equal(recording.events.at(-1)?.revision, at);
    }
  });
}
