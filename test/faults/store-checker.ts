import assert from 'node:assert/strict';
import type { KeyValue, Revision, Storage, StorageEvent } from '#storage/storage.ts';
import { until } from '../harness/until.ts';
import { decodeWritten, type LoadReport, ownKey, type Written } from './store-load.ts';

/**
 * Remembers what a store has promised over all its crashes, and holds it against what the store has afterwards: every
 * acknowledged write is there, none that was refused; transactions are whole; revisions are never given twice and never
 * go back; the log, replayed, gives the state.
 */
export class StoreChecker implements LoadReport {
  /** Revision by revision, which transaction was acknowledged there. */
  readonly #acknowledged = new Map<number, string>();
  readonly #counts = new Map<number, number>();
  readonly #refused = new Set<string>();
  /** Newest revision that anyone was told of. */
  #told = 0;
  #compacted = 0;
  /** What the last check found, and at which revision. */
  #state = new Map<string, KeyValue>();
  #head = 0;
  acknowledgedCount = 0;
  unknownCount = 0;
  refusedCount = 0;

  acknowledged({ id, writer, count }: Written, revision: number): void {
    const other = this.#acknowledged.get(revision);
    assert.equal(other, undefined, `revision ${revision} was given to ${other} and to ${id}`);
    this.#acknowledged.set(revision, id);
    this.#counts.set(writer, Math.max(count, this.#counts.get(writer) ?? 0));
    this.#told = Math.max(this.#told, revision);
    this.acknowledgedCount++;
  }

  unknown(): void {
    this.unknownCount++;
  }

  refused({ id }: Written): void {
    this.#refused.add(id);
    this.refusedCount++;
  }

  seen(revision: number): void {
    this.#told = Math.max(this.#told, revision);
  }

  /** Throws for anything that should not be. With `hasEveryRevision`, all revisions are transactions of the load. */
  async check(storage: Storage, options: { readonly hasEveryRevision: boolean }): Promise<void> {
    const head = await storage.currentRevision();
    assert.ok(head >= this.#told, `the store is at ${head}, but has told of ${this.#told}`);
    assert.ok(head >= this.#head, `the store is at ${head}, and was at ${this.#head}`);
    const compacted = await storage.compactedRevision();
    assert.ok(compacted >= this.#compacted, 'the compaction went back');
    const items = (await storage.range({ prefix: '' })).items;
    const newest = items.reduce((max, item) => Math.max(max, item.revision), 0);
    const base = (await storage.range({ prefix: '', atRevision: compacted })).items;
    const state = new Map(base.map((item) => [item.key as string, item]));
    if (compacted === this.#head) this.#assertSameState(state, compacted);
    let last: number = compacted;
    for (const events of await eventsOf(storage, compacted, newest)) {
      const revision = events[0]?.revision ?? 0;
      if (options.hasEveryRevision) assert.equal(revision, last + 1, `revision ${last + 1} is missing`);
      else assert.ok(revision > last, `revision ${revision} came after ${last}`);
      this.#replay(state, events);
      if (revision <= this.#head) this.#assertKnown(revision);
      if (revision === this.#head) this.#assertSameState(state, revision);
      last = revision;
    }
    if (options.hasEveryRevision) assert.equal(last, head);
    assert.deepEqual([...state.keys()].sort(), items.map(({ key }) => key as string).sort());
    for (const item of items) assertSame(state.get(item.key), item, 'the log and the state differ');
    this.#assertAcknowledged(items, compacted, last);
    this.#compacted = compacted;
    this.#state = new Map(items.map((item) => [item.key as string, copyOf(item)]));
    this.#head = head;
  }

  /** One transaction, held against what each of its values says that it was. */
  #replay(state: Map<string, KeyValue>, events: readonly StorageEvent[]): void {
    const [first] = events.filter(({ type }) => type === 'put');
    assert.ok(first?.value !== undefined, 'a transaction without its put');
    const { revision } = first;
    const written = decodeWritten(first.value);
    assert.ok(!this.#refused.has(written.id), `${written.id} was refused, but stands at ${revision}`);
    const acknowledged = this.#acknowledged.get(revision);
    assert.ok(
      acknowledged === undefined || acknowledged === written.id,
      `revision ${revision} was acknowledged for ${acknowledged}, but is ${written.id}`,
    );
    this.#transactions.add(revision);
    const keys = new Set<string>();
    for (const event of events) {
      assert.ok(!keys.has(event.key), `two events on ${event.key} at ${revision}`);
      keys.add(event.key);
      assertSame(event.previous, state.get(event.key), `what was under ${event.key} before ${revision}`);
      if (event.type === 'put') {
        assert.ok(event.value !== undefined);
        assert.equal(decodeWritten(event.value).id, written.id, 'two transactions at one revision');
        assert.ok(written.puts.includes(event.key));
        state.set(event.key, { key: event.key, value: event.value, revision });
      } else {
        assert.ok(written.deletes.includes(event.key));
        assert.ok(state.delete(event.key), `${event.key} was deleted twice`);
      }
    }
    for (const key of written.puts) assert.ok(keys.has(key), `${written.id} has lost its put of ${key}`);
    for (const key of written.deletes)
      assert.ok(!state.has(key), `${written.id} has lost its delete of ${key}`);
  }

  /** Revisions of the log that have been replayed. */
  readonly #transactions = new Set<number>();

  #assertKnown(revision: number): void {
    assert.ok(revision <= this.#compacted || this.#transactions.has(revision));
  }

  #assertAcknowledged(items: readonly KeyValue[], compacted: number, last: number): void {
    for (const [revision, id] of this.#acknowledged) {
      if (revision > compacted) {
        assert.ok(revision <= last && this.#transactions.has(revision), `${id} at ${revision} is lost`);
      }
    }
    const byKey = new Map(items.map((item) => [item.key as string, item]));
    for (const [writer, count] of this.#counts) {
      const own = byKey.get(ownKey(writer));
      assert.ok(own !== undefined, `writer ${writer} has lost its key`);
      const found = decodeWritten(own.value).count;
      assert.ok(found >= count, `writer ${writer} had ${count} writes acknowledged, ${found} are there`);
    }
    for (const revision of this.#acknowledged.keys()) {
      if (revision <= compacted) this.#acknowledged.delete(revision);
    }
    for (const revision of this.#transactions) if (revision <= compacted) this.#transactions.delete(revision);
  }

  #assertSameState(state: ReadonlyMap<string, KeyValue>, revision: number): void {
    assert.deepEqual(
      [...state.keys()].sort(),
      [...this.#state.keys()].sort(),
      `the keys at ${revision} have changed`,
    );
    for (const [key, item] of this.#state)
      assertSame(state.get(key), item, `the state at ${revision} has changed`);
  }
}

function assertSame(found: KeyValue | undefined, expected: KeyValue | undefined, what: string): void {
  if (found === undefined || expected === undefined) {
    assert.ok(found === expected, `${what}: ${found?.revision} is not ${expected?.revision}`);
    return;
  }
  assert.equal(found.revision, expected.revision, `${what}: ${found.key}`);
  assert.ok(found.value.equals(expected.value), `${what}: the value of ${found.key}`);
}

function copyOf({ key, value, revision }: KeyValue): KeyValue {
  return { key, value: Buffer.from(value), revision };
}

/** The log from `after` to `upTo`, revision by revision. */
async function eventsOf(storage: Storage, after: Revision, upTo: number): Promise<StorageEvent[][]> {
  const groups: StorageEvent[][] = [];
  if (upTo <= after) return groups;
  let ended: Error | undefined;
  const watch = await storage.watch(
    { prefix: '', afterRevision: after },
    {
      events: (events) => {
        for (const event of events) {
          const copy = event.value === undefined ? event : { ...event, value: Buffer.from(event.value) };
          const group = groups.at(-1);
          if (group?.[0]?.revision === event.revision) group.push(copy);
          else groups.push([copy]);
        }
      },
      end: (error) => {
        ended = error;
      },
    },
  );
  try {
    await until('the log is told to its end', () => {
      if (ended !== undefined) throw ended;
      return (groups.at(-1)?.[0]?.revision ?? 0) >= upTo;
    });
  } finally {
    watch.close();
  }
  return groups;
}
