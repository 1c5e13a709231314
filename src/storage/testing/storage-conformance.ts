import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { isStorageError, type StorageErrorCode } from '../errors.ts';
import type { Storage, StorageEvent } from '../storage.ts';
import { watchIterator } from '../watch-iterator.ts';
import {
  del,
  guard,
  key,
  listInPages,
  type PlainEvent,
  type PlainItem,
  plain,
  put,
  record,
  revision,
  type StorageFixture,
  type StorageFixtureFactory,
  until,
  write,
} from './storage-fixture.ts';

export interface StorageSupports {
  /** Data is there again after close and open. */
  readonly reopen: boolean;
  /** Watchers have seen a write when its writer is answered. Default true; false where watches come another way. */
  readonly answersAfterEvents?: boolean | undefined;
  /** Values take as many bytes as they have. Default true; false where they are sealed. */
  readonly keepsSizes?: boolean | undefined;
}

/** Registers the tests that every Storage must pass, each on a store of its own. */
export function runStorageConformance(
  name: string,
  factory: StorageFixtureFactory,
  supports: StorageSupports,
): void {
  describe(`${name}: storage conformance`, () => {
    let fixture: StorageFixture;
    let storage: Storage;

    beforeEach(async () => {
      fixture = await factory();
      storage = fixture.storage;
    });
    afterEach(() => fixture.dispose());

    const keepsSizes = supports.keepsSizes ?? true;
    writes(() => storage, keepsSizes);
    ranges(() => storage, keepsSizes);
    watches(() => storage);
    if (supports.answersAfterEvents ?? true) answersAfterEvents(() => storage);
    compaction(() => storage);
    closing(() => storage);
    if (supports.reopen) reopening(() => fixture);
  });
}

function rejectsWith(code: StorageErrorCode): (error: unknown) => boolean {
  return (error) => {
    assert.ok(isStorageError(error, code), `expected ${code}, got ${String(error)}`);
    return true;
  };
}

function writes(store: () => Storage, keepsSizes: boolean): void {
  it('starts empty at revision 1, so that 0 can mean absent', async () => {
    assert.equal(await store().currentRevision(), 1);
    assert.equal(await store().compactedRevision(), 1);
    assert.deepEqual(await store().range({ prefix: '' }), {
      items: [],
      revision: 1,
      more: false,
      remaining: 0,
    });
    assert.notEqual(store().controlPlaneId, '');
    assert.notEqual(store().incarnationId, '');
  });

  it('gives each transaction the next revision', async () => {
    assert.equal(await write(store(), put('/g/r/c/n/a', '1')), 2);
    assert.equal(await write(store(), put('/g/r/c/n/b', '2'), put('/g/r/c/n/c', '3')), 3);
    assert.equal(await write(store(), del('/g/r/c/n/a')), 4);
    assert.equal(await store().currentRevision(), 4);
    assert.deepEqual(plain(await store().get(key('/g/r/c/n/c'))), {
      key: '/g/r/c/n/c',
      value: '3',
      revision: 3,
    });
    assert.equal(await store().get(key('/g/r/c/n/a')), undefined);
  });

  it('makes no revision for a transaction that changes nothing', async () => {
    await write(store(), put('/g/r/c/n/a', '1'));
    assert.equal(await write(store()), 2);
    assert.equal(await write(store(), del('/g/r/c/n/absent')), 2);
    assert.equal(await write(store(), del('/g/r/c/n/absent'), put('/g/r/c/n/a', '1')), 3);
    assert.equal(await store().currentRevision(), 3);
  });

  it('holds guards to the last write of the key', async () => {
    const name = '/g/r/c/n/a';
    const transact = (at: number) =>
      store().transact({ guards: [guard(name, at)], operations: [put(name, `after ${at}`)] });
    assert.deepEqual(await transact(0), { committed: true, revision: 2 });
    const created = await transact(0);
    assert.ok(!created.committed);
    assert.deepEqual(created.failedGuard, guard(name, 0));
    assert.deepEqual(plain(created.current), { key: name, value: 'after 0', revision: 2 });
    assert.equal(created.revision, 2);
    assert.deepEqual(await transact(2), { committed: true, revision: 3 });
    assert.equal((await transact(2)).committed, false);
    await write(store(), del(name));
    const deleted = await transact(3);
    assert.ok(!deleted.committed);
    assert.equal(deleted.current, undefined);
    assert.deepEqual(await transact(0), { committed: true, revision: 5 });
  });

  it('changes nothing when one of several guards fails, and names the first', async () => {
    await write(store(), put('/g/r/c/n/a', '1'));
    const result = await store().transact({
      guards: [guard('/g/r/c/n/a', 2), guard('/g/r/c/n/b', 7), guard('/g/r/c/n/c', 8)],
      operations: [put('/g/r/c/n/a', '2'), put('/g/r/c/n/d', '2')],
    });
    assert.ok(!result.committed);
    assert.equal(result.failedGuard.key, '/g/r/c/n/b');
    assert.equal(await store().currentRevision(), 2);
    assert.equal(await store().get(key('/g/r/c/n/d')), undefined);
  });

  it('lets exactly one of many racing guards win, and answers losers with what is readable', async () => {
    const name = '/g/r/c/n/counter';
    let wins = 0;
    const increment = async (): Promise<void> => {
      for (;;) {
        const current = await store().get(key(name));
        const count = current === undefined ? 0 : Number(current.value.toString());
        const result = await store().transact({
          guards: [guard(name, current?.revision ?? 0)],
          operations: [put(name, String(count + 1))],
        });
        if (result.committed) {
          wins++;
          return;
        }
        const seen = await store().get(key(name));
        assert.ok((seen?.revision ?? 0) >= (result.current?.revision ?? 0));
      }
    };
    await Promise.all(Array.from({ length: 20 }, increment));
    assert.equal(wins, 20);
    assert.equal((await store().get(key(name)))?.value.toString(), '20');
    assert.equal(await store().currentRevision(), 21);
  });

  it('keeps the order of concurrent writers: later revisions, later states', async () => {
    const results = await Promise.all(
      Array.from({ length: 200 }, (_, index) => write(store(), put('/g/r/c/n/last', String(index)))),
    );
    assert.equal(new Set(results).size, 200);
    const winner = results.indexOf(Math.max(...results) as (typeof results)[number]);
    assert.equal((await store().get(key('/g/r/c/n/last')))?.value.toString(), String(winner));
  });

  it('commits 9,000 operations in one transaction', async () => {
    const operations = Array.from({ length: 9_000 }, (_, index) => put(`/g/r/c/n/${index}`, String(index)));
    const recording = await record(store(), { prefix: '/g/r/', afterRevision: revision(1) });
    assert.equal(await write(store(), ...operations), 2);
    assert.equal((await store().range({ prefix: '/g/r/' })).items.length, 9_000);
    await until('the events', () => recording.events.length === 9_000);
    assert.ok(recording.events.every((event) => event.revision === 2));
    assert.equal(recording.calls.length, 1);
  });

  it('refuses what is over the limits, and changes nothing', async () => {
    const long = `/g/r/c/n/${'x'.repeat(1024)}`;
    await assert.rejects(write(store(), put(long, '')), rejectsWith('too-large'));
    const large = Buffer.alloc(3.5 * 1024 * 1024 + 1);
    await assert.rejects(
      store().transact({ guards: [], operations: [{ type: 'put', key: key('/g/r/c/n/a'), value: large }] }),
      rejectsWith('too-large'),
    );
    const many = Array.from({ length: 10_001 }, (_, index) => del(`/g/r/c/n/${index}`));
    await assert.rejects(write(store(), ...many), rejectsWith('too-large'));
    await assert.rejects(write(store(), put('/g/r/c/n/a', '1'), del('/g/r/c/n/a')), RangeError);
    assert.equal(await store().currentRevision(), 1);
  });

  if (keepsSizes)
    it('keeps values as they are: empty, binary, at the limit, a view on something larger', {
      skip: !keepsSizes,
    }, async () => {
      const large = Buffer.alloc(3.5 * 1024 * 1024, 'ab');
      const view = Buffer.from('0123456789').subarray(3, 6);
      const values: [string, Buffer][] = [
        ['/g/r/c/n/empty', Buffer.alloc(0)],
        ['/g/r/c/n/binary', Buffer.from([0, 255, 10, 0, 128])],
        ['/g/r/c/n/large', large],
        ['/g/r/c/n/view', view],
      ];
      for (const [name, value] of values) {
        await store().transact({ guards: [], operations: [{ type: 'put', key: key(name), value }] });
      }
      for (const [name, value] of values)
        assert.ok((await store().get(key(name)))?.value.equals(value), name);
    });

  it('keeps keys as they are: RBAC names may hold any printable character (KUBERNETES.md O4)', async () => {
    const names = ['system:node', 'a b', 'é', '\uff5e', '😀', 'z', '~'].map(
      (name) => `/rbac/roles/c/n/${name}`,
    );
    for (const name of names) await write(store(), put(name, name));
    const { items } = await store().range({ prefix: '/rbac/roles/' });
    assert.deepEqual(
      items.map((item) => item.key),
      [...names].sort(),
    );
    for (const name of names) assert.equal((await store().get(key(name)))?.value.toString(), name);
  });
}

function ranges(store: () => Storage, keepsSizes: boolean): void {
  const fill = async (): Promise<void> => {
    const names = [
      '/g/r/a/n/1',
      '/g/r/a/n/2',
      '/g/r/a/n2/1',
      '/g/r/b//1',
      '/g/r2/a/n/1',
      '/g/q/a/n/1',
      '/h/r/a/n/1',
    ];
    for (const name of names) await write(store(), put(name, name));
  };

  it('cuts exactly at the prefix', async () => {
    await fill();
    const table: [string, number][] = [
      ['', 7],
      ['/', 7],
      ['/g/', 6],
      ['/g/r', 5],
      ['/g/r/', 4],
      ['/g/r/a/', 3],
      ['/g/r/a/n/', 2],
      ['/g/r/a/n', 3],
      ['/g/r/a/n/1', 1],
      ['/g/r/a/n/3', 0],
      ['/g/r/b//', 1],
      ['/z', 0],
    ];
    for (const [prefix, count] of table) {
      const { items } = await store().range({ prefix });
      assert.equal(items.length, count, prefix);
      assert.ok(items.every((item) => item.key.startsWith(prefix)));
      const keys = items.map((item) => item.key);
      assert.deepEqual(keys, [...keys].sort());
    }
  });

  it('pages, counts what remains, and starts after a key that need not exist', async () => {
    await fill();
    const first = await store().range({ prefix: '/g/r/', limit: 2 });
    assert.deepEqual(
      [first.items.map((item) => item.key), first.more, first.remaining],
      [['/g/r/a/n/1', '/g/r/a/n/2'], true, 2],
    );
    const rest = await store().range({ prefix: '/g/r/', limit: 2, startAfter: key('/g/r/a/n/2') });
    assert.deepEqual([rest.items.length, rest.more, rest.remaining], [2, false, 0]);
    const between = await store().range({ prefix: '/g/r/', startAfter: key('/g/r/a/n/15') });
    assert.equal(between.items[0]?.key, '/g/r/a/n/2');
    const before = await store().range({ prefix: '/g/r/', startAfter: key('/a') });
    assert.equal(before.items.length, 4);
    const beyond = await store().range({ prefix: '/g/r/', startAfter: key('/g/s') });
    assert.equal(beyond.items.length, 0);
    const exact = await store().range({ prefix: '/g/r/', limit: 4 });
    assert.deepEqual([exact.items.length, exact.more, exact.remaining], [4, false, 0]);
  });

  if (keepsSizes)
    it('ends a page by bytes but never without an item', async () => {
      for (let index = 0; index < 10; index++)
        await write(store(), put(`/g/r/c/n/${index}`, 'x'.repeat(100)));
      const page = await store().range({ prefix: '/g/r/', bytesMax: 250 });
      assert.deepEqual([page.items.length, page.more, page.remaining], [3, true, 7]);
      assert.equal((await store().range({ prefix: '/g/r/', bytesMax: 1 })).items.length, 1);
    });

  it('tells the state at a past revision, whatever happened since', async () => {
    const states: PlainItem[][] = [[], []];
    const current = new Map<string, PlainItem>();
    const steps = [
      [put('/g/r/c/n/a', '1')],
      [put('/g/r/c/n/b', '1'), put('/g/r/c/n/c', '1')],
      [put('/g/r/c/n/a', '2'), del('/g/r/c/n/b')],
      [del('/g/r/c/n/a')],
      [put('/g/r/c/n/a', '3'), put('/g/r/c/n/b', '2')],
      [del('/g/r/c/n/c')],
      [put('/g/r/c/n/d', '1'), put('/other/r/c/n/a', '1')],
      [del('/g/r/c/n/a'), del('/g/r/c/n/b'), del('/g/r/c/n/d')],
    ];
    for (const operations of steps) {
      const at = await write(store(), ...operations);
      for (const operation of operations) {
        if (operation.type === 'delete') current.delete(operation.key);
        else
          current.set(operation.key, { key: operation.key, value: operation.value.toString(), revision: at });
      }
      states[at] = [...current.values()].sort((left, right) => (left.key < right.key ? -1 : 1));
    }
    for (const [at, state] of states.entries()) {
      if (at === 0) continue;
      const { items, revision: answered } = await store().range({ prefix: '', atRevision: revision(at) });
      assert.equal(answered, at);
      assert.deepEqual(
        items.map((item) => plain(item)),
        state,
        `revision ${at}`,
      );
      const page = await store().range({ prefix: '/g/', atRevision: revision(at), limit: 1 });
      const inside = state.filter((item) => item.key.startsWith('/g/'));
      assert.equal(page.remaining, Math.max(0, inside.length - 1), `remaining at ${at}`);
    }
    await assert.rejects(store().range({ prefix: '', atRevision: revision(99) }), rejectsWith('future'));
  });

  it('keeps pages at one revision consistent while others write', async () => {
    for (let index = 0; index < 50; index++) await write(store(), put(`/g/r/c/n/${index}`, 'before'));
    let writing = true;
    const writer = (async () => {
      for (let round = 0; writing; round++) {
        await write(store(), put(`/g/r/c/n/${round % 70}`, 'after'));
        await write(store(), del(`/g/r/c/n/${(round * 7) % 50}`), put('/g/r/c/n/both', String(round)));
      }
    })();
    try {
      for (let round = 0; round < 10; round++) {
        const whole = await store().range({ prefix: '/g/r/' });
        const again = await store().range({ prefix: '/g/r/', atRevision: whole.revision });
        assert.deepEqual(
          again.items.map((item) => plain(item)),
          whole.items.map((item) => plain(item)),
        );
        const keys = (await listInPages(store(), '/g/r/', 7)).map((item) => item.key);
        assert.deepEqual(keys, [...new Set(keys)].sort());
      }
    } finally {
      writing = false;
      await writer;
    }
  });
}

function watches(store: () => Storage): void {
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

function answersAfterEvents(store: () => Storage): void {
  it('has shown a write to every watcher before the writer is answered', async () => {
    const recording = await record(store(), { prefix: '/g/', afterRevision: revision(1) });
    for (let index = 0; index < 20; index++) {
      const at = await write(store(), put('/g/r/c/n/a', String(index)));
      assert.equal(recording.events.at(-1)?.revision, at);
    }
  });
}

function compaction(store: () => Storage): void {
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

function closing(store: () => Storage): void {
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

function reopening(current: () => StorageFixture): void {
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
