import type { Histogram } from '#apimachinery/histogram.ts';
import type { KeyValue, Revision, Storage, StorageEvent, StorageKey } from './storage.ts';

/** An entry of the cache. `value` is a view on a slab; `memo` belongs to whoever reads the cache (parsed headers, rendered forms). */
export interface CacheEntry extends KeyValue {
  /** A place for one derived value, dropped with the entry; the API server keeps the parsed header here. */
  memo: unknown;
}

export interface CacheEvent extends StorageEvent {
  readonly entry: CacheEntry | undefined;
  readonly previous: CacheEntry | undefined;
  /** A place for forms rendered from this event, shared by all watchers that it is delivered to. */
  memo: unknown;
  /** It is delivered to one watcher alone: what is rendered from it is not worth keeping. */
  readonly isForOne?: boolean | undefined;
}

export interface CacheWatchHandler {
  events(events: readonly CacheEvent[]): void;
  end(error: Error): void;
}

/** A consistent, cheap view of the keys under a prefix at one revision. Holding it keeps its entries in memory. */
export interface CacheSnapshot {
  readonly revision: Revision;
  /** In key order, after `startAfter` if given. Lazy: taking a page costs the page. */
  entries(startAfter?: StorageKey): IterableIterator<CacheEntry>;
  /** Number of keys under the prefix, greater than `startAfter` if given. */
  count(startAfter?: StorageKey): number;
}

/**
 * Storage with everything current in memory (off the JavaScript heap) and the newest events in a ring. The synchronous
 * calls answer at `revision`, which for an embedded store is always the newest committed one.
 */
export interface CachedStorage extends Storage {
  /** The revision that the synchronous calls answer at. */
  readonly revision: Revision;
  /** Undefined when the cache surely is as new as the store (embedded: always); else a promise to wait for. */
  awaitFresh(): Promise<void> | undefined;
  /** Resolves when the cache has reached `revision`; rejects with `timeout` after waitMs. */
  awaitRevision(revision: Revision, waitMs: number): Promise<void>;
  peek(key: StorageKey): CacheEntry | undefined;
  /**
   * The state under `prefix`, at the newest revision or at a recent one. Throws `compacted` when that revision is too
   * old for the cache (callers then use `range`), `future` when it is not reached yet.
   */
  snapshot(prefix: string, atRevision?: Revision): CacheSnapshot;
  /** Like `watch`, but synchronous and with entries; throws `compacted` when afterRevision has left the ring. */
  watchCache(prefix: string, afterRevision: Revision, handler: CacheWatchHandler): { close(): void };
  /** Costs as much as there are kinds. */
  figures?(): CacheFigures;
}

/** What a cache holds and how its store answers, for metrics. */
export interface CacheFigures {
  readonly keys: number;
  /** Objects by `/<group>/<resource>/`, of all workspaces; `''`: keys that are no objects'. */
  readonly keysByRange: ReadonlyMap<string, number>;
  readonly slabBytes: number;
  readonly ringEvents: number;
  readonly ringBytes: number;
  readonly watchers: number;
  /** How long committed transactions took in the store, by what their first operation does. */
  readonly transactionSeconds: { readonly [operation in TransactionKind]: Histogram };
}

export type TransactionKind = 'create' | 'update' | 'delete';
