import path from 'node:path';
import { Command } from 'commander';
import { sleep, systemClock } from '#apimachinery/clock.ts';
import { contentDigest } from '#storage/backup/content-digest.ts';
import { writeBackup } from '#storage/backup/write-backup.ts';
import { isStorageError, type StorageError } from '#storage/errors.ts';
import type { Storage } from '#storage/storage.ts';
import { openStorage, type StorageSettings } from '../compose.ts';
import { confirmEtcd } from '../confirm-etcd.ts';
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
        'compared with what was copied at the end, and the source is left as it is. One that was cut short goes on when it is ' +
        'run again',
    )
    .addOption(setting('--from <kind>', 'where the store is', { choices: kinds }))
    .addOption(setting('--to <kind>', 'where it is to be: an empty folder or prefix', { choices: kinds }))
    .addOption(
      setting('--data-dir <folder>', 'data folder of the API server, with or for the embedded store'),
    )
    .option(
      '--discard-unfinished',
      'begin anew: remove first what a migration that was cut short has left there',
    )
    .action(async (settings: Settings) => {
      const progress = new Progress();
      try {
        const { keys, revision, kept } = await migrate(settings, progress);
        progress.end();
        const before = kept === 0 ? '' : `, ${kept} of them by an earlier migration`;
        process.stdout.write(
          `copied and compared ${keys} objects${before}; the store goes on at revision ${revision}. ` +
            'The source is left as it is: start no server on it again.\n',
        );
      } catch (error) {
        progress.end();
        throw usageErrorOf(error);
      }
    });
  return withConfigFile(withLogging(withEtcdFlags(command)));
}

interface Migrated {
  readonly keys: number;
  readonly revision: number;
  /** How many of them an earlier migration had copied. */
  readonly kept: number;
}

async function migrate(settings: Settings, progress: Progress): Promise<Migrated> {
  const { from, to } = settings;
  if (from === undefined || to === undefined) throw new UsageError('--from and --to say what to move where');
  if (from === to) throw new UsageError('--from and --to are the same; use backup and restore instead');
  if (settings.dataDir === undefined) throw new UsageError('--data-dir says where the embedded store is');
  const directory = path.resolve(settings.dataDir);
  const placeOf = (storage: Kind): StorageSettings =>
    storage === 'etcd' ? storageSettings({ ...settings, storage }) : { kind: storage };
  const logger = createLogger('migrate-storage', settings);
  const open = (kind: Kind) => openStorage(placeOf(kind), directory, logger, { mustExist: true });
  await Promise.all(kinds.map((kind) => confirmEtcd(placeOf(kind))));
  const source = await open(from);
  try {
    const startedMs = performance.now();
    const copied = await restoreInto(placeOf(to), directory, {
      source: writeBackup(source, { nowMs: Date.now() }),
      discardUnfinished: settings.discardUnfinished,
      resume: true,
      onProgress: (done, total) => progress.report('copying', done, total),
    }).catch((error: unknown) => {
      if (!isStorageError(error, 'unusable')) throw error;
      return error;
    });
    const target = await (isStorageError(copied) ? openCopied(open(to), source, copied) : open(to));
    try {
      if (from === 'etcd') {
        await sleep(systemClock, Math.max(0, quietMs - (performance.now() - startedMs)));
      }
      const keys = await compare(source, target, isStorageError(copied) ? copied : undefined, progress);
      if (!isStorageError(copied)) return copied;
      return { keys, revision: await target.currentRevision(), kept: keys };
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

/**
 * Where a store is already, it may be what an earlier migration has copied whole, and not come to compare. Throws `refusal`
 * when it is another control plane's, or none.
 */
async function openCopied(
  opening: Promise<Storage>,
  source: Storage,
  refusal: StorageError,
): Promise<Storage> {
  const target = await opening.catch(() => {
    throw refusal;
  });
  if (target.controlPlaneId === source.controlPlaneId) return target;
  await target.close();
  throw refusal;
}

/**
 * Reads both from beginning to end; returns how many keys they hold. Throws UsageError when they differ, which is what
 * writing to either comes to; of a store that was there already (`refusal`) it says so.
 */
async function compare(
  source: Storage,
  target: Storage,
  refusal: StorageError | undefined,
  progress: Progress,
): Promise<number> {
  const copied = await contentDigest(target, (done) => progress.report('reading the copy', done, undefined));
  const original = await contentDigest(source, (done) =>
    progress.report('reading the source', done, copied.keys),
  );
  if (copied.keys === original.keys && copied.sha256 === original.sha256) return copied.keys;
  const counts = `(${copied.keys} objects, ${original.keys} in the source)`;
  throw new UsageError(
    refusal === undefined
      ? `the copy differs from the source ${counts}: a server still runs on one of them. Stop it, remove the copy, and ` +
          'migrate again'
      : `${refusal.message}, and not what the source holds ${counts}`,
  );
}
