/**
 * A process that LevelDB may end: `damaged-process <data folder>…` opens each store, reads state and log, writes once,
 * and prints a line each: `refused <code>`, or `read <revision> <hash of the state>`.
 */
import { isStorageError } from '#storage/errors.ts';
import { openLevelStorage } from '#storage/level/level-storage.ts';
import { writeLine } from '#storage/testing/write-line.ts';
import { hashOfState } from './state-hash.ts';

async function read(directory: string): Promise<string> {
  try {
    const storage = await openLevelStorage({ directory });
    try {
      const revision = await storage.currentRevision();
      const hash = hashOfState((await storage.range({ prefix: '' })).items);
      const compacted = await storage.compactedRevision();
      await storage.range({ prefix: '', atRevision: compacted });
      if (compacted < revision) {
        await new Promise<void>((resolve, reject) => {
          const handler = { events: () => resolve(), end: reject };
          storage.watch({ prefix: '', afterRevision: compacted }, handler).catch(reject);
        });
      }
      await storage.transact({ guards: [], operations: [] });
      return `read ${revision} ${hash}`;
    } finally {
      await storage.close();
    }
  } catch (error) {
    if (isStorageError(error)) return `refused ${error.code}`;
    throw error;
  }
}

for (const directory of process.argv.slice(2)) writeLine(`${await read(directory)}`);
