import { setTimeout as sleep } from 'node:timers/promises';
import { Histogram, kubernetesDurationBounds } from '#apimachinery/histogram.ts';
import type {
  CachedStorage,
  CacheEntry,
  CacheFigures,
  CacheSnapshot,
  CacheWatchHandler,
  TransactionKind,
} from '../cached-storage.ts';
import { isStorageError, StorageError } from '../errors.ts';
import { type StorageLogger, silentLogger } from '../logger.ts';
import type {
  KeyValue,
  RangeOptions,
  RangeResult,
  Revision,
  Storage,
  StorageEvent,
  StorageKey,
  Subscription,
  TakeAll,
  Transaction,
  TransactionResult,
  WatchHandler,
  WatchOptions,
} from '../storage.ts';
import { WatcherIndex } from '../watchers.ts';
import type { CacheState, RingLimits } from './cache-state.ts';
import { QuorumReads, RevisionWaiters } from './freshness.ts';
import { endOfRevision, loadState, readAll } from './load.ts';
import type { SlabEvent } from './slab.ts';

const retryDelayMsMin = 50;
const retryDelayMsMax = 5_000;

export interface CachedStorageOptions {
  /** Most events in the ring (watch resume, recent snapshots). Default 100,000. */
  readonly ringEventsMax?: number | undefined;
  /** Most bytes that the ring keeps beyond the current state. Default 64 MiB. */
  readonly ringBytesMax?: number | undefined;
  /** How long a consistent read waits for a store that others write too. Default 3,000. */
  readonly freshWaitMs?: number | undefined;
  /**
   * How long a revision may stay out before a store that can is asked for progress: it may have been made by a write
   * that is none of the store's. Default 20.
   */
  readonly progressDelayMs?: number | undefined;
  readonly logger?: StorageLogger | undefined;
}

/**
 * Reads the whole of `inner` into memory (in pages, yielding to the event loop), fills the ring from its log as far as
 * that reaches, and follows it. Closing the cache closes `inner`; so does a failure to open, which throws what `inner`
 * threw.
 */
export function openCachedStorage(
  inner: Storage,
  options: CachedStorageOptions = {},
): Promise<CachedStorage & { figures(): CacheFigures }> {
  return openWithCache(async () => inner, options);
}

/**
 * Like `openCachedStorage`, for a store that is yet to be opened: one that hands over what it holds while it opens (by
 * `takeAll`, at most once) is read once instead of twice.
 */
export async function openWithCache(
  open: (takeAll: TakeAll) => Promise<Storage>,
  options: CachedStorageOptions = {},
): Promise<CachedStorage & { figures(): CacheFigures }> {
  const limits: RingLimits = {
    ringEventsMax: options.ringEventsMax ?? 100_000,
    ringBytesMax: options.ringBytesMax ?? 64 * 1024 * 1024,
  };
  let taken: CacheState | undefined;
  const inner = await open(async (pages) => {
    taken = await readAll(pages, limits);
  });
  try {
    const state = taken ?? (await loadState(inner, limits));
    const cache = new CachingStorage(inner, state, limits, options);
    await cache.follow();
    inner.trust?.({
      get revision() {
        return cache.revision;
      },
      revisionOf: (key) => cache.peek(key)?.revision,
    });
    return cache;
  } catch (error) {
    await inner.close();
    throw error;
  }
}

class CachingStorage implements CachedStorage {
  readonly controlPlaneId: string;
  readonly incarnationId: string;
  readonly awaitSettled?: () => Promise<void> | undefined;
  readonly #inner: Storage;
  readonly #limits: RingLimits;
  readonly #logger: StorageLogger;
  readonly #freshWaitMs: number;
  readonly #progressDelayMs: number;
  readonly #watchers = new WatcherIndex<SlabEvent>();
  readonly #waiters = new RevisionWaiters();
  readonly #quorum: QuorumReads;
  readonly #transactionSeconds = {
    create: new Histogram(kubernetesDurationBounds),
    update: new Histogram(kubernetesDurationBounds),
    delete: new Histogram(kubernetesDurationBounds),
  };
  readonly #stopping = new AbortController();
  #state: CacheState;
  #subscription: Subscription | undefined;
  /** Settles when the inner store is followed again; undefined while it is. */
  #reconnecting: Promise<void> | undefined;
  /** Why the cache can never be fresh again. */
  #failure: Error | undefined;

  constructor(inner: Storage, state: CacheState, limits: RingLimits, options: CachedStorageOptions) {
    this.controlPlaneId = inner.controlPlaneId;
    this.incarnationId = inner.incarnationId;
    this.#inner = inner;
    this.#state = state;
    this.#limits = limits;
    this.#logger = options.logger ?? silentLogger;
    this.#freshWaitMs = options.freshWaitMs ?? 3_000;
    this.#progressDelayMs = options.progressDelayMs ?? 20;
    if (inner.awaitSettled !== undefined) this.awaitSettled = () => this.awaitFresh();
    this.#quorum = new QuorumReads(async () => {
      const revision = await this.#inner.currentRevision();
      await this.#awaitWithProgress(revision);
    });
  }

  get revision(): Revision {
    return this.#state.revision;
  }

  figures(): CacheFigures {
    return {
      keys: this.#state.size,
      keysByRange: this.#state.sizes(),
      slabBytes: this.#state.slabBytesHeld,
      ringEvents: this.#state.ringEvents,
      ringBytes: this.#state.ringBytes,
      watchers: this.#watchers.count,
      transactionSeconds: this.#transactionSeconds,
    };
  }

  /** Subscribes to the inner store from the cache's revision on. */
  async follow(): Promise<void> {
    this.#subscription = await this.#inner.watch(
      { prefix: '', afterRevision: this.#state.revision, previousValues: false },
      {
        events: (events) => this.#take(events),
        progress: (revision) => this.#advance(revision),
        end: (error) => this.#lost(error),
      },
    );
    if (this.#stopping.signal.aborted) this.#subscription.close();
  }

  awaitFresh(): Promise<void> | undefined {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#inner.awaitSettled === undefined) return this.#quorum.fresh();
    return this.#reconnecting ?? this.#inner.awaitSettled();
  }

  async awaitRevision(revision: Revision, waitMs: number): Promise<void> {
    if (revision <= this.#state.revision) return;
    if (this.#failure !== undefined) throw this.#failure;
    await this.#waiters.wait(revision, waitMs);
  }

  peek(key: StorageKey): CacheEntry | undefined {
    return this.#state.peek(key);
  }

  snapshot(prefix: string, atRevision?: Revision): CacheSnapshot {
    return this.#state.snapshot(prefix, atRevision);
  }

  watchCache(prefix: string, afterRevision: Revision, handler: CacheWatchHandler): Subscription {
    if (this.#failure !== undefined) throw this.#failure;
    let position = afterRevision;
    // Again if the handler has written meanwhile: its events belong to the backlog until the watcher is indexed.
    do {
      const pages = this.#state.backlog(prefix, position);
      position = this.#state.revision;
      for (const page of pages) handler.events(page);
    } while (position < this.#state.revision);
    return this.#watchers.add(prefix, position, handler);
  }

  async get(key: StorageKey): Promise<KeyValue | undefined> {
    await this.awaitFresh();
    return this.#state.peek(key);
  }

  async range(options: RangeOptions): Promise<RangeResult> {
    const { atRevision } = options;
    if (atRevision === undefined || atRevision > this.#state.revision) await this.awaitFresh();
    let snapshot: CacheSnapshot;
    try {
      snapshot = this.#state.snapshot(options.prefix, atRevision);
    } catch (error) {
      if (!isStorageError(error, 'compacted')) throw error;
      return this.#inner.range(options);
    }
    return pageOf(snapshot, options);
  }

  transact(transaction: Transaction): Promise<TransactionResult> {
    const startedMs = performance.now();
    return this.#inner.transact(transaction).then((result) => {
      this.#transactionSeconds[kindOf(transaction)].observe((performance.now() - startedMs) / 1_000);
      return result.revision <= this.#state.revision ? result : this.#followed(transaction, result);
    });
  }

  /** `result` when the cache has reached its revision. */
  async #followed(transaction: Transaction, result: TransactionResult): Promise<TransactionResult> {
    try {
      // The event of a put surely comes; a revision that nothing of ours made may need to be asked for.
      const hasEvent = result.committed && transaction.operations.some(({ type }) => type === 'put');
      if (hasEvent) await this.awaitRevision(result.revision, this.#freshWaitMs);
      else await this.#awaitWithProgress(result.revision);
    } catch (error) {
      throw new StorageError(
        'outcome-unknown',
        'the store has answered but the cache does not follow it',
        { revision: result.revision },
        error,
      );
    }
    return result;
  }

  async watch(options: WatchOptions, handler: WatchHandler): Promise<Subscription> {
    if (options.afterRevision > this.#state.revision) await this.awaitFresh();
    try {
      return this.watchCache(options.prefix, options.afterRevision, handler);
    } catch (error) {
      if (!isStorageError(error, 'compacted')) throw error;
      return this.#inner.watch(options, handler);
    }
  }

  async currentRevision(): Promise<Revision> {
    if (this.#inner.awaitSettled === undefined) return this.#inner.currentRevision();
    await this.awaitFresh();
    return this.#state.revision;
  }

  async compact(revision: Revision): Promise<void> {
    await this.#inner.compact(revision);
    this.#state.trim(revision);
  }

  compactedRevision(): Promise<Revision> {
    return this.#inner.compactedRevision();
  }

  async close(): Promise<void> {
    if (!this.#stopping.signal.aborted) {
      const closed = new StorageError('closed', 'the store was stopped');
      this.#stopping.abort();
      this.#fail(closed);
    }
    await this.#inner.close();
    this.#subscription?.close();
  }

  #take(events: readonly StorageEvent[]): void {
    for (let start = 0; start < events.length; ) {
      const end = endOfRevision(events, start);
      const whole = start === 0 && end === events.length ? events : events.slice(start, end);
      const applied = this.#state.apply(whole);
      this.#state.advance(whole[0]?.revision ?? this.#state.revision);
      this.#watchers.publish(applied);
      start = end;
    }
    this.#waiters.reached(this.#state.revision);
  }

  #advance(revision: Revision): void {
    this.#state.advance(revision);
    this.#waiters.reached(this.#state.revision);
  }

  /** For a revision that the inner store has told, which need not be one of its own writes. */
  async #awaitWithProgress(revision: Revision): Promise<void> {
    if (revision <= this.#state.revision) return;
    const timer = setTimeout(() => {
      this.#inner.requestProgress?.().catch((error: unknown) => {
        this.#logger.warn({ err: error, revision }, 'the store could not be asked for progress');
      });
    }, this.#progressDelayMs);
    try {
      await this.awaitRevision(revision, this.#freshWaitMs);
    } finally {
      clearTimeout(timer);
    }
  }

  #lost(error: Error): void {
    if (this.#stopping.signal.aborted) return;
    if (isStorageError(error, 'closed', 'corrupt', 'unusable')) {
      this.#fail(error);
      return;
    }
    this.#logger.warn({ err: error, revision: this.#state.revision }, 'cache lost its watch on the store');
    const reconnecting = this.#reconnect().finally(() => {
      this.#reconnecting = undefined;
    });
    // Whoever awaits freshness gets the failure; without a waiter it is in #failure.
    reconnecting.catch(() => {});
    this.#reconnecting = reconnecting;
  }

  async #reconnect(): Promise<void> {
    for (let delayMs = retryDelayMsMin; ; delayMs = Math.min(2 * delayMs, retryDelayMsMax)) {
      try {
        await this.follow();
        return;
      } catch (error) {
        if (isStorageError(error, 'closed', 'corrupt', 'unusable')) {
          this.#fail(error);
          throw error;
        }
        if (isStorageError(error, 'compacted', 'future')) {
          if (await this.#reload()) continue;
        } else {
          this.#logger.warn({ err: error, retryMs: delayMs }, 'cache cannot follow the store');
        }
      }
      await sleep(delayMs, undefined, { signal: this.#stopping.signal, ref: false }).catch(() => {
        throw new StorageError('closed', 'the store was stopped');
      });
    }
  }

  /** The events between are lost: watchers are told to list again, and the state is read anew. False when that failed. */
  async #reload(): Promise<boolean> {
    try {
      this.#state = await loadState(this.#inner, this.#limits);
    } catch (error) {
      this.#logger.warn({ err: error }, 'cache cannot read the store');
      return false;
    }
    this.#watchers.endAll(
      new StorageError('compacted', 'the cache was read anew', { compactedRevision: this.#state.oldest }),
    );
    this.#waiters.reached(this.#state.revision);
    return true;
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#watchers.endAll(error);
    this.#waiters.rejectAll(error);
  }
}

function pageOf(snapshot: CacheSnapshot, options: RangeOptions): RangeResult {
  const limit = options.limit ?? Number.POSITIVE_INFINITY;
  const bytesMax = options.bytesMax ?? Number.POSITIVE_INFINITY;
  const items: KeyValue[] = [];
  let bytes = 0;
  let more = false;
  for (const entry of snapshot.entries(options.startAfter)) {
    if (items.length >= limit || bytes >= bytesMax) {
      more = true;
      break;
    }
    items.push(entry);
    bytes += entry.value.length;
  }
  const remaining = more ? snapshot.count(items.at(-1)?.key ?? options.startAfter) : 0;
  return { items, revision: snapshot.revision, more, remaining };
}

function kindOf({ operations, guards }: Transaction): TransactionKind {
  const first = operations[0];
  if (first?.type !== 'put') return first === undefined ? 'update' : 'delete';
  return guards.some(({ key, revision }) => revision === 0 && key === first.key) ? 'create' : 'update';
}
