import { createHash } from 'node:crypto';
import type { Storage, StorageKey } from '../storage.ts';
import { encodeEnd, encodeHeader, encodeItems } from './backup-format.ts';

const pageItems = 500;
const pageBytes = 1024 * 1024;

/** Told of after every step: how many keys are done, of how many; undefined while that is not known. */
export type KeyProgress = (keys: number, keysExpected: number | undefined) => void;

export interface BackupSummary {
  readonly revision: number;
  readonly keys: number;
  readonly bytes: number;
}

/**
 * The whole state at one revision, as chunks of the backup format (backup-format.ts), while the store goes on serving.
 * Returns what was written. Throws `compacted` if the store's history is shorter than the backup takes, and what else
 * the store throws; then the backup has no end and is refused by a restore.
 */
export async function* writeBackup(
  storage: Storage,
  options: {
    readonly nowMs: number;
    readonly signal?: AbortSignal | undefined;
    readonly onProgress?: KeyProgress | undefined;
  },
): AsyncGenerator<Buffer, BackupSummary> {
  const revision = await storage.currentRevision();
  const { controlPlaneId, incarnationId } = storage;
  const first = await storage.range({ prefix: '', limit: 1, atRevision: revision });
  const keysExpected = first.items.length + first.remaining;
  const createdAtMs = options.nowMs;
  const header = encodeHeader({ controlPlaneId, incarnationId, revision, createdAtMs, keys: keysExpected });
  const hash = createHash('sha256').update(header);
  let bytes = header.length;
  let keys = 0;
  yield header;
  let startAfter: StorageKey | undefined;
  for (let more = true; more; ) {
    options.signal?.throwIfAborted();
    const page = await storage.range({
      prefix: '',
      startAfter,
      limit: pageItems,
      bytesMax: pageBytes,
      atRevision: revision,
      countRemaining: false,
    });
    if (page.items.length > 0) {
      const chunk = encodeItems(page.items);
      bytes += chunk.length;
      keys += page.items.length;
      hash.update(chunk);
      yield chunk;
      options.onProgress?.(keys, keysExpected);
    }
    startAfter = page.items.at(-1)?.key;
    more = page.more;
  }
  const end = encodeEnd({ keys, sha256: hash.digest('hex') });
  yield end;
  return { revision, keys, bytes: bytes + end.length };
}
