import { StorageError } from '../errors.ts';
import type {
  KeyValue,
  RangeOptions,
  RangeResult,
  Revision,
  Storage,
  StorageEvent,
  StorageKey,
  Subscription,
  Transaction,
  TransactionResult,
  WatchHandler,
  WatchOptions,
} from '../storage.ts';

/**
 * A store as one on another machine looks: others write it too, its watches lag (until `release`), and break. Wraps a
 * store of this process and hides what only such a store has.
 */
export class RemoteStorage implements Storage {
  readonly controlPlaneId: string;
  readonly incarnationId: string;
  readonly #inner: Storage;
  readonly #handlers = new Set<WatchHandler>();
  #held: { handler: WatchHandler; events: readonly StorageEvent[] }[] | undefined;
  /** Quorum reads so far. */
  currentRevisionReads = 0;
  /** The next watches fail with these. */
  readonly watchFailures: Error[] = [];
  /** The next ranges fail with these. */
  readonly rangeFailures: Error[] = [];
  ranges = 0;

  constructor(inner: Storage) {
    this.#inner = inner;
    this.controlPlaneId = inner.controlPlaneId;
    this.incarnationId = inner.incarnationId;
  }

  /** Holds events back from now on. */
  hold(): void {
    this.#held ??= [];
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const { handler, events } of held) if (this.#handlers.has(handler)) handler.events(events);
  }

  /** Breaks all watches. Events held back are lost with them. */
  breakWatches(error: Error = new StorageError('unavailable', 'connection lost')): void {
    const handlers = [...this.#handlers];
    this.#handlers.clear();
    this.#held = undefined;
    for (const handler of handlers) handler.end(error);
  }

  get(key: StorageKey): Promise<KeyValue | undefined> {
    return this.#inner.get(key);
  }

  async range(options: RangeOptions): Promise<RangeResult> {
    this.ranges++;
    const failure = this.rangeFailures.shift();
    if (failure !== undefined) throw failure;
    return this.#inner.range(options);
  }

  /** Takes a turn of the event loop at least, as whatever crosses a network does. */
  async transact(transaction: Transaction): Promise<TransactionResult> {
    await new Promise((resolve) => setImmediate(resolve));
    return this.#inner.transact(transaction);
  }

  async watch(options: WatchOptions, handler: WatchHandler): Promise<Subscription> {
    const failure = this.watchFailures.shift();
    if (failure !== undefined) throw failure;
    this.#handlers.add(handler);
    const subscription = await this.#inner.watch(options, {
      events: (events) => {
        if (!this.#handlers.has(handler)) return;
        if (this.#held === undefined) handler.events(events);
        else this.#held.push({ handler, events });
      },
      end: (error) => {
        if (this.#handlers.delete(handler)) handler.end(error);
      },
    });
    return {
      close: () => {
        this.#handlers.delete(handler);
        subscription.close();
      },
    };
  }

  currentRevision(): Promise<Revision> {
    this.currentRevisionReads++;
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
}
