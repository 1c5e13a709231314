import type { Clock } from '#apimachinery/clock.ts';
import { QuorumReads } from '../cache/freshness.ts';
import { isStorageError, StorageError } from '../errors.ts';
import { checkTransaction } from '../limits.ts';
import { type StorageLogger, silentLogger } from '../logger.ts';
import type {
  KeyValue,
  RangeOptions,
  RangeResult,
  Revision,
  Storage,
  StorageKey,
  Subscription,
  Transaction,
  TransactionResult,
  WatchHandler,
  WatchOptions,
} from '../storage.ts';
import { Compactor } from './compactor.ts';
import { type EtcdAccess, EtcdConnection } from './etcd-connection.ts';
import { KeySpace } from './key-space.ts';
import { RangeReader } from './ranges.ts';
import {
  compactMethod,
  compareModRevision,
  type Header,
  rangeMethod,
  txnMethod,
  watchMethod,
} from './rpc.ts';
import { type EtcdUpgrade, type OpenedStore, openStore, type RevisionScale } from './store-marker.ts';
import { decodeOutcome, encodeTransaction, refusal } from './transactions.ts';
import { WatchHub } from './watch-hub.ts';

export interface EtcdStorageOptions extends EtcdAccess {
  /** Where in etcd the store lies, such as `/cellplane`. Whoever else uses the etcd must keep off. */
  readonly prefix: string;
  /** How often history is compacted, by one of all servers. Default 300,000; 0: never, somebody else does. */
  readonly compactionIntervalMs?: number | undefined;
  /** Default true; false: a prefix without a store is `unusable`. */
  readonly createIfMissing?: boolean | undefined;
  /** For tests: what brings older formats to the newest. */
  readonly upgrades?: readonly EtcdUpgrade[] | undefined;
  readonly clock: Clock;
  readonly logger?: StorageLogger | undefined;
}

/** Writes that wait for etcd's answer; beyond it, `unavailable`. */
const waitingWritesMax = 20_000;
const waitingBytesMax = 128 * 1024 * 1024;

/**
 * A store in an etcd cluster (3.4 or newer) that several servers share. Throws `unusable` for an etcd or a prefix that
 * cannot be used, `unavailable` when no member answers.
 */
export async function openEtcdStorage(options: EtcdStorageOptions): Promise<Storage> {
  const { clock, logger = silentLogger } = options;
  const keys = new KeySpace(options.prefix);
  const connection = new EtcdConnection(options, clock, logger);
  try {
    const store = await openStore(connection, keys, options.createIfMissing ?? true, options.upgrades);
    return new EtcdStorage({
      connection,
      keys,
      store,
      clock,
      logger,
      intervalMs: options.compactionIntervalMs,
    });
  } catch (error) {
    connection.close();
    throw error;
  }
}

interface Parts {
  readonly connection: EtcdConnection;
  readonly keys: KeySpace;
  readonly store: OpenedStore;
  readonly clock: Clock;
  readonly logger: StorageLogger;
  readonly intervalMs: number | undefined;
}

class EtcdStorage implements Storage {
  readonly controlPlaneId: string;
  readonly incarnationId: string;
  readonly #connection: EtcdConnection;
  readonly #keys: KeySpace;
  readonly #scale: RevisionScale;
  readonly #ranges: RangeReader;
  /** Without and with the values before: etcd reads those from its disk, and the cache needs none. */
  readonly #hub: WatchHub;
  readonly #hubWithPrevious: WatchHub;
  readonly #fences: QuorumReads;
  readonly #compactor: Compactor | undefined;
  /** The newest revision that etcd has told of: it can never tell of an older one to who asks afterwards. */
  #newest: Revision;
  #waitingBytes = 0;
  readonly #writes = new Set<Promise<unknown>>();
  #closed: Promise<void> | undefined;

  constructor({ connection, keys, store, clock, logger, intervalMs = 300_000 }: Parts) {
    const { scale, marker } = store;
    this.controlPlaneId = marker.controlPlaneId;
    this.incarnationId = marker.incarnationId;
    this.#connection = connection;
    this.#keys = keys;
    this.#scale = scale;
    this.#newest = scale.firstRevision;
    this.#ranges = new RangeReader({ connection, keys, scale });
    const hub = { connection, keys, scale, clock, logger, verify: (at: Revision) => this.#verify(at) };
    this.#hub = new WatchHub({ ...hub, previousValues: false });
    this.#hubWithPrevious = new WatchHub({ ...hub, previousValues: true });
    this.#fences = new QuorumReads(() => this.#writeFence(), 1);
    if (intervalMs > 0) {
      this.#compactor = new Compactor({ connection, keys, scale, intervalMs, clock, logger });
      this.#compactor.start();
    }
  }

  async get(key: StorageKey): Promise<KeyValue | undefined> {
    this.#assertOpen();
    const since = this.#newest;
    const answer = await this.#connection.call(
      rangeMethod,
      { key: this.#keys.encode(key) },
      { repeatable: true },
    );
    this.#observe(answer.header, since);
    const [item] = answer.kvs;
    return item && { key, value: item.value, revision: this.#scale.fromEtcd(item.mod_revision) };
  }

  async range(options: RangeOptions): Promise<RangeResult> {
    this.#assertOpen();
    if (options.atRevision !== undefined) this.#assertNotBeforeFirst(options.atRevision);
    const since = this.#newest;
    return this.#ranges.read(options, ({ header }) => this.#observe(header, since));
  }

  async transact(transaction: Transaction): Promise<TransactionResult> {
    this.#assertOpen();
    const bytes = checkTransaction(transaction);
    if (
      this.#writes.size >= waitingWritesMax ||
      (this.#waitingBytes + bytes > waitingBytesMax && bytes < this.#waitingBytes)
    ) {
      throw new StorageError('unavailable', 'too many writes wait for etcd', { writes: this.#writes.size });
    }
    this.#waitingBytes += bytes;
    const write = this.#transact(transaction);
    this.#writes.add(write);
    try {
      return await write;
    } finally {
      this.#writes.delete(write);
      this.#waitingBytes -= bytes;
    }
  }

  async watch(options: WatchOptions, handler: WatchHandler): Promise<Subscription> {
    this.#assertOpen();
    const { afterRevision, prefix, previousValues = true } = options;
    this.#assertNotBeforeFirst(afterRevision);
    await this.#checkMarker(afterRevision);
    this.#assertOpen();
    const hub = previousValues ? this.#hubWithPrevious : this.#hub;
    return hub.subscribe(prefix, afterRevision, handler);
  }

  async currentRevision(): Promise<Revision> {
    this.#assertOpen();
    return this.#checkMarker();
  }

  async requestProgress(): Promise<void> {
    this.#assertOpen();
    await this.#fences.fresh();
  }

  async compact(revision: Revision): Promise<void> {
    this.#assertOpen();
    if (revision <= this.#scale.firstRevision) return;
    try {
      await this.#connection.call(
        compactMethod,
        { revision: this.#scale.toEtcd(revision) },
        { repeatable: true },
      );
    } catch (error) {
      if (!isStorageError(error, 'compacted')) throw error;
    }
  }

  /** etcd tells it only to a watch that begins before it: one on the marker, from when that was written. */
  async compactedRevision(): Promise<Revision> {
    this.#assertOpen();
    const { stream } = await this.#connection.stream(watchMethod);
    try {
      return await new Promise<Revision>((resolve, reject) => {
        stream.on('data', ({ canceled, compact_revision, cancel_reason, events }) => {
          if (compact_revision > 0) resolve(this.#scale.fromEtcd(compact_revision));
          else if (events.length > 0) resolve(this.#scale.firstRevision);
          else if (canceled)
            reject(new StorageError('unavailable', `etcd: watch cancelled: ${cancel_reason}`));
        });
        stream.on('error', (error) => {
          reject(new StorageError('unavailable', `etcd: ${error.message}`, {}, error));
        });
        stream.on('end', () => reject(new StorageError('unavailable', 'etcd: the watch ended')));
        const start_revision = this.#scale.markerRevision;
        stream.write({ create_request: { key: this.#keys.marker, start_revision } });
      });
    } finally {
      stream.cancel();
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const error = new StorageError('closed', 'the store was stopped');
    this.#hub.close(error);
    this.#hubWithPrevious.close(error);
    await Promise.allSettled([...this.#writes, this.#compactor?.stop()]);
    this.#connection.close();
  }

  async #transact(transaction: Transaction): Promise<TransactionResult> {
    const since = this.#newest;
    const request = encodeTransaction(transaction, this.#keys, this.#scale);
    const answer = await this.#connection.call(txnMethod, request, { repeatable: false });
    const revision = this.#observe(answer.header, since);
    const outcome = decodeOutcome(transaction, answer, this.#scale);
    if (outcome.committed) return { committed: true, revision };
    const { guard, current, withValue } = outcome;
    if (current === undefined || withValue) return refusal(guard, current, revision);
    return refusal(guard, await this.#readAt(guard.key, revision), revision);
  }

  async #readAt(key: StorageKey, revision: Revision): Promise<KeyValue | undefined> {
    const request = { key: this.#keys.encode(key), revision: this.#scale.toEtcd(revision) };
    const [item] = (await this.#connection.call(rangeMethod, request, { repeatable: true })).kvs;
    return item && { key, value: item.value, revision: this.#scale.fromEtcd(item.mod_revision) };
  }

  async #writeFence(): Promise<void> {
    const { marker, fence } = this.#keys;
    await this.#connection.call(
      txnMethod,
      {
        compare: [{ target: compareModRevision, key: marker, mod_revision: this.#scale.markerRevision }],
        success: [{ request_put: { key: fence, value: Buffer.alloc(0) } }],
        failure: [],
      },
      { repeatable: true },
    );
  }

  /**
   * A quorum read that returns the store's revision. Throws `compacted` or `future` when the state at `atRevision`
   * cannot be read, `unusable` when the store is no longer the one that was opened.
   */
  async #checkMarker(atRevision?: Revision): Promise<Revision> {
    const since = this.#newest;
    const revision = atRevision === undefined ? 0 : this.#scale.toEtcd(atRevision);
    const { header, kvs } = await this.#connection.call(
      rangeMethod,
      { key: this.#keys.marker, revision, keys_only: true },
      { repeatable: true },
    );
    const newest = this.#observe(header, since);
    if (kvs[0]?.mod_revision !== this.#scale.markerRevision) {
      throw new StorageError('unusable', 'etcd: the store was replaced by another one; start again');
    }
    return newest;
  }

  /** For a watch that has been at `position`. */
  async #verify(position: Revision): Promise<void> {
    try {
      await this.#checkMarker(position);
    } catch (error) {
      if (isStorageError(error, 'future')) throw this.#wentBack(position);
      throw error;
    }
  }

  /** Takes the revision of an answer to a question that was asked when `since` was known already. */
  #observe(header: Header | undefined, since: Revision): Revision {
    const revision = this.#scale.fromEtcd(header?.revision ?? 0);
    if (revision < since) throw this.#wentBack(since);
    if (revision > this.#newest) this.#newest = revision;
    return revision;
  }

  #wentBack(seen: Revision): StorageError {
    return new StorageError(
      'corrupt',
      'etcd was put back to an older state; it has lost what it had acknowledged',
      {
        revisionSeen: seen,
      },
    );
  }

  #assertOpen(): void {
    if (this.#closed !== undefined) throw new StorageError('closed', 'the store was stopped');
  }

  #assertNotBeforeFirst(revision: Revision): void {
    if (revision >= this.#scale.firstRevision) return;
    throw new StorageError('compacted', 'the revision was compacted', {
      revision,
      compactedRevision: this.#scale.firstRevision,
    });
  }
}
