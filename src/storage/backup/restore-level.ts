import { randomUUID } from 'node:crypto';
import { StorageError } from '../errors.ts';
import {
  type CreateDatabase,
  createClassicLevel,
  type LevelDatabase,
  type LevelWrite,
} from '../level/database.ts';
import { pointerKey, recordKey } from '../level/key-codec.ts';
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
import { encodePointer } from '../level/pointer.ts';
import { encodeRecord } from '../level/record.ts';
import type { KeyValue, Revision } from '../storage.ts';
import { type BackupHeader, decodeBackup } from './backup-format.ts';
import type { KeyProgress } from './write-backup.ts';

/**
 * How far a restore raises the revision over the backup's: beyond any that the lost store can have handed out since (at
 * a million writes a second, 50 days). 2^53 leaves room for two thousand restores.
 */
export const restoreRevisionStep = 2 ** 42;

export interface RestoreOptions {
  /** Empty or missing. */
  readonly directory: string;
  readonly source: AsyncIterable<Uint8Array>;
  /** The copy runs beside the original: it gets a control-plane id of its own. */
  readonly asClone?: boolean | undefined;
  /** What a restore that was cut short has left in the folder goes first. */
  readonly discardUnfinished?: boolean | undefined;
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
  if ((await readMarker(directory)) !== undefined) throw unusable(directory, 'holds a store already');
  const frames = decodeBackup(options.source);
  const first = await frames.next();
  if (first.done || first.value.type !== 'header')
    throw new StorageError('corrupt', 'the backup has no header');
  const { header } = first.value;
  const marker = markerFor(header, options.asClone ?? false);
  await writeMarker(directory, marker, { overExisting: false });
  const database = (options.createDatabase ?? createClassicLevel)(databaseFolder(directory));
  await openOrThrow(directory, database);
  let keys: number;
  try {
    const writer = new RestoreWriter(database, marker.revision as Revision, options.nowMs);
    for await (const frame of frames) {
      if (frame.type === 'items') {
        await writer.write(frame.items);
        options.onProgress?.(writer.keys, header.keys);
      }
      if (frame.type === 'end' && frame.end.keys !== writer.keys) {
        throw new StorageError('corrupt', 'the backup has lost items', {
          keys: writer.keys,
          keysExpected: frame.end.keys,
        });
      }
    }
    await writer.end(marker);
    keys = writer.keys;
  } finally {
    await database.close();
  }
  // A sync reaches back only to where LevelDB began its newest log. Opening turns all logs into tables, which it syncs.
  await openOrThrow(directory, database);
  await database.close();
  await writeMarker(directory, { ...marker, state: 'ready' });
  const { controlPlaneId, incarnationId, revision } = marker;
  return { controlPlaneId, incarnationId, backupRevision: header.revision, revision, keys };
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

  constructor(database: LevelDatabase, revision: Revision, timeMs: number) {
    this.#database = database;
    this.#revision = revision;
    this.#timeMs = timeMs;
  }

  async write(items: readonly KeyValue[]): Promise<void> {
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
      this.#sum = (this.#sum + pointer.checksum) >>> 0;
      this.keys++;
    }
    await this.#database.batch(writes, { sync: false });
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
