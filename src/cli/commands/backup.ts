import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import https from 'node:https';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Command } from 'commander';
import { systemClock } from '#apimachinery/clock.ts';
import { type ServerConnection, tlsOptions } from '#client/remote/connection.ts';
import { decodeBackup } from '#storage/backup/backup-format.ts';
import { restoreLevelStorage } from '#storage/backup/restore-level.ts';
import { writeBackup } from '#storage/backup/write-backup.ts';
import { isStorageError } from '#storage/errors.ts';
import { etcdAccess, openStorage } from '../compose.ts';
import { type ConnectSettings, federationConnection, withKubeconfig } from '../connect.ts';
import { createLogger, type LogSettings, withLogging } from '../logging.ts';
import { UsageError } from '../run-command.ts';
import { setting, withConfigFile } from '../settings.ts';
import { type StorageFlags, storageSettings, withStorageFlags } from '../storage-settings.ts';

interface Place extends StorageFlags, LogSettings {
  readonly dataDir?: string;
}

export function backupCommand(): Command {
  const command = new Command('backup')
    .description(
      'write the whole store, as it is at one revision, into a file: from the running server that the kubeconfig ' +
        'names, from the data folder of a stopped one (--data-dir), or from etcd (--storage etcd)',
    )
    .argument('<file>', 'where to write to; holds the Secrets of all workspaces')
    .addOption(setting('--data-dir <folder>', 'data folder of an API server that does not run'))
    .action(async (file: string, settings: Place & ConnectSettings) => {
      const partial = `${file}.partial`;
      try {
        const target = createWriteStream(partial, { mode: 0o600 });
        await pipeline(await backupOf(settings), target);
        const keys = await checkBackup(partial);
        await rename(partial, file);
        process.stdout.write(`${file}: ${keys} objects\n`);
      } catch (error) {
        await rm(partial, { force: true });
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
    .argument('<file>', 'what `cellplane backup` has written')
    .addOption(setting('--data-dir <folder>', 'data folder of the API server that is to be started on it'))
    .option('--as-clone', 'the original goes on running: give the copy an identity of its own')
    .action(async (file: string, settings: Place & { readonly asClone?: boolean }) => {
      try {
        const summary = await restore(file, settings);
        process.stdout.write(
          `restored ${summary.keys} objects; the store goes on at revision ${summary.revision}\n`,
        );
      } catch (error) {
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

/** Reads the file from beginning to end, with all checksums. Returns the number of objects. */
async function checkBackup(file: string): Promise<number> {
  let keys = 0;
  for await (const frame of decodeBackup(createReadStream(file))) {
    if (frame.type === 'items') keys += frame.items.length;
    if (frame.type === 'end' && frame.end.keys !== keys) throw new UsageError('the backup is not complete');
  }
  return keys;
}

async function restore(file: string, settings: Place & { readonly asClone?: boolean }) {
  const source = createReadStream(file);
  const common = { source, asClone: settings.asClone };
  const storage = storageSettings(settings);
  if (storage.kind === 'etcd') {
    const { restoreEtcdStorage } = await import('#storage/backup/restore-etcd.ts');
    const access = await etcdAccess(storage);
    return restoreEtcdStorage({ ...access, ...common, prefix: storage.prefix, clock: systemClock });
  }
  if (settings.dataDir === undefined) throw new UsageError('--data-dir says where to restore to');
  const directory = path.join(path.resolve(settings.dataDir), 'store');
  return restoreLevelStorage({ ...common, directory, nowMs: Date.now() });
}

function usageErrorOf(error: unknown): unknown {
  return isStorageError(error) ? new UsageError(error.message) : error;
}
