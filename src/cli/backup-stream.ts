import { link, lstat, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Writable } from 'node:stream';
import { decodeBackup } from '#storage/backup/backup-format.ts';
import type { KeyProgress } from '#storage/backup/write-backup.ts';
import { UsageError } from './run-command.ts';

/**
 * Hands a backup on, checking it as it goes by. Returns the number of objects. Throws `corrupt` for one that is damaged
 * or cut short; then what was handed on is of no use.
 */
export async function passBackup(
  source: AsyncIterable<Uint8Array>,
  write: (chunk: Uint8Array) => Promise<void>,
  onProgress: KeyProgress,
): Promise<number> {
  async function* passed(): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      await write(chunk);
      yield chunk;
    }
  }
  let keys = 0;
  let expected: number | undefined;
  for await (const frame of decodeBackup(passed())) {
    if (frame.type === 'header') expected = frame.header.keys;
    if (frame.type === 'items') {
      keys += frame.items.length;
      onProgress(keys, expected);
    }
    if (frame.type === 'end' && frame.end.keys !== keys) throw new UsageError('the backup is not complete');
  }
  return keys;
}

/** Writes into a new file that only its owner can read. It is on disk when this resolves. */
export async function toFile(
  file: string,
  run: (write: (chunk: Uint8Array) => Promise<void>) => Promise<number>,
): Promise<number> {
  const target = await open(file, 'w', 0o600).catch((error: Error) => {
    throw new UsageError(`cannot write ${file}: ${error.message}`);
  });
  try {
    const keys = await run(async (chunk) => {
      for (let at = 0; at < chunk.length; ) {
        const { bytesWritten } = await target.write(chunk, at);
        at += bytesWritten;
      }
    });
    await target.sync();
    return keys;
  } finally {
    await target.close();
  }
}

/** Throws where something has that name already: told before anything is asked for. */
export async function mayBecome(file: string, overwrite: boolean): Promise<void> {
  const found = await lstat(file).catch(() => undefined);
  if (found === undefined || (overwrite && found.isFile())) return;
  throw found.isFile() ? isThere(file) : new UsageError(`${file} is there and is no file`);
}

/** The written file gets its name, which is on disk when this resolves. Never over another unless told so. */
export async function nameFile(written: string, file: string, overwrite: boolean): Promise<void> {
  if (overwrite) await rename(written, file);
  else await nameNew(written, file);
  const folder = await open(path.dirname(path.resolve(file)), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** By a link, which unlike a new name replaces nothing that came meanwhile. */
async function nameNew(written: string, file: string): Promise<void> {
  try {
    await link(written, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw isThere(file);
    // A file system without links.
    await mayBecome(file, false);
    await rename(written, file);
    return;
  }
  await rm(written);
}

function isThere(file: string): UsageError {
  return new UsageError(`${file} is there already: give another name, or --overwrite`);
}

/** Writes to a stream at the pace of whoever reads it. Rejects when nobody does any more. */
export function toStream(stream: Writable): (chunk: Uint8Array) => Promise<void> {
  return (chunk) =>
    new Promise((resolve, reject) => {
      stream.write(chunk, (error) => (error ? reject(error) : resolve()));
    });
}
