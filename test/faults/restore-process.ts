/**
 * A process that restores a backup into an embedded store: `restore-process <backup> <data folder>`. Prints `restored` when it
 * is done, or `refused <code>`.
 */
import { createReadStream } from 'node:fs';
import { restoreLevelStorage } from '#storage/backup/restore-level.ts';
import { isStorageError } from '#storage/errors.ts';
import { writeLine } from '#storage/testing/write-line.ts';

const [backup = '', directory = ''] = process.argv.slice(2);
try {
  await restoreLevelStorage({
    directory,
    source: createReadStream(backup),
    discardUnfinished: true,
    nowMs: Date.now(),
  });
  writeLine('restored');
} catch (error) {
  if (!isStorageError(error)) throw error;
  writeLine(`refused ${error.code} ${error.message}`);
}
