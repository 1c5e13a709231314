import path from 'node:path';
import { Command } from 'commander';
import { sleep, systemClock } from '#apimachinery/clock.ts';
import { contentDigest } from '#storage/backup/content-digest.ts';
import { writeBackup } from '#storage/backup/write-backup.ts';
import type { Storage } from '#storage/storage.ts';
import { openStorage, type StorageSettings } from '../compose.ts';
import { createLogger, type LogSettings, withLogging } from '../logging.ts';
import { Progress } from '../progress.ts';
import { restoreInto, usageErrorOf } from '../restore-into.ts';
import { UsageError } from '../run-command.ts';
import { setting, withConfigFile } from '../settings.ts';
import { type StorageFlags, storageSettings, withEtcdFlags } from '../storage-settings.ts';

interface Settings extends Omit<StorageFlags, 'storage'>, LogSettings {
  readonly from?: Kind;
  readonly to?: Kind;
  readonly dataDir?: string;
  readonly discardUnfinished?: boolean;
}

type Kind = 'level' | 'etcd';

const kinds: readonly Kind[] = ['level', 'etcd'];
/** A server that runs on the source renews a Lease within this time: so it shows. */
const quietMs = 3_000;

export function migrateStorageCommand(): Command {
  const command = new Command('migrate-storage')
    .description(
      'copy the whole store from the embedded one into etcd, or back, while no server runs on either; what is there is ' +
        'compared with what was copied at the end, and the source is left as it is',
    )
    .addOption(setting('--from <kind>', 'where the store is', { choices: kinds }))
    .addOption(setting('--to <kind>', 'where it is to be: an empty folder or prefix', { choices: kinds }))
    .addOption(
      setting('--data-dir <folder>', 'data folder of the API server, with or for the embedded store'),
    )
    .option('--discard-unfinished', 'remove first what a migration that was cut short has left there')
    .action(async (settings: Settings) => {
      const progress = new Progress();
      try {
        const { keys, revision } = await migrate(settings, progress);
        progress.end();
        process.stdout.write(
          `copied and compared ${keys} objects; the store goes on at revision ${revision}. ` +
            'The source is left as it is: start no server on it again.\n',
        );
      } catch (error) {
        progress.end();
        throw usageErrorOf(error);
      }
    });
  return withConfigFile(withLogging(withEtcdFlags(command)));
}

async function migrate(
  settings: Settings,
  progress: Progress,
): Promise<{ readonly keys: number; readonly revision: number }> {
  const { from, to } = settings;
  if (from === undefined || to === undefined) throw new UsageError('--from and --to say what to move where');
  if (from === to) throw new UsageError('--from and --to are the same; use backup and restore instead');
  if (settings.dataDir === undefined) throw new UsageError('--data-dir says where the embedded store is');
  const directory = path.resolve(settings.dataDir);
  const placeOf = (storage: Kind): StorageSettings =>
    storage === 'etcd' ? storageSettings({ ...settings, storage }) : { kind: storage };
  const logger = createLogger('migrate-storage', settings);
  const source = await openStorage(placeOf(from), directory, logger, { mustExist: true });
  try {
    const startedMs = performance.now();
    const summary = await restoreInto(placeOf(to), directory, {
      source: writeBackup(source, { nowMs: Date.now() }),
      discardUnfinished: settings.discardUnfinished,
      onProgress: (done, total) => progress.report('copying', done, total),
    });
    const target = await openStorage(placeOf(to), directory, logger, { mustExist: true });
    try {
      if (from === 'etcd') {
        await sleep(systemClock, Math.max(0, quietMs - (performance.now() - startedMs)));
      }
      await compare(source, target, summary.keys, progress);
    } finally {
      await target.close();
    }
    return summary;
  } finally {
    await source.close();
  }
}

/** Reads both from beginning to end. Throws UsageError when they differ, which is what writing to either comes to. */
async function compare(source: Storage, target: Storage, keys: number, progress: Progress): Promise<void> {
  const copied = await contentDigest(target, (done) => progress.report('reading the copy', done, keys));
  const original = await contentDigest(source, (done) => progress.report('reading the source', done, keys));
  if (copied.keys === original.keys && copied.sha256 === original.sha256) return;
  throw new UsageError(
    `the copy differs from the source (${copied.keys} objects, ${original.keys} in the source): a server still runs on ` +
      'one of them. Stop it, remove the copy, and migrate again',
  );
}
