import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { isStorageError } from '#storage/errors.ts';
import { compareKeys } from '#storage/key-order.ts';
import type { KeyValue, Operation, Revision, Storage, StorageEvent, StorageKey } from '#storage/storage.ts';
import { watchIterator } from '#storage/watch-iterator.ts';

interface PlainItem {
  readonly key: string;
  readonly value: string;
  readonly revision: number;
}

/** A value that a list or a watch has told, and the revision that it was told for. */
type Seen = Pick<PlainEvent, 'revision' | 'value'>;

interface PlainEvent {
  readonly type: 'put' | 'delete';
  readonly key: string;
  readonly revision: number;
  readonly value: string | undefined;
  readonly previous: PlainItem | undefined;
}

function plainItem({ key, value, revision }: KeyValue): PlainItem {
  return { key, value: value.toString(), revision };
}

/**
 * What has been written, by the writers' own account: the state at every revision, and so what every list and watch must
 * have told. A write of unknown outcome counts from when anybody has seen it, at one revision only.
 */
export class WriteHistory {
  readonly #written = new Map<number, readonly Operation[]>();
  readonly #unknown: (readonly Operation[])[] = [];
  writes = 0;

  committed(revision: number, operations: readonly Operation[]): void {
    assert.ok(!this.#written.has(revision), `revision ${revision} was given twice`);
    this.#written.set(revision, operations);
    this.writes++;
  }

  unknown(operations: readonly Operation[]): void {
    this.#unknown.push(operations);
  }

  /** All that is expected of lists and watches: states and events by revision. */
  replay(seen: readonly Seen[]): ReplayedHistory {
    this.#adopt(seen);
    const state = new Map<string, PlainItem>();
    const revisions: { readonly revision: number; readonly events: readonly PlainEvent[] }[] = [];
    for (const [revision, operations] of [...this.#written].sort(([left], [right]) => left - right)) {
      const events: PlainEvent[] = [];
      for (const operation of [...operations].sort((left, right) => compareKeys(left.key, right.key))) {
        const previous = state.get(operation.key);
        if (operation.type === 'delete') {
          if (previous === undefined) continue;
          state.delete(operation.key);
          events.push({ type: 'delete', key: operation.key, revision, value: undefined, previous });
        } else {
          const value = operation.value.toString();
          state.set(operation.key, { key: operation.key, value, revision });
          events.push({ type: 'put', key: operation.key, revision, value, previous });
        }
      }
      revisions.push({ revision, events });
    }
    return new ReplayedHistory(revisions);
  }

  /** Every transaction puts a value of its own, by which it is known. */
  #adopt(seen: readonly Seen[]): void {
    const byValue = new Map(
      this.#unknown.flatMap((operations) =>
        operations.flatMap((operation) =>
          operation.type === 'put' ? [[operation.value.toString(), operations] as const] : [],
        ),
      ),
    );
    for (const { revision, value } of seen) {
      if (this.#written.has(revision) || value === undefined) continue;
      const operations = byValue.get(value);
      assert.ok(operations !== undefined, `nobody has written what stands at ${revision}`);
      this.#written.set(revision, operations);
    }
  }
}

class ReplayedHistory {
  readonly #revisions: readonly { readonly revision: number; readonly events: readonly PlainEvent[] }[];

  constructor(revisions: readonly { readonly revision: number; readonly events: readonly PlainEvent[] }[]) {
    this.#revisions = revisions;
  }

  stateAt(revision: number, prefix: string): PlainItem[] {
    const state = new Map<string, PlainItem>();
    for (const event of this.between(0, revision, prefix)) {
      if (event.value === undefined) state.delete(event.key);
      else state.set(event.key, { key: event.key, value: event.value, revision: event.revision });
    }
    return [...state.values()].sort((left, right) => compareKeys(left.key, right.key));
  }

  between(after: number, upTo: number, prefix: string): PlainEvent[] {
    return this.#revisions
      .filter(({ revision }) => revision > after && revision <= upTo)
      .flatMap(({ events }) => events.filter(({ key }) => key.startsWith(prefix)));
  }
}

/** A list, and what a watch has told from there on. */
interface Segment {
  readonly listedAt: number;
  readonly items: readonly PlainItem[];
  readonly events: PlainEvent[];
}

export interface WatcherOptions {
  readonly prefix: string;
  /** Milliseconds that it takes for four events. */
  readonly slowMs: number;
  readonly backlogEventsMax: number;
  /** Asks for what stood there before, and checks it. */
  readonly previousValues: boolean;
}

/** One who lists and watches, and takes the watch up again after everything that ends it. */
export class HistoryWatcher {
  readonly #options: WatcherOptions;
  readonly #storage: () => Storage;
  readonly #segments: Segment[] = [];
  readonly #stopping = new AbortController();
  #connection = new AbortController();
  readonly #running: Promise<void>;
  relists = 0;
  resumes = 0;

  constructor(storage: () => Storage, options: WatcherOptions) {
    this.#storage = storage;
    this.#options = options;
    this.#running = this.#run();
    // Told by `stop`.
    this.#running.catch(() => {});
  }

  /** Breaks the watch. */
  disturb(): void {
    this.#connection.abort();
  }

  /** Newest revision that it has been told of. */
  get position(): number {
    const segment = this.#segments.at(-1);
    return segment === undefined ? 0 : (segment.events.at(-1)?.revision ?? segment.listedAt);
  }

  get seen(): readonly Seen[] {
    return this.#segments.flatMap(({ items, events }) => [...items, ...events]);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#connection.abort();
    await this.#running;
  }

  /** Throws unless lists and events are exactly what the history says. Nothing may be running. */
  check(history: ReplayedHistory): void {
    const { prefix, previousValues } = this.#options;
    for (const { listedAt, items, events } of this.#segments) {
      assert.deepEqual(items, history.stateAt(listedAt, prefix), `the list at ${listedAt}`);
      const last = events.at(-1)?.revision ?? listedAt;
      // Of the last revision it may have been stopped in the middle.
      const expected = history.between(listedAt, last, prefix).slice(0, events.length);
      assert.deepEqual(
        events.map(withoutPrevious),
        expected.map(withoutPrevious),
        `the events after ${listedAt}`,
      );
      if (previousValues) assert.deepEqual(events, expected, `the events after ${listedAt}`);
    }
  }

  async #run(): Promise<void> {
    for (let segment: Segment | undefined; !this.#stopping.signal.aborted; ) {
      this.#connection = new AbortController();
      try {
        segment ??= await this.#list();
        await this.#follow(segment);
      } catch (error) {
        if (isStorageError(error, 'compacted', 'future')) {
          segment = undefined;
          this.relists++;
        } else if (
          !isStorageError(error, 'slow-watcher', 'unavailable', 'closed', 'timeout', 'outcome-unknown')
        ) {
          throw error;
        }
      }
      this.resumes++;
      await pause(2);
    }
  }

  async #list(): Promise<Segment> {
    const { items, revision } = await this.#storage().range({ prefix: this.#options.prefix });
    const segment: Segment = { listedAt: revision, items: items.map(plainItem), events: [] };
    assert.ok(revision >= this.position, `a list at ${revision} after ${this.position} was told`);
    this.#segments.push(segment);
    return segment;
  }

  async #follow({ events, listedAt }: Segment): Promise<void> {
    const { prefix, slowMs, backlogEventsMax, previousValues } = this.#options;
    const signal = AbortSignal.any([this.#stopping.signal, this.#connection.signal]);
    // Of the last revision there may have been more.
    const last = events.at(-1)?.revision;
    while (events.length > 0 && events.at(-1)?.revision === last) events.pop();
    const afterRevision = (events.at(-1)?.revision ?? listedAt) as Revision;
    const watch = watchIterator(
      this.#storage(),
      { prefix, afterRevision, previousValues },
      { backlogEventsMax, signal },
    );
    for await (const event of watch) {
      events.push(plainEvent(event));
      if (slowMs > 0 && events.length % 4 === 0) await pause(slowMs);
    }
  }
}

function plainEvent({ type, key, revision, value, previous }: StorageEvent): PlainEvent {
  return {
    type,
    key,
    revision,
    value: value?.toString(),
    previous: previous && plainItem(previous),
  };
}

function withoutPrevious(event: PlainEvent): PlainEvent {
  return { ...event, previous: undefined };
}

/** The key of a test. */
export function keyOf(text: string): StorageKey {
  return text as StorageKey;
}
