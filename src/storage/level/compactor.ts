import { setTimeout as pause } from 'node:timers/promises';
import type { Clock, TimerHandle } from '#apimachinery/clock.ts';
import { isStorageError } from '../errors.ts';
import type { StorageLogger } from '../logger.ts';
import type { Revision, StorageKey } from '../storage.ts';
import type { LevelDatabase } from './database.ts';
import type { GroupCommit } from './group-commit.ts';
import { pointerRange, recordKey, recordStart } from './key-codec.ts';
import type { Head } from './meta.ts';
import { type LogEntry, readLog } from './reader.ts';
import type { Timeline } from './retention.ts';

/** Rest between two steps of deleting, so that writers come first. */
const pauseMs = 2;
/** So many deletes leave a stretch that LevelDB must step over: it is then asked to rewrite the tables. */
const deletesUntilCompactRange = 20_000;

export interface CompactorOptions {
  readonly clock: Clock;
  readonly logger: StorageLogger;
  readonly timeline: Timeline;
  readonly writer: GroupCommit;
  readonly historyAgeMs: number;
  readonly historyRevisionsMax: number;
  readonly compactIntervalMs: number;
  head(): Head;
  /** The open database; throws while there is none. */
  database(): LevelDatabase;
}

/**
 * Keeps the log within age and count. A compaction is first written down (`compacted`), so that nobody reads half of
 * it, then records are deleted in steps (`pruned` says how far): of the records up to the compaction, each makes the
 * one that it replaced superfluous, and a delete itself. What is left is the state at the compacted revision.
 */
export class Compactor {
  readonly #options: CompactorOptions;
  readonly #stopping = new AbortController();
  #timer: TimerHandle | undefined;
  #running: Promise<void> | undefined;
  #deletes = 0;
  #deletedPointers = 0;
  #rangeStart: Revision | undefined;

  constructor(options: CompactorOptions) {
    this.#options = options;
  }

  /** The first look is an interval away: whoever opened the store reads it first. */
  start(): void {
    this.#schedule();
  }

  /** Waits for the step under way. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#timer?.cancel();
    await this.#running;
  }

  /** Deletes in the background what the compactions so far have made superfluous. */
  prune(): void {
    if (this.#running !== undefined || this.#stopping.signal.aborted) return;
    this.#running = this.#prune()
      .catch((error) => {
        if (this.#stopping.signal.aborted || isStorageError(error, 'unavailable', 'outcome-unknown')) return;
        this.#options.logger.error({ err: error }, 'compaction failed');
      })
      .finally(() => {
        this.#running = undefined;
      });
  }

  #schedule(): void {
    const { clock, compactIntervalMs } = this.#options;
    this.#timer = clock.setTimeout(() => void this.#tick(), compactIntervalMs).unref();
  }

  async #tick(): Promise<void> {
    try {
      const target = this.#target();
      if (target > this.#options.head().compacted) await this.#options.writer.compact(target);
      this.prune();
    } catch (error) {
      if (!isStorageError(error, 'unavailable', 'outcome-unknown')) {
        this.#options.logger.error({ err: error }, 'compaction failed');
      }
    } finally {
      if (!this.#stopping.signal.aborted) this.#schedule();
    }
  }

  #target(): Revision {
    const { clock, timeline, historyAgeMs, historyRevisionsMax, head } = this.#options;
    const byAge = timeline.revisionAt(clock.now() - historyAgeMs) ?? 0;
    return Math.max(byAge, head().revision - historyRevisionsMax) as Revision;
  }

  async #prune(): Promise<void> {
    const { head, database } = this.#options;
    while (head().pruned < head().compacted && !this.#stopping.signal.aborted) {
      this.#rangeStart ??= head().pruned;
      for await (const entries of readLog(database(), head().pruned, head().compacted)) {
        await this.#pruneEntries(entries);
        if (this.#stopping.signal.aborted) return;
        await pause(pauseMs, undefined, { ref: false, signal: this.#stopping.signal });
      }
    }
    await this.#compactRanges();
  }

  async #pruneEntries(entries: readonly LogEntry[]): Promise<void> {
    const upTo = entries.at(-1)?.revision;
    if (upTo === undefined) return;
    const recordKeys: Buffer[] = [];
    const deleted: { key: StorageKey; revision: Revision }[] = [];
    for (const { key, keyBytes, revision, record } of entries) {
      if (record.link !== 0 && !record.linkDeleted) recordKeys.push(recordKey(record.link, key));
      if (record.type === 'put') continue;
      recordKeys.push(keyBytes);
      deleted.push({ key, revision });
    }
    await this.#options.writer.prune({ upTo, recordKeys, deleted });
    this.#deletes += recordKeys.length;
    this.#deletedPointers += deleted.length;
  }

  async #compactRanges(): Promise<void> {
    const { database, head } = this.#options;
    if (this.#deletes >= deletesUntilCompactRange && this.#rangeStart !== undefined) {
      await database().compactRange(recordStart(this.#rangeStart), recordStart(head().pruned + 1));
      this.#deletes = 0;
      this.#rangeStart = undefined;
    }
    if (this.#deletedPointers >= deletesUntilCompactRange && !this.#stopping.signal.aborted) {
      await database().compactRange(pointerRange.start, pointerRange.end);
      this.#deletedPointers = 0;
    }
  }
}
