import { StorageError } from '#storage/errors.ts';
import type {
  KeyValue,
  KnownState,
  RangeOptions,
  RangeResult,
  Revision,
  Storage,
  StorageEvent,
  StorageKey,
  StoredPage,
  Subscription,
  Transaction,
  TransactionResult,
  WatchHandler,
  WatchOptions,
} from '#storage/storage.ts';
import type { Encryption } from './encryption.ts';
import { OpenedEvents } from './opened-events.ts';

/**
 * A store whose values are sealed on their way in and opened on their way out (KUBERNETES.md O5). It stands below the
 * cache: what is in memory is opened once, and log, files and backups hold what is sealed. Without encryption there is
 * none of it.
 */
export class EncryptedStorage implements Storage {
  readonly controlPlaneId: string;
  readonly incarnationId: string;
  readonly awaitSettled?: () => Promise<void> | undefined;
  readonly trust?: (known: KnownState) => void;
  readonly readAll?: () => AsyncIterable<StoredPage>;
  readonly requestProgress?: () => Promise<void>;
  readonly #inner: Storage;
  readonly #encryption: Encryption;
  readonly #watches = new Set<OpenedEvents>();
  #mustReopen = false;
  #owesReopening = false;

  constructor(inner: Storage, encryption: Encryption) {
    this.#inner = inner;
    this.#encryption = encryption;
    this.controlPlaneId = inner.controlPlaneId;
    this.incarnationId = inner.incarnationId;
    // What a store may lack this one lacks too: callers look whether it is there.
    if (inner.awaitSettled !== undefined) this.awaitSettled = () => inner.awaitSettled?.();
    if (inner.trust !== undefined) this.trust = (known) => inner.trust?.(known);
    if (inner.requestProgress !== undefined) {
      this.requestProgress = () => inner.requestProgress?.() ?? Promise.resolve();
    }
    if (inner.readAll !== undefined) this.readAll = () => openedPages(inner.readAll?.() ?? [], encryption);
  }

  async get(key: StorageKey): Promise<KeyValue | undefined> {
    const found = await this.#inner.get(key);
    if (found === undefined) return undefined;
    await this.#encryption.prepare([found]);
    return this.#opened(found);
  }

  async range(options: RangeOptions): Promise<RangeResult> {
    const result = await this.#inner.range(options);
    await this.#encryption.prepare(result.items);
    return { ...result, items: result.items.map((item) => this.#opened(item)) };
  }

  async transact(transaction: Transaction): Promise<TransactionResult> {
    const operations = transaction.operations.map((one) =>
      one.type === 'put' ? { ...one, value: this.#encryption.seal(one.key, one.value) } : one,
    );
    const result = await this.#inner.transact({ guards: transaction.guards, operations });
    if (result.committed || result.current === undefined) return result;
    await this.#encryption.prepare([result.current]);
    return { ...result, current: this.#opened(result.current) };
  }

  /** Throws StorageError `compacted` once after `reopenAll`: whoever follows the store reads it anew. */
  async watch(options: WatchOptions, handler: WatchHandler): Promise<Subscription> {
    if (this.#mustReopen) {
      this.#mustReopen = false;
      throw new StorageError('compacted', 'values can be opened that could not be before');
    }
    const opening = new OpenedEvents(handler, {
      prepare: (events) => this.#encryption.prepare(sealedIn(events)),
      open: (events) => events.map((event) => this.#openedEvent(event)),
      onClosed: () => this.#watches.delete(opening),
    });
    this.#watches.add(opening);
    try {
      opening.follow(await this.#inner.watch(options, opening));
    } catch (error) {
      this.#watches.delete(opening);
      throw error;
    }
    if (this.#owesReopening) {
      this.#owesReopening = false;
      setImmediate(() => this.reopenAll());
    }
    return opening;
  }

  /** Lets all that follow this store read it anew: what could not be opened is in their memory as such. */
  reopenAll(): void {
    // What is being read for the first time is read again when it is followed.
    if (this.#watches.size === 0) {
      this.#owesReopening = true;
      return;
    }
    this.#mustReopen = true;
    for (const watch of [...this.#watches]) {
      watch.break(new StorageError('compacted', 'values can be opened that could not be before'));
    }
  }

  currentRevision(): Promise<Revision> {
    return this.#inner.currentRevision();
  }

  compact(revision: Revision): Promise<void> {
    return this.#inner.compact(revision);
  }

  compactedRevision(): Promise<Revision> {
    return this.#inner.compactedRevision();
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  #opened(item: KeyValue): KeyValue {
    return openedItem(item, this.#encryption);
  }

  #openedEvent(event: StorageEvent): StorageEvent {
    return openedEvent(event, this.#encryption);
  }
}

/** Pages of a store's `readAll`, opened. */
export async function* openedPages(
  pages: AsyncIterable<StoredPage> | Iterable<StoredPage>,
  encryption: Encryption,
): AsyncGenerator<StoredPage> {
  for await (const page of pages) {
    await encryption.prepare(sealedIn(page.events));
    yield { ...page, events: page.events.map((event) => openedEvent(event, encryption)) };
  }
}

function openedEvent(event: StorageEvent, encryption: Encryption): StorageEvent {
  const { type, key, revision, value, previous } = event;
  const opened = value === undefined ? undefined : encryption.open(key, value);
  const before = previous === undefined ? undefined : openedItem(previous, encryption);
  return opened === value && before === previous
    ? event
    : { type, key, revision, value: opened, previous: before };
}

function openedItem(item: KeyValue, encryption: Encryption): KeyValue {
  const value = encryption.open(item.key, item.value);
  return value === item.value ? item : { ...item, value };
}

function* sealedIn(events: readonly StorageEvent[]): Iterable<Pick<KeyValue, 'key' | 'value'>> {
  for (const { key, value, previous } of events) {
    if (value !== undefined) yield { key, value };
    if (previous !== undefined) yield previous;
  }
}
