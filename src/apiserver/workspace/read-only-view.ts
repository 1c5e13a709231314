import type {
  CachedStorage,
  CacheEntry,
  CacheEvent,
  CacheSnapshot,
  CacheWatchHandler,
} from '#storage/cached-storage.ts';
import { StorageError } from '#storage/errors.ts';
import type {
  KeyValue,
  RangeOptions,
  RangeResult,
  Revision,
  StorageEvent,
  StorageKey,
  Subscription,
  TransactionResult,
  WatchHandler,
  WatchOptions,
} from '#storage/storage.ts';

/**
 * Something that is shown as if it were stored: what the verbs read in place of the store. It has the store's revisions,
 * so that lists, watches and pages of it keep all their promises.
 */
export abstract class ReadOnlyView implements CachedStorage {
  protected readonly storage: CachedStorage;

  constructor(storage: CachedStorage) {
    this.storage = storage;
  }

  get controlPlaneId(): string {
    return this.storage.controlPlaneId;
  }

  get incarnationId(): string {
    return this.storage.incarnationId;
  }

  get revision(): Revision {
    return this.storage.revision;
  }

  awaitFresh(): Promise<void> | undefined {
    return this.storage.awaitFresh();
  }

  awaitRevision(revision: Revision, waitMs: number): Promise<void> {
    return this.storage.awaitRevision(revision, waitMs);
  }

  peek(_key: StorageKey): CacheEntry | undefined {
    return undefined;
  }

  abstract snapshot(prefix: string, atRevision?: Revision): CacheSnapshot;

  abstract watchCache(prefix: string, afterRevision: Revision, handler: CacheWatchHandler): { close(): void };

  abstract watch(options: WatchOptions, handler: WatchHandler): Promise<Subscription>;

  async get(key: StorageKey): Promise<KeyValue | undefined> {
    await this.awaitFresh();
    return this.peek(key);
  }

  /** States older than the cache keeps are not put together again: the list starts anew. */
  async range({ atRevision }: RangeOptions): Promise<RangeResult> {
    throw new StorageError('compacted', 'views are listed at recent revisions only', {
      revision: atRevision ?? 0,
    });
  }

  async transact(): Promise<TransactionResult> {
    throw new StorageError('unavailable', 'a view is read-only');
  }

  currentRevision(): Promise<Revision> {
    return this.storage.currentRevision();
  }

  async compact(): Promise<void> {}

  compactedRevision(): Promise<Revision> {
    return this.storage.compactedRevision();
  }

  async close(): Promise<void> {}
}

/** An event of the store's log in the cache's form. */
export function cacheEventOf(event: StorageEvent): CacheEvent {
  const { key, value, revision, previous } = event;
  return {
    ...event,
    entry: value === undefined ? undefined : { key, value, revision, memo: undefined },
    previous: previous === undefined ? undefined : { ...previous, memo: undefined },
    memo: undefined,
  };
}
