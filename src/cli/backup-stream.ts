import { open } from 'node:fs/promises';
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

/** Writes to a stream at the pace of whoever reads it. Rejects when nobody does any more. */
export function toStream(stream: Writable): (chunk: Uint8Array) => Promise<void> {
  return (chunk) =>
    new Promise((resolve, reject) => {
      stream.write(chunk, (error) => (error ? reject(error) : resolve()));
    });
}
