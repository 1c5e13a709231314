import { createHash } from 'node:crypto';
import type { Storage, StorageKey } from '../storage.ts';
import type { KeyProgress } from './write-backup.ts';

const pageItems = 500;
const pageBytes = 1024 * 1024;

/** What a store holds, apart from revisions: equal for stores of equal content, whatever they are made of. */
export interface ContentDigest {
  readonly keys: number;
  /** SHA-256 over all keys and values in key order, hexadecimal. */
  readonly sha256: string;
}

/** Reads the newest state from beginning to end. Throws what the store throws. */
export async function contentDigest(storage: Storage, onProgress?: KeyProgress): Promise<ContentDigest> {
  const atRevision = await storage.currentRevision();
  const hash = createHash('sha256');
  const lengths = Buffer.alloc(8);
  let keys = 0;
  let startAfter: StorageKey | undefined;
  for (let more = true; more; ) {
    const page = await storage.range({
      prefix: '',
      startAfter,
      limit: pageItems,
      bytesMax: pageBytes,
      atRevision,
      countRemaining: false,
    });
    for (const { key, value } of page.items) {
      const keyBytes = Buffer.from(key);
      lengths.writeUInt32BE(keyBytes.length, 0);
      lengths.writeUInt32BE(value.length, 4);
      hash.update(lengths).update(keyBytes).update(value);
    }
    keys += page.items.length;
    onProgress?.(keys, undefined);
    startAfter = page.items.at(-1)?.key;
    more = page.more;
  }
  return { keys, sha256: hash.digest('hex') };
}
