import { randomUUID } from 'node:crypto';
import { StorageError } from '../errors.ts';
import { compareKeys } from '../key-order.ts';
import { checkTransaction } from '../limits.ts';
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

/** One write of one key; value undefined = deleted. */
interface Version {
  readonly revision: Revision;
  readonly value: Buffer | undefined;
}

interface Watcher {
  readonly prefix: string;
  readonly handler: WatchHandler;
  /** Events up to here have been delivered. */
  position: Revision;
}

export interface MemoryStorageOptions {
  readonly controlPlaneId?: string | undefined;
  readonly incarnationId?: string | undefined;
  /** History beyond twice this many revisions is compacted down to it. Default 100,000. */
  readonly historyRevisionsMax?: number | undefined;
}

/**
 * The reference model: every version of every key in plain maps, nothing clever. The other stores are tested against
 * it; it also serves tests and processes that need no durability.
 */
export function createMemoryStorage(options: MemoryStorageOptions = {}): Storage {
  return new MemoryStorage(options);
}

class MemoryStorage implements Storage {
  readonly controlPlaneId: string;
  readonly incarnationId: string;
  readonly #historyRevisionsMax: number;
  /** Revision 1 is the empty store, as in etcd: 0 stays free for "absent". */
  #head = 1 as Revision;
  #compacted = 1 as Revision;
  /** All versions of a key that can still be read, oldest first. */
  readonly #versions = new Map<StorageKey, Version[]>();
  #sortedKeys: StorageKey[] | undefined = [];
  /** One element a revision after the compaction, oldest first. */
  #log: StorageEvent[][] = [];
  readonly #watchers = new Set<Watcher>();
  /** Revisions committed but not yet delivered: a handler may write in its turn. */
  readonly #undelivered: StorageEvent[][] = [];
  #delivering = false;
  #closed = false;

  constructor(options: MemoryStorageOptions) {
    this.controlPlaneId = options.controlPlaneId ?? randomUUID();
    this.incarnationId = options.incarnationId ?? randomUUID();
    this.#historyRevisionsMax = options.historyRevisionsMax ?? 100_000;
  }

  awaitSettled(): undefined {
    return undefined;
  }

  async get(key: StorageKey): Promise<KeyValue | undefined> {
    this.#assertOpen();
    return this.#at(key, this.#head);
  }

  async range(options: RangeOptions): Promise<RangeResult> {
    this.#assertOpen();
    const revision = options.atRevision ?? this.#head;
    this.#assertReadable(revision);
    const limit = options.limit ?? Number.POSITIVE_INFINITY;
    const bytesMax = options.bytesMax ?? Number.POSITIVE_INFINITY;
    const items: KeyValue[] = [];
    let bytes = 0;
    let remaining = 0;
    for (const key of this.#keys()) {
      if (!key.startsWith(options.prefix)) continue;
      if (options.startAfter !== undefined && compareKeys(key, options.startAfter) <= 0) continue;
      const item = this.#at(key, revision);
      if (item === undefined) continue;
      if (items.length < limit && bytes < bytesMax && remaining === 0) {
        items.push(item);
        bytes += item.value.length;
      } else {
        remaining++;
      }
    }
    return { items, revision, more: remaining > 0, remaining };
  }

  async transact(transaction: Transaction): Promise<TransactionResult> {
    this.#assertOpen();
    checkTransaction(transaction);
    for (const guard of transaction.guards) {
      const current = this.#at(guard.key, this.#head);
      if ((current?.revision ?? 0) !== guard.revision) {
        return { committed: false, failedGuard: guard, current, revision: this.#head };
      }
    }
    const events = this.#eventsOf(transaction);
    if (events.length > 0) this.#commit(events);
    return { committed: true, revision: this.#head };
  }

  async watch(options: WatchOptions, handler: WatchHandler): Promise<Subscription> {
    this.#assertOpen();
    this.#assertReadable(options.afterRevision);
    const watcher: Watcher = { prefix: options.prefix, handler, position: options.afterRevision };
    this.#watchers.add(watcher);
    for (const events of this.#log) this.#deliverTo(watcher, events);
    return { close: () => void this.#watchers.delete(watcher) };
  }

  async currentRevision(): Promise<Revision> {
    this.#assertOpen();
    return this.#head;
  }

  async compact(revision: Revision): Promise<void> {
    this.#assertOpen();
    if (revision > this.#head) throw this.#future(revision);
    if (revision > this.#compacted) this.#compactTo(revision);
  }

  async compactedRevision(): Promise<Revision> {
    this.#assertOpen();
    return this.#compacted;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    for (const watcher of watchers) watcher.handler.end(new StorageError('closed', 'the store was stopped'));
  }

  #keys(): readonly StorageKey[] {
    this.#sortedKeys ??= [...this.#versions.keys()].sort(compareKeys);
    return this.#sortedKeys;
  }

  #at(key: StorageKey, revision: Revision): KeyValue | undefined {
    const version = this.#versions.get(key)?.findLast((candidate) => candidate.revision <= revision);
    if (version?.value === undefined) return undefined;
    return { key, value: version.value, revision: version.revision };
  }

  #eventsOf({ operations }: Transaction): StorageEvent[] {
    const revision = (this.#head + 1) as Revision;
    const events: StorageEvent[] = [];
    for (const operation of operations) {
      const previous = this.#at(operation.key, this.#head);
      if (operation.type === 'put') {
        events.push({ type: 'put', key: operation.key, revision, value: operation.value, previous });
      } else if (previous !== undefined) {
        events.push({ type: 'delete', key: operation.key, revision, value: undefined, previous });
      }
    }
    return events.sort((left, right) => compareKeys(left.key, right.key));
  }

  #commit(events: StorageEvent[]): void {
    this.#head = (this.#head + 1) as Revision;
    this.#log.push(events);
    for (const { key, revision, value } of events) {
      const versions = this.#versions.get(key);
      if (versions === undefined) {
        this.#versions.set(key, [{ revision, value }]);
        this.#sortedKeys = undefined;
      } else {
        versions.push({ revision, value });
      }
    }
    if (this.#head - this.#compacted > 2 * this.#historyRevisionsMax) {
      this.#compactTo((this.#head - this.#historyRevisionsMax) as Revision);
    }
    this.#undelivered.push(events);
    this.#deliver();
  }

  #deliver(): void {
    if (this.#delivering) return;
    this.#delivering = true;
    for (let events = this.#undelivered.shift(); events !== undefined; events = this.#undelivered.shift()) {
      for (const watcher of this.#watchers) this.#deliverTo(watcher, events);
    }
    this.#delivering = false;
  }

  #deliverTo(watcher: Watcher, events: readonly StorageEvent[]): void {
    const revision = events[0]?.revision;
    if (revision === undefined || revision <= watcher.position || !this.#watchers.has(watcher)) return;
    watcher.position = revision;
    const matching = events.filter((event) => event.key.startsWith(watcher.prefix));
    if (matching.length === 0) return;
    try {
      watcher.handler.events(matching);
    } catch (error) {
      this.#watchers.delete(watcher);
      watcher.handler.end(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #compactTo(revision: Revision): void {
    this.#compacted = revision;
    this.#log = this.#log.filter((events) => events[0] !== undefined && events[0].revision > revision);
    for (const [key, versions] of this.#versions) {
      const oldest = versions.findLastIndex((version) => version.revision <= revision);
      const kept = versions.slice(Math.max(oldest, 0));
      if (kept[0] !== undefined && kept[0].value === undefined && kept[0].revision <= revision) kept.shift();
      if (kept.length > 0) {
        this.#versions.set(key, kept);
      } else {
        this.#versions.delete(key);
        this.#sortedKeys = undefined;
      }
    }
  }

  #assertOpen(): void {
    if (this.#closed) throw new StorageError('closed', 'the store was stopped');
  }

  #assertReadable(revision: Revision): void {
    if (revision > this.#head) throw this.#future(revision);
    if (revision < this.#compacted) {
      throw new StorageError('compacted', 'the revision was compacted', {
        revision,
        compactedRevision: this.#compacted,
      });
    }
  }

  #future(revision: Revision): StorageError {
    return new StorageError('future', 'the revision is not reached yet', {
      revision,
      currentRevision: this.#head,
    });
  }
}
