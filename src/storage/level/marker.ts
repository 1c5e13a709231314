import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readdir, readFile, rename, rm, unlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { StorageError } from '../errors.ts';
import { syncFolder } from './sync-folder.ts';

/** Version of what is stored, one more than there are upgrades (upgrade.ts). A store of a higher one is refused. */
export const levelFormatVersion = 1;

/**
 * Our own file beside LevelDB's folder. It tells that a store exists, so that LevelDB, which makes an empty one where
 * its CURRENT file is missing, is never asked to create over it.
 */
export interface Marker {
  readonly format: 'cellplane-level';
  readonly version: number;
  /**
   * `creating`: nothing was ever acknowledged from this folder, it may be made anew. `restoring`: a restore has not come
   * to its end.
   */
  readonly state: 'creating' | 'restoring' | 'ready';
  readonly controlPlaneId: string;
  readonly incarnationId: string;
  /** The newest revision at the last orderly stop: the store can never be older. */
  readonly revision: number;
}

const markerName = 'cellplane-store.json';

export function databaseFolder(directory: string): string {
  return join(directory, 'leveldb');
}

/**
 * The marker in `directory`; undefined when the folder is empty or was missing (it is then made, unless `make` is false).
 * Throws `unusable` for a folder that cannot be read or made, that holds other things, a store of a newer format, or (unless
 * asked for) an unfinished restore.
 */
export async function readMarker(
  directory: string,
  {
    unfinished = false,
    newest = levelFormatVersion,
    make = true,
  }: { readonly unfinished?: boolean; readonly newest?: number; readonly make?: boolean } = {},
): Promise<Marker | undefined> {
  const names = await namesIn(directory, make);
  if (!names.includes(markerName)) {
    if (names.some((name) => !name.startsWith('.') && name !== 'lost+found')) {
      throw unusable(directory, 'holds files but no store of ours');
    }
    return undefined;
  }
  let marker: unknown;
  try {
    marker = JSON.parse(await readFile(join(directory, markerName), 'utf8'));
  } catch (error) {
    throw unusable(directory, `has an unreadable ${markerName}`, error);
  }
  if (!isMarker(marker)) throw unusable(directory, `has a ${markerName} that is not ours`);
  if (marker.version > newest) {
    throw unusable(directory, `has format ${marker.version}, this program knows ${newest}: use a newer one`);
  }
  if (marker.state === 'restoring' && !unfinished) throw unusable(directory, 'holds an unfinished restore');
  return marker;
}

/**
 * Writes the marker, by default over the one that is there; it is on disk when this resolves. Throws `unusable`, or
 * `locked` when there must be none and another process has just made one.
 */
export async function writeMarker(
  directory: string,
  marker: Marker,
  options: { readonly overExisting: boolean } = { overExisting: true },
): Promise<void> {
  const temporary = join(directory, `.${markerName}.${randomUUID()}`);
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(`${JSON.stringify(marker, undefined, 2)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    if (options.overExisting) {
      await rename(temporary, join(directory, markerName));
    } else {
      await link(temporary, join(directory, markerName));
      await unlink(temporary);
    }
    await syncFolder(directory);
  } catch (error) {
    await unlink(temporary).catch(() => {});
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') {
      throw new StorageError('locked', `data folder ${directory} is being made by another process`, {
        directory,
      });
    }
    throw unusable(directory, 'cannot be written', error);
  }
}

export function unusable(directory: string, what: string, cause?: unknown): StorageError {
  return new StorageError('unusable', `data folder ${directory} ${what}`, { directory }, cause);
}

async function namesIn(directory: string, make: boolean): Promise<string[]> {
  try {
    if (make) {
      const made = await mkdir(directory, { recursive: true, mode: 0o700 });
      if (made !== undefined) await syncNamesAbove(resolve(directory), resolve(made));
    }
    return await readdir(directory);
  } catch (error) {
    if (!make && (error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw unusable(directory, 'cannot be made or read', error);
  }
}

/** For a folder that was just made, with those above it up to `first`. */
async function syncNamesAbove(folder: string, first: string): Promise<void> {
  const parent = dirname(folder);
  await syncFolder(parent);
  if (folder !== first && parent !== folder) await syncNamesAbove(parent, first);
}

/** Makes the folder one without a store again: the marker goes last. */
export async function removeStore(directory: string): Promise<void> {
  await rm(databaseFolder(directory), { recursive: true, force: true });
  await unlink(join(directory, markerName));
  await syncFolder(directory);
}

function isMarker(value: unknown): value is Marker {
  return (
    typeof value === 'object' &&
    value !== null &&
    'format' in value &&
    value.format === 'cellplane-level' &&
    'version' in value &&
    typeof value.version === 'number' &&
    Number.isInteger(value.version) &&
    value.version >= 1 &&
    'state' in value &&
    (value.state === 'creating' || value.state === 'restoring' || value.state === 'ready') &&
    'controlPlaneId' in value &&
    typeof value.controlPlaneId === 'string' &&
    'incarnationId' in value &&
    typeof value.incarnationId === 'string' &&
    'revision' in value &&
    typeof value.revision === 'number'
  );
}
