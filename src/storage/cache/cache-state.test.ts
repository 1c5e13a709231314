import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isStorageError } from '../errors.ts';
import type { StorageEvent } from '../storage.ts';
import { key, type PlainItem, plain, revision } from '../testing/storage-fixture.ts';
import { bucketPrefixOf, CacheState } from './cache-state.ts';
import { SlabStore, slabBytes } from './slab.ts';

function event(name: string, at: number, value: string | undefined): StorageEvent {
  return {
    type: value === undefined ? 'delete' : 'put',
    key: key(name),
    revision: revision(at),
    value: value === undefined ? undefined : Buffer.from(value),
    previous: undefined,
  };
}

describe('cache state', () => {
  it('tells the state at every revision of a long ring, in any order of asking', () => {
    const ringEventsMax = 9_000;
    const events = 20_000;
    const state = new CacheState(revision(1), { ringEventsMax, ringBytesMax: 1024 ** 3 });
    const current = new Map<string, PlainItem>();
    const remembered = new Map<number, PlainItem[]>();
    let seed = 42;
    const random = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return (seed >>> 8) % below;
    };
    const check = (at: number, prefix: string): void => {
      const expected = (remembered.get(at) as PlainItem[]).filter((item) => item.key.startsWith(prefix));
      const snapshot = state.snapshot(prefix, revision(at));
      assert.deepEqual(
        [...snapshot.entries()].map((entry) => plain(entry)),
        expected,
        `${prefix} at ${at}`,
      );
      assert.equal(snapshot.count(), expected.length);
      const middle = expected[Math.floor(expected.length / 2)];
      if (middle === undefined) return;
      const after = key(middle.key);
      const rest = expected.filter((item) => item.key > middle.key);
      assert.deepEqual(
        [...snapshot.entries(after)].map((entry) => entry.key),
        rest.map((item) => item.key),
      );
      assert.equal(snapshot.count(after), rest.length);
    };
    for (let at = 2; at <= events; at++) {
      const name = random(20) === 0 ? `/stray${random(3)}` : `/g/r${random(2)}/c/n/${random(40)}`;
      const value = random(4) === 0 ? undefined : String(at);
      const before = current.has(name);
      if (value === undefined) current.delete(name);
      else current.set(name, { key: name, value, revision: at });
      state.apply([event(name, at, value)]);
      // As the cache does after deletes of absent keys, which are no events.
      if (value === undefined && !before) state.advance(revision(at));
      if (at % 97 === 0) {
        const sorted = [...current.values()].sort((left, right) => (left.key < right.key ? -1 : 1));
        remembered.set(at, sorted);
        for (const old of remembered.keys()) if (old < state.oldest) remembered.delete(old);
        const asked = [...remembered.keys()];
        check(
          asked[random(asked.length)] as number,
          ['/g/r0/', '/g/', '', '/g/r1/c/n/1'][random(4)] as string,
        );
      }
    }
    for (const at of remembered.keys()) check(at, '');
    assert.equal(state.ringEvents, ringEventsMax);
    assert.throws(
      () => state.snapshot('', revision(state.oldest - 1)),
      (error) => isStorageError(error, 'compacted'),
    );
    assert.throws(
      () => state.snapshot('', revision(state.revision + 1)),
      (error) => isStorageError(error, 'future'),
    );
  });

  it('keeps a snapshot as it was while the state moves on', () => {
    const state = new CacheState(revision(1), { ringEventsMax: 2, ringBytesMax: 1024 });
    for (let index = 0; index < 100; index++) state.apply([event(`/g/r/c/n/${index}`, index + 2, 'before')]);
    const snapshot = state.snapshot('/g/r/', undefined);
    const iterator = snapshot.entries();
    iterator.next();
    for (let index = 0; index < 100; index++) {
      state.apply([event(`/g/r/c/n/${index}`, index + 102, index % 2 === 0 ? undefined : 'after')]);
    }
    let count = 1;
    for (const entry of iterator) {
      assert.equal(entry.value.toString(), 'before');
      count++;
    }
    assert.equal(count, 100);
    assert.equal(state.snapshot('/g/r/', undefined).count(), 50);
  });

  it('bounds the ring in events and in bytes', () => {
    const state = new CacheState(revision(1), { ringEventsMax: 1_000, ringBytesMax: 100_000 });
    const value = 'x'.repeat(10_000);
    for (let at = 2; at < 102; at++) {
      state.apply([event('/g/r/c/n/a', at, value)]);
      assert.ok(state.ringBytes <= 100_000);
    }
    assert.equal(state.ringEvents, 9);
    assert.equal(state.oldest, 92);
    for (let at = 102; at < 3_000; at++) state.apply([event(`/g/r/c/n/${at}`, at, '')]);
    assert.ok(state.ringEvents <= 1_000 && state.ringBytes <= 100_000);
  });

  it('finds the resource of a key and of a prefix', () => {
    const table: [string, string][] = [
      ['/g/r/c/n/name', '/g/r/'],
      ['/g/r/', '/g/r/'],
      ['/g/r', ''],
      ['/g/', ''],
      ['', ''],
      ['stray/a/b/c', ''],
      ['//r//', '//r/'],
    ];
    for (const [text, prefix] of table) assert.equal(bucketPrefixOf(text), prefix, text);
  });
});

describe('slabs', () => {
  it('keep every live value readable and their waste bounded, whatever is released', () => {
    const slabs = new SlabStore();
    let seed = 3;
    const random = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return (seed >>> 8) % below;
    };
    const live = new Map<string, { entry: ReturnType<SlabStore['store']>; size: number }>();
    for (let round = 0; round < 6_000; round++) {
      const name = `/g/r/c/n/${random(400)}`;
      const old = live.get(name);
      const size = random(50) === 0 ? 600_000 + random(1_000) : random(20_000);
      live.set(name, {
        entry: slabs.store(key(name), revision(round), Buffer.alloc(size, round % 251)),
        size,
      });
      if (old !== undefined) slabs.release(old.entry);
      if (round % 500 === 0) {
        for (const [name, { entry, size }] of live) {
          assert.equal(entry.value.length, size);
          const expected = entry.revision % 251;
          assert.ok(size === 0 || (entry.value[0] === expected && entry.value[size - 1] === expected), name);
        }
      }
    }
    assert.ok(slabs.heldBytes <= 2 * slabs.liveBytes + 2 * slabBytes);
    for (const { entry } of live.values()) slabs.release(entry);
    for (const { entry } of live.values()) slabs.release(entry);
    assert.equal(slabs.liveBytes, 0);
    assert.ok(slabs.heldBytes <= slabBytes);
  });

  it('leave views valid that were handed out before their bytes moved', () => {
    const slabs = new SlabStore();
    const kept = slabs.store(key('/kept'), revision(1), Buffer.from('kept'));
    const view = kept.value;
    const filler = Array.from({ length: 60 }, (_, index) =>
      slabs.store(key(`/${index}`), revision(2), Buffer.alloc(slabBytes / 10, 1)),
    );
    for (const entry of filler) slabs.release(entry);
    for (let index = 0; index < 30; index++)
      slabs.store(key(`/again${index}`), revision(3), Buffer.alloc(slabBytes / 10, 2));
    assert.equal(view.toString(), 'kept');
    assert.equal(kept.value.toString(), 'kept');
  });
});
