import { StorageError } from '../errors.ts';
import type { Revision } from '../storage.ts';
import type { LevelDatabase } from './database.ts';
import { keyOfPointerKey, pointerRange, recordStart } from './key-codec.ts';
import { decodeHead, type Head, headKey } from './meta.ts';
import { decodePointer } from './pointer.ts';
import { type Place, readLog, readValues } from './reader.ts';
import { tombstonesMax } from './tombstones.ts';

const pointersPerPage = 1_000;

export interface Verified {
  readonly head: Head;
  /** When revisions were written, oldest first, about one a `sampleMs`. */
  readonly samples: { readonly timeMs: number; readonly revision: Revision }[];
  /** Deleted keys that still have a pointer, by rising revision; undefined when there are more than can be held. */
  readonly deleted: readonly Place[] | undefined;
}

/**
 * Reads what was stored and checks it: the head, every record after the compaction (checksum, no gap, no revision
 * without all its operations, nothing beyond the head), every pointer (checksum, number and sum as the head says). Older
 * values are checked whenever they are read, and here with `values`. Throws `corrupt`.
 */
export async function verify(
  database: LevelDatabase,
  options: { readonly sampleMs: number; readonly values: boolean },
): Promise<Verified> {
  const [headBytes] = await database.getMany([headKey]);
  const head = decodeHead(headBytes);
  if (head.pruned > head.compacted || head.compacted > head.revision) {
    throw new StorageError('corrupt', 'the head record contradicts itself', { ...head });
  }
  const samples: { timeMs: number; revision: Revision }[] = [];
  for await (const entries of readLog(database, head.compacted, head.revision)) {
    for (const { revision, record } of entries) {
      const last = samples.at(-1);
      if (last === undefined || record.timeMs >= last.timeMs + options.sampleMs) {
        samples.push({ timeMs: record.timeMs, revision });
      }
    }
  }
  await assertNothingBeyond(database, head.revision);
  const deleted = await verifyPointers(database, head, options.values);
  return { head, samples, deleted };
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
    for (let page = await iterator.nextv(pointersPerPage); page.length > 0; ) {
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
      page = await iterator.nextv(pointersPerPage);
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
