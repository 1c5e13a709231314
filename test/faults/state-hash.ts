import { createHash } from 'node:crypto';
import type { KeyValue } from '#storage/storage.ts';

/** One text for one state: keys, values and revisions. */
export function hashOfState(items: readonly KeyValue[]): string {
  const hash = createHash('sha256');
  for (const { key, value, revision } of items) {
    hash.update(`${key.length} ${key} ${revision} ${value.length} `).update(value);
  }
  return hash.digest('hex');
}
