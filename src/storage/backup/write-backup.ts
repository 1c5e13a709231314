import type { Storage, StorageKey } from '../storage.ts';
import { encodeEnd, encodeHeader, encodeItems } from './backup-format.ts';

const pageItems = 500;
const pageBytes = 1024 * 1024;

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
  options: { readonly nowMs: number; readonly signal?: AbortSignal | undefined },
): AsyncGenerator<Buffer, BackupSummary> {
  const revision = await storage.currentRevision();
  const { controlPlaneId, incarnationId } = storage;
  const header = encodeHeader({ controlPlaneId, incarnationId, revision, createdAtMs: options.nowMs });
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
      yield chunk;
    }
    startAfter = page.items.at(-1)?.key;
    more = page.more;
  }
  const end = encodeEnd({ keys });
  yield end;
  return { revision, keys, bytes: bytes + end.length };
}
