declare const revisionBrand: unique symbol;
declare const storageKeyBrand: unique symbol;

/**
 * One rising sequence per store. A branded double: exact up to 2^53, which at a million writes a second lasts 285 years
 * (docs/decisions/0002). Decimal text on the wire (KUBERNETES.md L1).
 */
export type Revision = number & { readonly [revisionBrand]: true };

/**
 * `/<group>/<resource>/<cluster id>/<namespace>/<name>`; see keys.ts. Ordered by key-order.ts, which for ASCII keys is
 * the order of their bytes.
 */
export type StorageKey = string & { readonly [storageKeyBrand]: true };

export interface KeyValue {
  readonly key: StorageKey;
  /** Never changed by anyone after it was handed over; may be a view on a larger buffer. */
  readonly value: Buffer;
  /** Revision of the write that made this value. */
  readonly revision: Revision;
}

/** The transaction happens only if the key's last write has exactly this revision; 0 = the key is absent. */
export interface Guard {
  readonly key: StorageKey;
  readonly revision: Revision;
}

export type Operation =
  | { readonly type: 'put'; readonly key: StorageKey; readonly value: Buffer }
  | { readonly type: 'delete'; readonly key: StorageKey };

export interface Transaction {
  readonly guards: readonly Guard[];
  /** At most one operation a key. A delete of an absent key is no event. All operations share one revision. */
  readonly operations: readonly Operation[];
}

export type TransactionResult =
  | { readonly committed: true; readonly revision: Revision }
  | {
      readonly committed: false;
      /** The first guard that did not hold, and what stands under its key now (undefined = absent). */
      readonly failedGuard: Guard;
      readonly current: KeyValue | undefined;
      /** The store's revision at which `current` was seen; it is readable (and cached) when this answer arrives. */
      readonly revision: Revision;
    };

export interface RangeOptions {
  /** All keys that start with this. */
  readonly prefix: string;
  /** Only keys greater than this one (for pages). */
  readonly startAfter?: StorageKey | undefined;
  readonly limit?: number | undefined;
  /** The page ends after the value that reaches this sum of value bytes, however few items it then holds. */
  readonly bytesMax?: number | undefined;
  /** State at exactly this revision; default: the newest, linearizable. */
  readonly atRevision?: Revision | undefined;
  /** False spares a store that must read to count: `remaining` may then be 0 although `more` is true. Default true. */
  readonly countRemaining?: boolean | undefined;
}

export interface RangeResult {
  /** In key order. */
  readonly items: readonly KeyValue[];
  /** The revision that this is the state of. */
  readonly revision: Revision;
  readonly more: boolean;
  /** How many further items there are after the last one returned. */
  readonly remaining: number;
}

export interface StorageEvent {
  readonly type: 'put' | 'delete';
  readonly key: StorageKey;
  /** Revision of the write that caused the event. */
  readonly revision: Revision;
  /** The new value; undefined for a delete. */
  readonly value: Buffer | undefined;
  /** What stood there before; undefined when the key was absent. */
  readonly previous: KeyValue | undefined;
}

export interface WatchOptions {
  readonly prefix: string;
  /**
   * Events with a greater revision are delivered. Older than the compaction: the call throws `compacted`; newer than
   * the store: `future`.
   */
  readonly afterRevision: Revision;
  /**
   * False spares a store the read of what stood there before: `previous` may then be undefined although the key was
   * present. For consumers that hold the state themselves. Default true.
   */
  readonly previousValues?: boolean | undefined;
}

/**
 * Called synchronously, in revision order, all events of one revision in one call; a call may hold several whole
 * revisions (backlog). Within a revision events come in key order. Must not throw (the watch is ended with what was
 * thrown) and must not block: a consumer that cannot keep up closes its subscription (watch-iterator.ts does so at its
 * bound).
 */
export interface WatchHandler {
  events(events: readonly StorageEvent[]): void;
  /**
   * Everything up to this revision has been delivered: it was made without an event of this store's (see
   * `Storage.requestProgress`).
   */
  progress?(revision: Revision): void;
  /** The watch is over: `closed` by the store's stop, `compacted`, or the error that broke it. Not called after close(). */
  end(error: Error): void;
}

export interface Subscription {
  /** Idempotent; nothing is delivered after it, `end` neither. */
  close(): void;
}

export interface StoredPage {
  readonly events: readonly StorageEvent[];
  /** The compacted revision of what is read; the same in all pages. */
  readonly compacted: Revision;
  /** The revision that the last page ends at. */
  readonly revision: Revision;
  /** Number of keys present at that revision. */
  readonly count: number;
}

/** Takes everything that a store holds, as `Storage.readAll` gives it, to the last page. */
export type TakeAll = (pages: AsyncIterable<StoredPage>) => Promise<void>;

/** What somebody holds the whole state of. */
export interface KnownState {
  /** All writes up to it are known, none after it. */
  readonly revision: Revision;
  /** Revision of the key's last write; undefined when the key is absent. */
  revisionOf(key: StorageKey): Revision | undefined;
}

/**
 * A revisioned key-value store with watch. Every implementation passes storage/testing's conformance suite.
 *
 * Reads are linearizable unless a revision is asked for. A write is acknowledged, visible to reads and seen by
 * watchers only when it is durable. Errors are StorageError with a code (errors.ts).
 */
export interface Storage {
  /** Made at the store's first start, travels with a backup. */
  readonly controlPlaneId: string;
  /** New at every first start and restore. */
  readonly incarnationId: string;
  /**
   * Only on a store that this process alone writes and whose every revision is at least one event: a watcher has seen a
   * write before its `transact` resolves. Undefined when no write's outcome is open; else (a batch failed and the store
   * is being reopened) a promise that resolves when the outcomes are known and delivered, and rejects when they never
   * will be.
   */
  awaitSettled?(): Promise<void> | undefined;
  /**
   * Optional, for the one cache above that follows this store: guards are checked against it, without a read, whenever
   * it stands at the store's own revision.
   */
  trust?(known: KnownState): void;
  get(key: StorageKey): Promise<KeyValue | undefined>;
  range(options: RangeOptions): Promise<RangeResult>;
  /**
   * Throws `outcome-unknown` when the write may or may not have happened, `unavailable` when it surely has not,
   * `too-large` over the limits of limits.ts. A transaction that changes nothing (no operations, or deletes of absent
   * keys) commits at the current revision and makes none of its own.
   */
  transact(transaction: Transaction): Promise<TransactionResult>;
  /** Delivers what lies between afterRevision and now first, then live events, without gap or repetition. */
  watch(options: WatchOptions, handler: WatchHandler): Promise<Subscription>;
  /**
   * Optional, for whoever loads everything: all that is stored, read once in the order of writing, which is several
   * times faster than `range`. At least one page. First come (as puts and deletes, without `previous`) writes at or
   * before the compacted revision, of which some are missing but none that the state at that revision needs; then all
   * later events, whole revisions in a page.
   */
  readAll?(): AsyncIterable<StoredPage>;
  /**
   * Only on a store whose revisions may rise without an event that watches see: makes its watches reach, by event or
   * `progress`, a revision that is greater than any told before the call.
   */
  requestProgress?(): Promise<void>;
  /** The newest revision, linearizable. */
  currentRevision(): Promise<Revision>;
  /**
   * Events at or before this revision, and states before it, can no longer be read. Older than what is compacted
   * already: nothing happens; newer than the store: `future`.
   */
  compact(revision: Revision): Promise<void>;
  /** Oldest revision whose state can be read; events after it can be watched. */
  compactedRevision(): Promise<Revision>;
  /** Idempotent. Ends watches, waits for writes under way, releases the store. */
  close(): Promise<void>;
}
