import { StorageError } from '../errors.ts';
import type { Revision, StoredPage, TakeAll } from '../storage.ts';
import type { LevelDatabase } from './database.ts';
import { keyOfPointerKey, pointerRange, recordStart } from './key-codec.ts';
import { decodeHead, type Head, headKey } from './meta.ts';
import { decodePointer } from './pointer.ts';
import { type LogEntry, type Place, readAhead, readCompacted, readLog, readValues } from './reader.ts';
import { tombstonesMax } from './tombstones.ts';

const pointersPerPage = 1_000;

export interface Verified {
  readonly head: Head;
  /** When revisions were written, oldest first, about one a `sampleMs`. */
  readonly samples: { readonly timeMs: number; readonly revision: Revision }[];
  /** Deleted keys that still have a pointer, by rising revision; undefined when there are more than can be held. */
  readonly deleted: readonly Place[] | undefined;
}

export interface VerifyOptions {
  readonly sampleMs: number;
  /** Also reads the values older than the compaction. */
  readonly values: boolean;
  /** Is given all that is read of the log meanwhile, and everything before it. What it throws is thrown. */
  readonly takeAll?: TakeAll | undefined;
}

/**
 * Reads what was stored and checks it: the head, every record after the compaction (checksum, no gap, no revision
 * without all its operations, nothing beyond the head), every pointer (checksum, number and sum as the head says). Older
 * values are checked whenever they are read, and here with `values`. Throws `corrupt`.
 */
export async function verify(database: LevelDatabase, options: VerifyOptions): Promise<Verified> {
  const [headBytes] = await database.getMany([headKey]);
  const head = decodeHead(headBytes);
  if (head.pruned > head.compacted || head.compacted > head.revision) {
    throw new StorageError('corrupt', 'the head record contradicts itself', { ...head });
  }
  const log = new LogReading(database, head, options);
  if (options.takeAll === undefined) for await (const _ of log.pages());
  else await options.takeAll(log.everything());
  if (!log.ended) throw new RangeError('what is loaded must be read to its end');
  await assertNothingBeyond(database, head.revision);
  const deleted = await verifyPointers(database, head, options.values && options.takeAll === undefined);
  return { head, samples: log.samples, deleted };
}

class LogReading {
  readonly samples: { readonly timeMs: number; readonly revision: Revision }[] = [];
  readonly #database: LevelDatabase;
  readonly #head: Head;
  readonly #sampleMs: number;
  ended = false;

  constructor(database: LevelDatabase, head: Head, { sampleMs }: VerifyOptions) {
    this.#database = database;
    this.#head = head;
    this.#sampleMs = sampleMs;
  }

  async *everything(): AsyncGenerator<StoredPage> {
    const { compacted, revision, count } = this.#head;
    yield { events: [], compacted, revision, count };
    for await (const events of readCompacted(this.#database, compacted)) {
      yield { events, compacted, revision, count };
    }
    for await (const events of this.pages()) yield { events, compacted, revision, count };
  }

  /** The log from the compaction to the head. */
  async *pages(): AsyncGenerator<LogEntry[]> {
    for await (const entries of readLog(this.#database, this.#head.compacted, this.#head.revision)) {
      for (const { revision, record } of entries) {
        const last = this.samples.at(-1);
        if (last === undefined || record.timeMs >= last.timeMs + this.#sampleMs) {
          this.samples.push({ timeMs: record.timeMs, revision });
        }
      }
      yield entries;
    }
    this.ended = true;
  }
}

async function assertNothingBeyond(database: LevelDatabase, head: Revision): Promise<void> {
  const iterator = database.iterator({ gte: recordStart(head + 1), lt: Buffer.from('s') });
  try {
    const [beyond] = await iterator.nextv(1);
    if (beyond !== undefined) throw new StorageError('corrupt', 'a record lies beyond the head', { head });
  } finally {
    await iterator.close();
  }
}

/** Returns the deleted keys, as `Verified` has them. */
async function verifyPointers(
  database: LevelDatabase,
  head: Head,
  values: boolean,
): Promise<Place[] | undefined> {
  let count = 0;
  let sum = 0;
  const deleted: Place[] = [];
  let deletedCount = 0;
  const iterator = database.iterator({ gte: pointerRange.start, lt: pointerRange.end });
  try {
    for await (const page of readAhead(iterator, pointersPerPage)) {
      const old: Place[] = [];
      for (const [keyBytes, bytes] of page) {
        const pointer = decodePointer(keyBytes, bytes);
        if (pointer.revision > head.revision) {
          throw new StorageError('corrupt', 'a pointer leads beyond the head', {
            key: keyOfPointerKey(keyBytes),
          });
        }
        if (!pointer.present) {
          if (++deletedCount <= tombstonesMax)
            deleted.push({ key: keyOfPointerKey(keyBytes), revision: pointer.revision });
          continue;
        }
        count++;
        sum = (sum + pointer.checksum) >>> 0;
        if (values && pointer.revision <= head.compacted) {
          old.push({ key: keyOfPointerKey(keyBytes), revision: pointer.revision });
        }
      }
      if (old.length > 0) await readValues(database, old);
    }
  } finally {
    await iterator.close();
  }
  if (count !== head.count || sum !== head.sum) {
    throw new StorageError('corrupt', 'the present keys are not those that the head counts', {
      count,
      headCount: head.count,
      sum,
      headSum: head.sum,
    });
  }
  if (deletedCount > tombstonesMax) return undefined;
  return deleted.sort((left, right) => left.revision - right.revision);
}
