/**
 * A process that LevelDB may abort: `damaged-reader.ts <data folder>…` opens each store, reads all of it, and prints one
 * line each: `corrupt`, or a hash of what it read. LevelDB checks no block's checksum when it reads, and asserts where a
 * damaged block makes no sense to it.
 */
import { createHash } from 'node:crypto';
import { isStorageError } from '../errors.ts';
import { openLevelStorage } from '../level/level-storage.ts';
import { writeLine } from './write-line.ts';

async function readAllOf(directory: string): Promise<string> {
  try {
    const storage = await openLevelStorage({ directory });
    const hash = createHash('sha256');
    try {
      for (const { key, value, revision } of (await storage.range({ prefix: '' })).items) {
        hash.update(`${key.length} ${key} ${revision} ${value.length} `).update(value);
      }
    } finally {
      await storage.close();
    }
    return hash.digest('hex');
  } catch (error) {
    if (isStorageError(error, 'corrupt')) return 'corrupt';
    throw error;
  }
}

for (const directory of process.argv.slice(2)) writeLine(`${await readAllOf(directory)}`);
