import { randomUUID } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isStorageError, StorageError } from '../errors.ts';
import type { Revision } from '../storage.ts';
import type { CreateDatabase, LevelDatabase } from './database.ts';
import { keepFiles } from './kept-files.ts';
import { databaseFolder, type Marker, readMarker, unusable, writeMarker } from './marker.ts';
import { encodeHead, encodeIds, headKey, idsKey } from './meta.ts';
import { type Verified, type VerifyOptions, verify } from './verify.ts';

export interface OpenedDatabase extends Verified {
  readonly database: LevelDatabase;
}

/** The marker of the store in `directory`; a new one in an empty folder, on disk before LevelDB makes anything. */
export async function findOrMakeMarker(
  directory: string,
  options: {
    readonly mayCreate: boolean;
    readonly controlPlaneId?: string | undefined;
    /** The newest format that is known. */
    readonly format: number;
  },
): Promise<Marker> {
  const found = await readMarker(directory, { newest: options.format, make: options.mayCreate });
  if (found !== undefined) return found;
  if (!options.mayCreate) throw unusable(directory, 'holds no store');
  const marker: Marker = {
    format: 'cellplane-level',
    version: options.format,
    state: 'creating',
    controlPlaneId: options.controlPlaneId ?? randomUUID(),
    incarnationId: randomUUID(),
    revision: 1,
  };
  await writeMarker(directory, marker, { overExisting: false });
  return marker;
}

/** Writes the first records of a store that was never acknowledged to exist. Throws `locked`, `unusable`. */
export async function createStore(
  directory: string,
  marker: Marker,
  createDatabase: CreateDatabase,
): Promise<Marker> {
  const database = await openBegun(directory, createDatabase);
  let ids = marker;
  try {
    const [idsBytes] = await database.getMany([idsKey]);
    if (idsBytes !== undefined) {
      // Made whole by an earlier start that did not come to say so.
      ids = {
        ...marker,
        ...(JSON.parse(idsBytes.toString()) as Pick<Marker, 'controlPlaneId' | 'incarnationId'>),
      };
    } else {
      const first = marker.revision as Revision;
      const head = { revision: first, compacted: first, pruned: first, count: 0, sum: 0 };
      await database.batch(
        [
          { type: 'put', key: idsKey, value: encodeIds(marker) },
          { type: 'put', key: headKey, value: encodeHead(head) },
        ],
        { sync: true },
      );
    }
  } finally {
    await database.close();
  }
  const ready: Marker = { ...ids, state: 'ready' };
  await writeMarker(directory, ready);
  return ready;
}

/**
 * Opens, or makes, the database of a store in state `creating`. LevelDB syncs nothing of an empty database before it
 * names it: a power cut in between leaves one that does not open, and holds nothing.
 */
async function openBegun(directory: string, createDatabase: CreateDatabase): Promise<LevelDatabase> {
  try {
    return await openFolder(directory, createDatabase, true);
  } catch (error) {
    if (isStorageError(error, 'locked')) throw error;
    await rm(databaseFolder(directory), { recursive: true, force: true }).catch((cause: unknown) => {
      throw unusable(directory, 'cannot be written', cause);
    });
    return openFolder(directory, createDatabase, true);
  }
}

export interface OpenOptions extends VerifyOptions {
  /** The newest revision that was told to anyone: a store that ends before it has lost something. */
  readonly toldRevision: Revision;
}

/**
 * Opens and verifies an existing store. Throws `locked`, `unusable`, `corrupt`, each naming the folder; whatever is then
 * in the folder is what was there before.
 */
export async function openVerified(
  directory: string,
  marker: Marker,
  createDatabase: CreateDatabase,
  options: OpenOptions,
): Promise<OpenedDatabase> {
  return openKept(directory, createDatabase, async (database) => {
    const [idsBytes] = await database.getMany([idsKey]);
    if (idsBytes === undefined || !idsBytes.equals(encodeIds(marker))) {
      throw new StorageError('corrupt', 'the database is not the one that the marker file names');
    }
    const verified = await verify(database, options);
    if (verified.head.revision < marker.revision) {
      throw new StorageError('corrupt', 'the store is older than at its last orderly stop', {
        revision: verified.head.revision,
        stoppedAtRevision: marker.revision,
      });
    }
    if (verified.head.revision < options.toldRevision) {
      throw new StorageError('corrupt', 'the store has lost acknowledged writes', {
        revision: verified.head.revision,
        acknowledgedRevision: options.toldRevision,
      });
    }
    return { database, ...verified };
  });
}

/**
 * Opens an existing database and checks it. When that fails, the files are what they were before; the error names the
 * folder. Every opening of a store that may hold something goes this way: LevelDB drops what it cannot read.
 */
export async function openKept<Result>(
  directory: string,
  createDatabase: CreateDatabase,
  check: (database: LevelDatabase) => Promise<Result>,
): Promise<Result> {
  const kept = await keepFiles(databaseFolder(directory)).catch((error: unknown) => {
    throw unusable(directory, `cannot be opened: ${causeOf(error).reason}`, error);
  });
  const database = await openFolder(directory, createDatabase, false).catch(async (error: unknown) => {
    await (isStorageError(error, 'corrupt') ? kept.putBack().catch(() => {}) : kept.leave());
    throw error;
  });
  try {
    await assertLogWasRead(directory);
    const result = await check(database);
    await kept.drop();
    return result;
  } catch (error) {
    // What went wrong first is what to tell; what could not be put back, the next start takes up.
    await database.close().catch(() => {});
    await kept.putBack().catch(() => {});
    throw naming(directory, error);
  }
}

/**
 * LevelDB takes a log that it cannot read for one that ends there, tells so in its own protocol alone, and deletes it.
 */
async function assertLogWasRead(directory: string): Promise<void> {
  let protocol: string;
  try {
    protocol = await readFile(join(databaseFolder(directory), 'LOG'), 'latin1');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return;
    throw unusable(directory, 'cannot be read', error);
  }
  const line = /^.*dropping \d+ bytes; IO error.*$/m.exec(protocol)?.[0];
  if (line !== undefined) throw unusable(directory, `cannot be read: ${line}`);
}

async function openFolder(
  directory: string,
  createDatabase: CreateDatabase,
  createIfMissing: boolean,
): Promise<LevelDatabase> {
  const database = createDatabase(databaseFolder(directory));
  try {
    await database.open({ createIfMissing });
    return database;
  } catch (error) {
    throw openError(directory, error);
  }
}

export function openError(directory: string, error: unknown): StorageError {
  const { code, reason } = causeOf(error);
  if (code === 'LEVEL_LOCKED') {
    return new StorageError(
      'locked',
      `data folder ${directory} is open in another process`,
      { directory },
      error,
    );
  }
  if (code === 'LEVEL_CORRUPTION' || reason.includes('create_if_missing')) {
    return new StorageError(
      'corrupt',
      `data folder ${directory} is damaged: ${reason}`,
      { directory },
      error,
    );
  }
  return unusable(directory, `cannot be opened: ${reason}`, error);
}

/** The same error with the folder's name. */
export function naming(directory: string, error: unknown): StorageError {
  if (isStorageError(error)) {
    if (error.fields['directory'] !== undefined) return error;
    const message = `data folder ${directory}: ${error.message}`;
    return new StorageError(error.code, message, { ...error.fields, directory }, error);
  }
  const { code, reason } = causeOf(error);
  if (code === 'LEVEL_CORRUPTION') {
    return new StorageError(
      'corrupt',
      `data folder ${directory} is damaged: ${reason}`,
      { directory },
      error,
    );
  }
  return unusable(directory, `cannot be read: ${reason}`, error);
}

/** LevelDB's own code and message, which abstract-level wraps when it opens. */
function causeOf(error: unknown): { readonly code: unknown; readonly reason: string } {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (!(inner instanceof Error)) return { code: undefined, reason: String(inner) };
  return { code: 'code' in inner ? inner.code : undefined, reason: inner.message };
}
