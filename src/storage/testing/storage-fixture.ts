import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import type {
  Guard,
  KeyValue,
  Operation,
  Revision,
  Storage,
  StorageEvent,
  StorageKey,
  Subscription,
  WatchOptions,
} from '../storage.ts';

/** A store under test with its own data. */
export interface StorageFixture {
  readonly storage: Storage;
  /** Closes the store and opens the same data again; absent where a store keeps nothing. */
  reopen?(): Promise<Storage>;
  /** Closes the store and removes its data. */
  dispose(): Promise<void>;
}

export type StorageFixtureFactory = () => Promise<StorageFixture>;

export function key(text: string): StorageKey {
  return text as StorageKey;
}

export function revision(value: number): Revision {
  return value as Revision;
}

export function put(name: string, value: string): Operation {
  return { type: 'put', key: key(name), value: Buffer.from(value) };
}

export function del(name: string): Operation {
  return { type: 'delete', key: key(name) };
}

export function guard(name: string, at: number): Guard {
  return { key: key(name), revision: revision(at) };
}

/** Commits without guards; fails the test if it does not commit. */
export async function write(storage: Storage, ...operations: Operation[]): Promise<Revision> {
  const result = await storage.transact({ guards: [], operations });
  assert.ok(result.committed);
  return result.revision;
}

/** Comparable by deepEqual, whatever class and buffer an implementation uses. */
export interface PlainItem {
  readonly key: string;
  readonly value: string;
  readonly revision: number;
}

export interface PlainEvent {
  readonly type: 'put' | 'delete';
  readonly key: string;
  readonly revision: number;
  readonly value: string | undefined;
  readonly previous: PlainItem | undefined;
}

export function plain(item: KeyValue): PlainItem;
export function plain(item: KeyValue | undefined): PlainItem | undefined;
export function plain(item: KeyValue | undefined): PlainItem | undefined {
  if (item === undefined) return undefined;
  return { key: item.key, value: item.value.toString(), revision: item.revision };
}

export function plainEvent(event: StorageEvent): PlainEvent {
  return {
    type: event.type,
    key: event.key,
    revision: event.revision,
    value: event.value?.toString(),
    previous: plain(event.previous),
  };
}

/** A watch that keeps what it gets. */
export interface Recording {
  readonly events: PlainEvent[];
  /** The events of each call. */
  readonly calls: PlainEvent[][];
  readonly ended: Error[];
  readonly subscription: Subscription;
}

export async function record(storage: Storage, options: WatchOptions): Promise<Recording> {
  const events: PlainEvent[] = [];
  const calls: PlainEvent[][] = [];
  const ended: Error[] = [];
  const subscription = await storage.watch(options, {
    events(batch) {
      const taken = batch.map(plainEvent);
      calls.push(taken);
      events.push(...taken);
    },
    end: (error) => ended.push(error),
  });
  return { events, calls, ended, subscription };
}

/** Waits for a condition; fails the test after waitMs. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  waitMs = 120_000,
): Promise<void> {
  const deadline = performance.now() + waitMs;
  while (!(await condition())) {
    assert.ok(performance.now() < deadline, `timed out: ${what}`);
    await pause(1);
  }
}

/** All items in pages of `limit`, at one revision. */
export async function listInPages(storage: Storage, prefix: string, limit: number): Promise<PlainItem[]> {
  const items: PlainItem[] = [];
  let page = await storage.range({ prefix, limit });
  const atRevision = page.revision;
  for (;;) {
    items.push(...page.items.map((item) => plain(item)));
    const last = page.items.at(-1);
    if (!page.more || last === undefined) return items;
    assert.equal(page.items.length, limit);
    page = await storage.range({ prefix, limit, startAfter: last.key, atRevision });
    assert.equal(page.revision, atRevision);
  }
}
