import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { isStorageError, StorageError } from '../errors.ts';
import {
  type CreateDatabase,
  createClassicLevel,
  type LevelDatabase,
  type LevelWrite,
} from '../level/database.ts';
import { keyOfPointerKey, pointerKey, pointerRange, recordKey } from '../level/key-codec.ts';
import {
  databaseFolder,
  levelFormatVersion,
  type Marker,
  readMarker,
  removeStore,
  unusable,
  writeMarker,
} from '../level/marker.ts';
import { encodeHead, encodeIds, headKey, idsKey } from '../level/meta.ts';
import { openError } from '../level/open.ts';
import { encodePointer, type Pointer } from '../level/pointer.ts';
import { decodeRecord, encodeRecord } from '../level/record.ts';
import type { KeyValue, Revision, StorageKey } from '../storage.ts';
import { type BackupHeader, decodeBackup } from './backup-format.ts';
import { type Difference, Differences, type Standing } from './difference.ts';
import type { KeyProgress } from './write-backup.ts';

/**
 * How far a restore raises the revision over the backup's: beyond any that the lost store can have handed out since (at
 * a million writes a second, 50 days). 2^53 leaves room for two thousand restores.
 */
export const restoreRevisionStep = 2 ** 42;

/** What an earlier restore has written is read in pages of so many keys, and of about so many bytes. */
const standingPerPageMin = 10;
const standingPerPageMax = 100;
const standingBytesWanted = 2 * 1024 * 1024;

export interface RestoreOptions {
  /** Empty or missing. */
  readonly directory: string;
  readonly source: AsyncIterable<Uint8Array>;
  /** The copy runs beside the original: it gets a control-plane id of its own. */
  readonly asClone?: boolean | undefined;
  /** What a restore that was cut short has left in the folder goes first. */
  readonly discardUnfinished?: boolean | undefined;
  /**
   * Goes on where one of the same control plane was cut short there: what it has written is read, and only what differs is
   * written. Default false.
   */
  readonly resume?: boolean | undefined;
  readonly onProgress?: KeyProgress | undefined;
  readonly nowMs: number;
  readonly createDatabase?: CreateDatabase | undefined;
}

export interface RestoreSummary {
  readonly controlPlaneId: string;
  readonly incarnationId: string;
  readonly backupRevision: number;
  readonly revision: number;
  readonly keys: number;
  /** How many of them an earlier one had written, that was resumed. */
  readonly kept: number;
}

/**
 * Makes an embedded store from a backup. Every key is written at one new revision, far beyond the backup's and
 * compacted with all before it, so that no client takes what it saw before for newer than what it sees now. Throws
 * `unusable` when the folder is not empty, `corrupt` for a damaged or incomplete backup; the folder is then marked as
 * an unfinished restore and refused by the store.
 */
export async function restoreLevelStorage(options: RestoreOptions): Promise<RestoreSummary> {
  const { directory } = options;
  if (options.discardUnfinished === true) await discardUnfinished(options);
  const unfinished = await readMarker(directory, { unfinished: options.resume });
  if (unfinished !== undefined && unfinished.state !== 'restoring') {
    throw unusable(directory, 'holds a store already');
  }
  const frames = decodeBackup(options.source);
  const first = await frames.next();
  if (first.done || first.value.type !== 'header')
    throw new StorageError('corrupt', 'the backup has no header');
  const { header } = first.value;
  if (unfinished !== undefined && unfinished.controlPlaneId !== header.controlPlaneId) {
    throw unusable(directory, 'holds an unfinished restore of another control plane');
  }
  const marker = unfinished ?? markerFor(header, options.asClone ?? false);
  if (unfinished === undefined) await writeMarker(directory, marker, { overExisting: false });
  const database = await openUnfinished(options);
  const writer = new RestoreWriter(database, marker.revision as Revision, options.nowMs);
  try {
    const differences = unfinished && new Differences(standingOf(database, marker.revision));
    for await (const frame of frames) {
      if (frame.type === 'items') {
        if (differences === undefined) await writer.write(frame.items);
        else await writer.settle(await differences.next(frame.items));
        options.onProgress?.(writer.keys, header.keys);
      }
      if (frame.type === 'end' && frame.end.keys !== writer.keys) {
        throw new StorageError('corrupt', 'the backup has lost items', {
          keys: writer.keys,
          keysExpected: frame.end.keys,
        });
      }
    }
    for await (const keys of differences?.rest() ?? []) await writer.remove(keys);
    await writer.end(marker);
  } finally {
    await database.close();
  }
  // A sync reaches back only to where LevelDB began its newest log. Opening turns all logs into tables, which it syncs.
  await openOrThrow(directory, database);
  await database.close();
  await writeMarker(directory, { ...marker, state: 'ready' });
  const { controlPlaneId, incarnationId, revision } = marker;
  const { keys, kept } = writer;
  return { controlPlaneId, incarnationId, backupRevision: header.revision, revision, keys, kept };
}

/** Throws `locked` while another process is at it. */
async function discardUnfinished({
  directory,
  createDatabase = createClassicLevel,
}: RestoreOptions): Promise<void> {
  const marker = await readMarker(directory, { unfinished: true });
  if (marker?.state !== 'restoring') return;
  const database = createDatabase(databaseFolder(directory));
  await openOrThrow(directory, database);
  await database.close();
  await removeStore(directory);
}

/** One that a power cut has left in pieces holds nothing that cannot be written again. */
async function openUnfinished({
  directory,
  createDatabase = createClassicLevel,
}: RestoreOptions): Promise<LevelDatabase> {
  const database = createDatabase(databaseFolder(directory));
  try {
    await openOrThrow(directory, database);
    return database;
  } catch (error) {
    if (!isStorageError(error, 'corrupt')) throw error;
    await rm(databaseFolder(directory), { recursive: true, force: true });
    const anew = createDatabase(databaseFolder(directory));
    await openOrThrow(directory, anew);
    return anew;
  }
}

/** What an earlier restore to `revision` has written. */
async function* standingOf(database: LevelDatabase, revision: number): AsyncGenerator<Standing[]> {
  const iterator = database.iterator({ gte: pointerRange.start, lt: pointerRange.end });
  let wanted = standingPerPageMin;
  try {
    for (let page = await iterator.nextv(wanted); page.length > 0; page = await iterator.nextv(wanted)) {
      const keys = page.map(([keyBytes]) => keyOfPointerKey(keyBytes));
      const recordKeys = keys.map((key) => recordKey(revision as Revision, key));
      const records = await database.getMany(recordKeys);
      yield keys.map((key, index) => {
        const isRight = isPointerTo(page[index] as [Buffer, Buffer], revision);
        return { key, value: isRight ? valueIn(recordKeys[index] as Buffer, records[index]) : undefined };
      });
      const bytes = records.reduce((sum, record) => sum + (record?.length ?? 0), 0);
      const fitting = Math.floor((standingBytesWanted * page.length) / Math.max(1, bytes));
      wanted = Math.max(standingPerPageMin, Math.min(standingPerPageMax, fitting));
    }
  } finally {
    await iterator.close();
  }
}

function isPointerTo([keyBytes, bytes]: [Buffer, Buffer], revision: number): boolean {
  return encodePointer(keyBytes, revision as Revision, true).bytes.equals(bytes);
}

/** Undefined when it is damaged or missing: then it is written again. */
function valueIn(recordKeyBytes: Buffer, bytes: Buffer | undefined): Buffer | undefined {
  try {
    const { type, index, count, link, value } = decodeRecord(recordKeyBytes, bytes);
    return type === 'put' && index === 0 && count === 1 && link === 0 ? value : undefined;
  } catch (error) {
    if (isStorageError(error, 'corrupt')) return undefined;
    throw error;
  }
}

async function openOrThrow(directory: string, database: LevelDatabase): Promise<void> {
  await database.open({ createIfMissing: true }).catch((error: unknown) => {
    throw openError(directory, error);
  });
}

function markerFor(header: BackupHeader, asClone: boolean): Marker {
  const revision = header.revision + restoreRevisionStep;
  if (!Number.isSafeInteger(revision)) {
    throw new StorageError('corrupt', 'the backup is of an impossible revision', {
      revision: header.revision,
    });
  }
  return {
    format: 'cellplane-level',
    version: levelFormatVersion,
    state: 'restoring',
    controlPlaneId: asClone ? randomUUID() : header.controlPlaneId,
    incarnationId: randomUUID(),
    revision,
  };
}

class RestoreWriter {
  readonly #database: LevelDatabase;
  readonly #revision: Revision;
  readonly #timeMs: number;
  #sum = 0;
  keys = 0;
  kept = 0;

  constructor(database: LevelDatabase, revision: Revision, timeMs: number) {
    this.#database = database;
    this.#revision = revision;
    this.#timeMs = timeMs;
  }

  /** Brings what an earlier restore has written to what it should be. */
  async settle({ puts, deletes, kept }: Difference): Promise<void> {
    await this.remove(deletes);
    for (const { key } of kept) this.#count(encodePointer(pointerKey(key), this.#revision, true).pointer);
    this.kept += kept.length;
    await this.write(puts);
  }

  async remove(keys: readonly StorageKey[]): Promise<void> {
    if (keys.length === 0) return;
    const writes = keys.flatMap((key): LevelWrite[] => [
      { type: 'del', key: recordKey(this.#revision, key) },
      { type: 'del', key: pointerKey(key) },
    ]);
    await this.#database.batch(writes, { sync: false });
  }

  async write(items: readonly KeyValue[]): Promise<void> {
    if (items.length === 0) return;
    const writes: LevelWrite[] = [];
    const header = {
      type: 'put',
      link: 0 as Revision,
      linkDeleted: false,
      timeMs: this.#timeMs,
      index: 0,
      count: 1,
    } as const;
    for (const { key, value } of items) {
      const record = recordKey(this.#revision, key);
      const place = pointerKey(key);
      const { pointer, bytes } = encodePointer(place, this.#revision, true);
      writes.push(
        { type: 'put', key: record, value: encodeRecord(record, header, value, Buffer.allocUnsafe) },
        { type: 'put', key: place, value: bytes },
      );
      this.#count(pointer);
    }
    await this.#database.batch(writes, { sync: false });
  }

  #count({ checksum }: Pointer): void {
    this.#sum = (this.#sum + checksum) >>> 0;
    this.keys++;
  }

  /** The head comes last: where it is, everything is. */
  async end(marker: Marker): Promise<void> {
    const revision = this.#revision;
    const head = { revision, compacted: revision, pruned: revision, count: this.keys, sum: this.#sum };
    await this.#database.batch(
      [
        { type: 'put', key: idsKey, value: encodeIds(marker) },
        { type: 'put', key: headKey, value: encodeHead(head) },
      ],
      { sync: true },
    );
  }
}
