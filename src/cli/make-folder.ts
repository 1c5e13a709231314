import { access, constants, mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { syncFolder } from '#storage/level/sync-folder.ts';
import { UsageError } from './run-command.ts';

/**
 * Makes a folder for data, and those above it that are missing; only its owner may look into what is made. Throws
 * UsageError when it cannot be made, is none, or cannot be written to.
 */
export async function makeFolder(directory: string, what: string): Promise<void> {
  try {
    await makeBelow(path.resolve(directory));
    await access(directory, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new UsageError(`${what} ${directory} cannot be used: ${(error as Error).message}`);
  }
}

/** Not mkdir's `recursive`: where a file system refuses new folders with ENOENT (as /proc does), that never ends. */
async function makeBelow(directory: string): Promise<void> {
  if (await isFolder(directory)) return;
  const parent = path.dirname(directory);
  if (parent !== directory) await makeBelow(parent);
  try {
    await mkdir(directory, { mode: 0o700 });
    // One that may not be read cannot be synced, and is no reason not to start.
    await syncFolder(parent).catch(() => {});
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || !(await isFolder(directory))) throw error;
  }
}

async function isFolder(directory: string): Promise<boolean> {
  try {
    return (await stat(directory)).isDirectory();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
