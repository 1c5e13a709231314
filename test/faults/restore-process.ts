/**
 * A process that restores a backup into an embedded store: `restore-process <backup> <data folder>`. Prints `restored` when it
 * is done, or `refused <code>`.
 */
import { createReadStream, writeSync } from 'node:fs';
import { restoreLevelStorage } from '#storage/backup/restore-level.ts';
import { isStorageError } from '#storage/errors.ts';

const [backup = '', directory = ''] = process.argv.slice(2);
try {
  await restoreLevelStorage({
    directory,
    source: createReadStream(backup),
    discardUnfinished: true,
    nowMs: Date.now(),
  });
  writeSync(1, 'restored\n');
} catch (error) {
  if (!isStorageError(error)) throw error;
  writeSync(1, `refused ${error.code} ${error.message}\n`);
}
