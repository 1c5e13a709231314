import { open, rm } from 'node:fs/promises';
import https from 'node:https';
import path from 'node:path';
import { Readable } from 'node:stream';
import { Command } from 'commander';
import { type ServerConnection, tlsOptions } from '#client/remote/connection.ts';
import { writeBackup } from '#storage/backup/write-backup.ts';
import { mayBecome, nameFile, passBackup, toFile, toStream } from '../backup-stream.ts';
import { openStorage } from '../compose.ts';
import { confirmEtcd } from '../confirm-etcd.ts';
import { type ConnectSettings, federationConnection, withKubeconfig } from '../connect.ts';
import { createLogger, type LogSettings, withLogging } from '../logging.ts';
import { Progress } from '../progress.ts';
import { restoreInto, usageErrorOf } from '../restore-into.ts';
import { UsageError } from '../run-command.ts';
import { setting, withConfigFile } from '../settings.ts';
import { type StorageFlags, storageSettings, withStorageFlags } from '../storage-settings.ts';

interface Place extends StorageFlags, LogSettings {
  readonly dataDir?: string;
}

interface BackupSettings extends Place, ConnectSettings {
  readonly overwrite?: boolean;
}

interface RestoreSettings extends Place {
  readonly asClone?: boolean;
  readonly discardUnfinished?: boolean;
}

export function backupCommand(): Command {
  const command = new Command('backup')
    .description(
      'write the whole store, as it is at one revision, into a file: from the running server that the kubeconfig ' +
        'names, from the data folder of a stopped one (--data-dir), or from etcd (--storage etcd)',
    )
    .argument('<file>', 'where to write to (-: standard output); holds the Secrets of all workspaces')
    .addOption(setting('--data-dir <folder>', 'data folder of an API server that does not run'))
    .option('--overwrite', 'replace a file of that name, once the new one is whole')
    .action(async (file: string, settings: BackupSettings) => {
      const progress = new Progress();
      const onProgress = (done: number, total: number | undefined) => progress.report('backup', done, total);
      const { overwrite = false } = settings;
      try {
        if (file !== '-') await mayBecome(file, overwrite);
        const source = await backupOf(settings);
        if (file === '-') {
          const keys = await passBackup(source, toStream(process.stdout), onProgress);
          progress.end();
          process.stderr.write(`${keys} objects\n`);
          return;
        }
        const partial = `${file}.partial`;
        try {
          const keys = await toFile(partial, (write) => passBackup(source, write, onProgress));
          await nameFile(partial, file, overwrite);
          progress.end();
          process.stdout.write(`${file}: ${keys} objects\n`);
        } catch (error) {
          await rm(partial, { force: true });
          throw error;
        }
      } catch (error) {
        progress.end();
        throw usageErrorOf(error);
      }
    });
  return withConfigFile(withLogging(withStorageFlags(withKubeconfig(command), ['level', 'etcd'])));
}

export function restoreCommand(): Command {
  const command = new Command('restore')
    .description(
      'make a store from a backup: in an empty data folder (--data-dir), or in etcd under a prefix that holds nothing ' +
        '(--storage etcd)',
    )
    .argument('<file>', 'what `cellplane backup` has written (-: standard input)')
    .addOption(setting('--data-dir <folder>', 'data folder of the API server that is to be started on it'))
    .option('--as-clone', 'the original goes on running: give the copy an identity of its own')
    .option('--discard-unfinished', 'remove first what a restore that was cut short has left there')
    .action(async (file: string, settings: RestoreSettings) => {
      const progress = new Progress();
      try {
        const summary = await restore(file, settings, progress);
        progress.end();
        process.stdout.write(
          `restored ${summary.keys} objects; the store goes on at revision ${summary.revision}\n`,
        );
      } catch (error) {
        progress.end();
        throw usageErrorOf(error);
      }
    });
  return withConfigFile(withLogging(withStorageFlags(command, ['level', 'etcd'])));
}

async function backupOf(settings: Place & ConnectSettings): Promise<Readable> {
  if (settings.storage !== 'etcd' && settings.dataDir === undefined) {
    return download(await federationConnection(settings));
  }
  const directory = path.resolve(settings.dataDir ?? '.');
  const logger = createLogger('backup', settings);
  await confirmEtcd(storageSettings(settings));
  const storage = await openStorage(storageSettings(settings), directory, logger, { mustExist: true });
  const chunks = writeBackup(storage, { nowMs: Date.now() });
  return Readable.from(closing(chunks, storage), { objectMode: false });
}

async function* closing(
  chunks: AsyncIterable<Buffer>,
  storage: { close(): Promise<void> },
): AsyncGenerator<Buffer> {
  try {
    yield* chunks;
  } finally {
    await storage.close();
  }
}

function download(connection: ServerConnection): Promise<Readable> {
  const headers = connection.token === undefined ? {} : { authorization: `Bearer ${connection.token}` };
  return new Promise((resolve, reject) => {
    const url = new URL('/debug/cellplane/backup', connection.server);
    const request = https.get(url, { ...tlsOptions(connection), headers }, (response) => {
      if (response.statusCode === 200) resolve(response);
      else
        reject(
          new UsageError(`the server refuses a backup: ${response.statusCode} ${response.statusMessage}`),
        );
    });
    request.once('error', (error) =>
      reject(new UsageError(`no answer from ${url.origin}: ${error.message}`)),
    );
  });
}

async function restore(file: string, settings: RestoreSettings, progress: Progress) {
  const storage = storageSettings(settings);
  if (storage.kind !== 'etcd' && settings.dataDir === undefined) {
    throw new UsageError('give --data-dir, the folder to restore into, or --storage etcd');
  }
  await confirmEtcd(storage);
  const source = file === '-' ? process.stdin : await openBackup(file);
  return restoreInto(storage, path.resolve(settings.dataDir ?? '.'), {
    source,
    asClone: settings.asClone,
    discardUnfinished: settings.discardUnfinished,
    onProgress: (done, total) => progress.report('restore', done, total),
  });
}

/** Opened here: the error of a stream that cannot be opened comes before anybody listens to it. */
async function openBackup(file: string): Promise<Readable> {
  try {
    return (await open(file)).createReadStream();
  } catch (error) {
    throw new UsageError(`cannot read backup ${file}: ${(error as Error).message}`);
  }
}
