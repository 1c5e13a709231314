import path from 'node:path';
import { systemClock } from '#apimachinery/clock.ts';
import { type RestoreSummary, restoreLevelStorage } from '#storage/backup/restore-level.ts';
import type { KeyProgress } from '#storage/backup/write-backup.ts';
import { isStorageError } from '#storage/errors.ts';
import { etcdAccess, type StorageSettings } from './compose.ts';
import { UsageError } from './run-command.ts';

export interface RestoreSource {
  readonly source: AsyncIterable<Uint8Array>;
  readonly asClone?: boolean | undefined;
  readonly discardUnfinished?: boolean | undefined;
  readonly resume?: boolean | undefined;
  readonly onProgress: KeyProgress;
}

/** Makes the store that the settings name from a backup. Throws StorageError `unusable` where there is one, `corrupt`. */
export async function restoreInto(
  storage: StorageSettings,
  dataDirectory: string,
  source: RestoreSource,
): Promise<RestoreSummary> {
  if (storage.kind === 'etcd') {
    const { restoreEtcdStorage } = await import('#storage/backup/restore-etcd.ts');
    const access = await etcdAccess(storage);
    return restoreEtcdStorage({ ...access, ...source, prefix: storage.prefix, clock: systemClock });
  }
  return restoreLevelStorage({ ...source, directory: path.join(dataDirectory, 'store'), nowMs: Date.now() });
}

/** What the store refuses is for the user to mend: told in one line. */
export function usageErrorOf(error: unknown): unknown {
  return isStorageError(error) ? new UsageError(error.message) : error;
}
