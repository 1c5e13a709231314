import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Revision, StorageKey } from './storage.ts';
import { WatcherIndex } from './watchers.ts';

interface Event {
  readonly key: StorageKey;
  readonly revision: Revision;
}

const text = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 6 });

describe('watcher index', () => {
  it('delivers exactly what starts with the prefix, whatever prefixes are watched', () => {
    fc.assert(
      fc.property(
        fc.array(text, { maxLength: 8 }),
        fc.array(fc.uniqueArray(text, { minLength: 1, maxLength: 4 }), { maxLength: 8 }),
        fc.array(fc.nat({ max: 7 }), { maxLength: 4 }),
        (prefixes, revisions, closed) => {
          const index = new WatcherIndex<Event>();
          const watches = prefixes.map((prefix) => {
            const got: Event[] = [];
            const handler = { events: (events: readonly Event[]) => void got.push(...events), end() {} };
            return { prefix, got, subscription: index.add(prefix, 1 as Revision, handler) };
          });
          for (const at of closed) watches[at]?.subscription.close();
          const open = watches.filter((_, at) => !closed.includes(at));
          assert.equal(index.count, open.length);
          const all: Event[] = [];
          for (const [at, keys] of revisions.entries()) {
            const events = keys
              .toSorted()
              .map((key) => ({ key: key as StorageKey, revision: (at + 2) as Revision }));
            index.publish(events);
            all.push(...events);
          }
          for (const { prefix, got, subscription } of watches) {
            const watched = open.some((watch) => watch.subscription === subscription);
            assert.deepEqual(got, watched ? all.filter((event) => event.key.startsWith(prefix)) : []);
          }
        },
      ),
    );
  });

  it('shares one event and one array over all watchers of a single event', () => {
    const index = new WatcherIndex<Event>();
    const got: (readonly Event[])[] = [];
    for (const prefix of ['', '/a/', '/a']) {
      index.add(prefix, 1 as Revision, { events: (events) => void got.push(events), end() {} });
    }
    index.publish([{ key: '/a/b' as StorageKey, revision: 2 as Revision }]);
    assert.equal(got.length, 3);
    assert.ok(got.every((events) => events === got[0]));
  });

  it('tells a watcher nothing of what was committed before its position and is published after it', () => {
    const index = new WatcherIndex<Event>();
    const got: Revision[] = [];
    const handler = {
      events: (events: readonly Event[]) => void got.push(...events.map((one) => one.revision)),
      end() {},
    };
    index.add('/a/', 5 as Revision, handler);
    for (const revision of [4, 5, 6, 6, 7] as Revision[]) {
      index.publish([{ key: '/a/b' as StorageKey, revision }]);
    }
    assert.deepEqual(got, [6, 7]);
  });

  it('ends all, once, and nothing after close', () => {
    const index = new WatcherIndex<Event>();
    const ended: string[] = [];
    const watch = (name: string) =>
      index.add('/', 1 as Revision, {
        events() {},
        end: (error) => void ended.push(`${name} ${error.message}`),
      });
    watch('a');
    watch('b').close();
    index.endAll(new Error('over'));
    index.endAll(new Error('again'));
    assert.deepEqual(ended, ['a over']);
    assert.equal(index.count, 0);
  });
});
