import { randomUUID } from 'node:crypto';
import { copyFile, link, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { syncFolder } from './sync-folder.ts';

/** The files of a database as they were before it was opened. */
export interface KeptFiles {
  /** To be called when the database is closed again because it is damaged: every file is what it was. */
  putBack(): Promise<void>;
  /** To be called while the database is open, and so locked: what other starts left behind goes too. */
  drop(): Promise<void>;
  /** To be called when the database could not be opened: another process may have it. */
  leave(): Promise<void>;
}

const mark = '.kept-';
/** Written in place; all others are written once and then replaced, so that a link keeps them. */
const isAppended = (name: string): boolean => name.startsWith('MANIFEST-') || name.startsWith('LOG');

/**
 * Keeps the files of the database in `folder` beside it, by hard links, before LevelDB opens it: opening replays the
 * log into tables and deletes it, and of a damaged log drops what does not read. A store that is then found damaged is
 * put back untouched, for whoever comes to rescue what is in it, and outlasts a power cut then. Costs one link a file and
 * three syncs; does nothing where the file system has no hard links. Throws what the disk says.
 */
export async function keepFiles(folder: string): Promise<KeptFiles> {
  await takeUpPutBack(folder);
  const kept = `${folder}${mark}${randomUUID()}`;
  const leave = (): Promise<void> => remove(kept);
  const isKept = await linkAll(folder, kept).catch(async (error: unknown) => {
    await leave();
    throw error;
  });
  if (!isKept) {
    await leave();
    return { putBack: async () => {}, drop: () => dropAll(folder), leave: async () => {} };
  }
  return {
    async putBack() {
      const opened = `${kept}.opened`;
      await rename(folder, opened);
      await rename(kept, folder);
      await syncFolder(dirname(folder));
      await remove(opened);
    },
    drop: () => dropAll(folder),
    leave,
  };
}

/** What a file system says that has no hard links; or what is to be kept is missing, or goes away meanwhile. */
const nothingKept: readonly string[] = ['ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EPERM', 'EMLINK', 'ENOENT'];

/** On disk when it resolves. False when there is nothing to keep, or no way to; throws what the disk says. */
async function linkAll(folder: string, kept: string): Promise<boolean> {
  try {
    const names = await readdir(folder);
    await mkdir(kept, { mode: 0o700 });
    for (const name of names) {
      if (!isAppended(name)) {
        await link(join(folder, name), join(kept, name));
        continue;
      }
      await copyFile(join(folder, name), join(kept, name));
      if (!name.startsWith('LOG')) await sync(join(kept, name));
    }
    await syncFolder(kept);
    await syncFolder(dirname(kept));
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && nothingKept.includes(String(error.code))) return false;
    throw error;
  }
}

async function sync(path: string): Promise<void> {
  const file = await open(path, 'r');
  await file.sync().finally(() => file.close());
}

/** A process that died between the two renames of a putting back. */
async function takeUpPutBack(folder: string): Promise<void> {
  const names = await namesBeside(folder);
  if (names.includes(basename(folder))) return;
  const [kept] = keptOf(folder, names).filter((name) => !name.endsWith('.opened'));
  if (kept !== undefined) await rename(join(dirname(folder), kept), folder);
}

async function dropAll(folder: string): Promise<void> {
  for (const name of keptOf(folder, await namesBeside(folder))) {
    await remove(join(dirname(folder), name));
  }
}

/** What cannot be removed now is removed by a later start. */
async function remove(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true }).catch(() => {});
}

function keptOf(folder: string, names: readonly string[]): string[] {
  return names.filter((name) => name.startsWith(`${basename(folder)}${mark}`));
}

async function namesBeside(folder: string): Promise<string[]> {
  return readdir(dirname(folder)).catch(() => []);
}
