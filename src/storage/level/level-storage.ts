import { type Clock, sleep, systemClock } from '#apimachinery/clock.ts';
import { isStorageError, StorageError } from '../errors.ts';
import { checkTransaction } from '../limits.ts';
import { type StorageLogger, silentLogger } from '../logger.ts';
import type {
  Guard,
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
  TakeAll,
  Transaction,
  TransactionResult,
  WatchHandler,
  WatchOptions,
} from '../storage.ts';
import { Compactor } from './compactor.ts';
import { type CreateDatabase, createClassicLevel, type LevelDatabase } from './database.ts';
import { type CommittedGroup, GroupCommit, type Recalled } from './group-commit.ts';
import { pointerKey } from './key-codec.ts';
import { LevelWatches } from './level-watches.ts';
import { type Marker, writeMarker } from './marker.ts';
import { decodeHead, type Head, headKey } from './meta.ts';
import { createStore, findOrMakeMarker, naming, type OpenedDatabase, openVerified } from './open.ts';
import { encodePointer } from './pointer.ts';
import { eventsOfLog, readCompacted, readKey, readLog, readRange, type View } from './reader.ts';
import { Timeline } from './retention.ts';
import { Tombstones } from './tombstones.ts';
import { type LevelUpgrade, levelUpgrades, upgradeStore } from './upgrade.ts';

const reopenDelayMsMin = 100;
const reopenDelayMsMax = 10_000;

export interface LevelStorageOptions {
  /** Data folder of this store alone; made if missing. One process at a time. */
  readonly directory: string;
  /** False: a folder without a store is `unusable` rather than given a new one. Default true. */
  readonly createIfMissing?: boolean | undefined;
  /** Of a store that is made here; default: a random one. */
  readonly controlPlaneId?: string | undefined;
  readonly clock?: Clock | undefined;
  readonly logger?: StorageLogger | undefined;
  /** Events and states older than this are compacted. Default 15 minutes. */
  readonly historyAgeMs?: number | undefined;
  /** At most about so many revisions are kept, however young. Default 300,000. */
  readonly historyRevisionsMax?: number | undefined;
  /** How often age and count are looked at. Default 30 s. */
  readonly compactIntervalMs?: number | undefined;
  /** Reads all values at open, not only those of the log. The cache reads them all anyway. Default false. */
  readonly verifyValues?: boolean | undefined;
  /**
   * Is given, while the store is opened and verified, everything that it holds, as `readAll` gives it: a start then reads
   * the store once. Must take all of it; what it throws fails the opening.
   */
  readonly takeAll?: TakeAll | undefined;
  /** How long `awaitSettled` waits for a store that is being reopened. Default 5,000. */
  readonly settleWaitMs?: number | undefined;
  /** For tests: what stands between this store and LevelDB. */
  readonly createDatabase?: CreateDatabase | undefined;
  /** For tests: what brings older formats to the newest. */
  readonly upgrades?: readonly LevelUpgrade[] | undefined;
  /** For tests that show what sync is for. Default true. */
  readonly sync?: boolean | undefined;
}

/**
 * Opens the embedded store in a data folder, or makes one in an empty folder. Throws StorageError, naming the folder:
 * `locked` (open in another process), `unusable` (not writable, foreign, newer format), `corrupt` (damaged).
 */
export async function openLevelStorage(options: LevelStorageOptions): Promise<Storage> {
  const { directory, upgrades = levelUpgrades } = options;
  const createDatabase = options.createDatabase ?? createClassicLevel;
  let marker = await findOrMakeMarker(directory, {
    mayCreate: options.createIfMissing ?? true,
    controlPlaneId: options.controlPlaneId,
    format: 1 + upgrades.length,
  });
  if (marker.state === 'creating') marker = await createStore(directory, marker, createDatabase);
  const logger = options.logger ?? silentLogger;
  marker = await upgradeStore(directory, marker, { createDatabase, upgrades, logger });
  const historyAgeMs = options.historyAgeMs ?? 15 * 60_000;
  const sampleMs = Math.max(1, Math.floor(historyAgeMs / 200));
  const values = options.verifyValues ?? false;
  const reopen = (toldRevision: Revision, takeAll?: TakeAll) =>
    openVerified(directory, marker, createDatabase, { sampleMs, values, toldRevision, takeAll });
  const opened = await reopen(0 as Revision, options.takeAll);
  return new LevelStorage(options, marker, opened, reopen, new Timeline(sampleMs, opened.samples));
}

class LevelStorage implements Storage {
  readonly controlPlaneId: string;
  readonly incarnationId: string;
  readonly #directory: string;
  readonly #marker: Marker;
  readonly #clock: Clock;
  readonly #logger: StorageLogger;
  readonly #settleWaitMs: number;
  readonly #reopen: (toldRevision: Revision) => Promise<OpenedDatabase>;
  readonly #timeline: Timeline;
  readonly #writer: GroupCommit;
  readonly #compactor: Compactor;
  readonly #watches: LevelWatches;
  readonly #stopping = new AbortController();
  #database: LevelDatabase;
  /** The committed head: what reads, replies and events may show. */
  #head: Head;
  #known: KnownState | undefined;
  #tombstones: Tombstones;
  /** Settles when the store has been reopened after a failed write; undefined in health. */
  #recovering: Promise<void> | undefined;
  /** Why the store can never be used again. */
  #failure: StorageError | undefined;
  #closing: Promise<void> | undefined;

  constructor(
    options: LevelStorageOptions,
    marker: Marker,
    opened: OpenedDatabase,
    reopen: (toldRevision: Revision) => Promise<OpenedDatabase>,
    timeline: Timeline,
  ) {
    this.controlPlaneId = marker.controlPlaneId;
    this.incarnationId = marker.incarnationId;
    this.#directory = options.directory;
    this.#marker = marker;
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger ?? silentLogger;
    this.#settleWaitMs = options.settleWaitMs ?? 5_000;
    this.#reopen = reopen;
    this.#timeline = timeline;
    this.#database = opened.database;
    this.#head = opened.head;
    this.#tombstones = tombstonesOf(opened);
    this.#writer = new GroupCommit({
      database: opened.database,
      head: opened.head,
      clock: this.#clock,
      sync: options.sync ?? true,
      recall: (key) => this.#recall(key),
      onCommitted: (group) => this.#committed(group),
      refused: (transaction, guard) => this.#refused(transaction, guard),
      onFailed: (error) => this.#failed(error),
    });
    this.#watches = new LevelWatches({
      head: () => this.#head,
      withView: (read) => this.#withView(read),
      database: () => this.#database,
      recovering: () => this.#recovering,
    });
    this.#compactor = new Compactor({
      clock: this.#clock,
      logger: this.#logger,
      timeline,
      writer: this.#writer,
      historyAgeMs: options.historyAgeMs ?? 15 * 60_000,
      historyRevisionsMax: options.historyRevisionsMax ?? 300_000,
      compactIntervalMs: options.compactIntervalMs ?? 30_000,
      head: () => this.#head,
      database: () => this.#usableDatabase(),
    });
    this.#compactor.start();
  }

  awaitSettled(): Promise<void> | undefined {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const recovering = this.#recovering;
    if (recovering === undefined) return undefined;
    const waited = new AbortController();
    const timeout = sleep(this.#clock, this.#settleWaitMs, waited.signal).then(() => {
      throw new StorageError('unavailable', 'the store is being reopened after a failed write');
    });
    return Promise.race([recovering, timeout]).finally(() => {
      timeout.catch(() => {});
      waited.abort();
    });
  }

  trust(known: KnownState): void {
    this.#known = known;
  }

  async get(key: StorageKey): Promise<KeyValue | undefined> {
    return this.#withView((view) => readKey(view, key));
  }

  async range(options: RangeOptions): Promise<RangeResult> {
    if (options.atRevision !== undefined) this.#assertReadable(options.atRevision);
    return this.#withView(async (view) => {
      const revision = options.atRevision ?? view.head;
      return { ...(await readRange(view, options, revision)), revision };
    });
  }

  async *readAll(): AsyncGenerator<StoredPage> {
    const database = this.#usableDatabase();
    const { revision, compacted, count } = this.#head;
    const view = database.view();
    try {
      yield { events: [], compacted, revision, count };
      for await (const events of readCompacted(database, compacted, view)) {
        yield { events, compacted, revision, count };
      }
      for await (const events of readLog(database, compacted, revision, view)) {
        yield { events, compacted, revision, count };
      }
    } catch (error) {
      throw this.#readError(error);
    } finally {
      await view.close();
    }
  }

  /** Not an async function, which would take a promise and several turns more. */
  transact(transaction: Transaction): Promise<TransactionResult> {
    try {
      const bytes = checkTransaction(transaction);
      this.#assertOpen();
      return this.#writer.submit(transaction, bytes);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async watch(options: WatchOptions, handler: WatchHandler): Promise<Subscription> {
    this.#assertOpen();
    this.#assertReadable(options.afterRevision);
    return this.#watches.add(options, handler);
  }

  async currentRevision(): Promise<Revision> {
    this.#assertUsable();
    return this.#head.revision;
  }

  async compact(revision: Revision): Promise<void> {
    this.#assertOpen();
    if (revision > this.#head.revision) throw this.#future(revision);
    if (revision <= this.#head.compacted) return;
    await this.#writer.compact(revision);
    this.#compactor.prune();
  }

  async compactedRevision(): Promise<Revision> {
    this.#assertUsable();
    return this.#head.compacted;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#stopping.abort();
    await this.#writer.idle();
    let orderly = true;
    await this.#recovering?.catch(() => {
      orderly = false;
    });
    await this.#watches.stop(new StorageError('closed', 'the store was stopped'));
    await this.#compactor.stop();
    await this.#writer.idle();
    try {
      if (this.#failure === undefined && orderly) {
        await writeMarker(this.#directory, { ...this.#marker, revision: this.#head.revision });
      }
    } finally {
      await this.#database.close();
    }
  }

  /**
   * Reads in a view of the database. The view may show a group that is on disk but not yet told: then the answer waits
   * until it is, so that no reader is ahead of `currentRevision` and the watchers.
   */
  async #withView<Result>(read: (view: View) => Promise<Result>): Promise<Result> {
    const database = this.#usableDatabase();
    const { landing } = this.#writer;
    const view = database.view();
    try {
      let head = this.#head.revision;
      if (landing !== undefined) {
        const [headBytes] = await database.getMany([headKey], view);
        head = decodeHead(headBytes).revision;
      }
      const result = await read({ database, view, head });
      if (head > this.#head.revision) await landing;
      if (head > this.#head.revision) this.#assertUsable();
      return result;
    } catch (error) {
      throw this.#readError(error);
    } finally {
      await view.close();
    }
  }

  #readError(error: unknown): StorageError {
    if (this.#stopping.signal.aborted) return new StorageError('closed', 'the store was stopped', {}, error);
    if (isStorageError(error, 'corrupt')) return naming(this.#directory, error);
    if (isStorageError(error)) return error;
    return new StorageError(
      'unavailable',
      'the store could not be read',
      { directory: this.#directory },
      error,
    );
  }

  /** Writers in the middle of an event see the cache behind the head: then it is not asked. */
  #recall(key: StorageKey): Recalled | undefined {
    const known = this.#known;
    if (known === undefined || known.revision !== this.#head.revision) return undefined;
    const present = known.revisionOf(key);
    const revision = present ?? this.#tombstones.revisionOf(key);
    if (revision === undefined) {
      if (!this.#tombstones.isComplete(this.#head.pruned)) return undefined;
      return { keyBytes: pointerKey(key), pointer: undefined };
    }
    const keyBytes = pointerKey(key);
    return { keyBytes, pointer: encodePointer(keyBytes, revision, present !== undefined).pointer };
  }

  async #refused(transaction: Transaction, failedGuard: Guard): Promise<TransactionResult> {
    const { current, revision } = await this.#withView(async (view) => ({
      current: await readKey(view, failedGuard.key),
      revision: view.head,
    }));
    // Changed since it was refused, so that the guard holds now: it has another chance.
    if ((current?.revision ?? 0) === failedGuard.revision) return this.transact(transaction);
    return { committed: false, failedGuard, current, revision };
  }

  #committed(group: CommittedGroup): Promise<void> | undefined {
    const { head, timeMs, revisions } = group;
    this.#head = head;
    this.#tombstones.take(group);
    if (revisions.length > 0) this.#timeline.note(timeMs, head.revision);
    return this.#watches.publish(revisions);
  }

  #failed(error: unknown): void {
    this.#logger.error(
      { err: error, directory: this.#directory, revision: this.#head.revision },
      'a write failed; the store is reopened before it is written again',
    );
    const recovering = this.#recover().finally(() => {
      this.#recovering = undefined;
    });
    recovering.catch(() => {});
    this.#recovering = recovering;
  }

  async #recover(): Promise<void> {
    for (let delayMs = reopenDelayMsMin; ; delayMs = Math.min(2 * delayMs, reopenDelayMsMax)) {
      try {
        await this.#database.close();
        const opened = await this.#reopen(this.#head.revision);
        this.#database = opened.database;
        await this.#reconcile(opened);
        this.#logger.info(
          { directory: this.#directory, revision: this.#head.revision },
          'the store is open again',
        );
        return;
      } catch (error) {
        if (isStorageError(error, 'corrupt')) {
          this.#fail(error);
          throw error;
        }
        this.#logger.warn(
          { err: error, directory: this.#directory, retryMs: delayMs },
          'the store cannot be reopened',
        );
      }
      await sleep(this.#clock, delayMs, this.#stopping.signal).catch(() => {
        throw new StorageError('closed', 'the store was stopped');
      });
    }
  }

  /** Tells the watchers what of the failed writes did land, then lets writes in again. */
  async #reconcile(opened: OpenedDatabase): Promise<void> {
    const { database, head } = opened;
    const known = this.#head.revision;
    const landed: StorageEvent[][] = [];
    const view = database.view();
    try {
      for await (const entries of readLog(database, known, head.revision, view)) {
        for (const event of await eventsOfLog({ database, view, head: head.revision }, entries, true)) {
          if (landed.at(-1)?.[0]?.revision === event.revision) landed.at(-1)?.push(event);
          else landed.push([event]);
        }
      }
    } finally {
      await view.close();
    }
    this.#head = head;
    this.#tombstones = tombstonesOf(opened);
    this.#writer.restart(database, head);
    await this.#watches.publishWhole(landed);
  }

  #fail(error: StorageError): void {
    this.#failure = error;
    this.#logger.error({ err: error, directory: this.#directory }, 'the store is damaged and stays closed');
    void this.#watches.stop(error);
  }

  #usableDatabase(): LevelDatabase {
    this.#assertUsable();
    return this.#database;
  }

  /** Nothing new begins once the stop has. */
  #assertOpen(): void {
    if (this.#stopping.signal.aborted) throw new StorageError('closed', 'the store was stopped');
    this.#assertUsable();
  }

  #assertUsable(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#recovering !== undefined) {
      throw new StorageError('unavailable', 'the store is being reopened after a failed write');
    }
    if (this.#closing !== undefined) throw new StorageError('closed', 'the store was stopped');
  }

  #assertReadable(revision: Revision): void {
    this.#assertUsable();
    if (revision > this.#head.revision) throw this.#future(revision);
    if (revision < this.#head.compacted) {
      throw new StorageError('compacted', 'the revision was compacted', {
        revision,
        compactedRevision: this.#head.compacted,
      });
    }
  }

  #future(revision: Revision): StorageError {
    return new StorageError('future', 'the revision is not reached yet', {
      revision,
      currentRevision: this.#head.revision,
    });
  }
}

function tombstonesOf({ head, deleted }: OpenedDatabase): Tombstones {
  const tombstones = new Tombstones(deleted === undefined ? head.revision : head.pruned);
  for (const { key, revision } of deleted ?? []) tombstones.add(key, revision);
  return tombstones;
}
