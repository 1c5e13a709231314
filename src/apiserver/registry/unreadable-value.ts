import { formatGroupResource } from '#apimachinery/gvk.ts';
import type { KeyValue, StorageKey } from '#storage/storage.ts';
import { flagEmptyMetadata, flagStale, flagUnreadable, formatVersion, prefixBytes } from './stored-form.ts';

/**
 * What stands in memory for a stored value that cannot be opened: selectors and garbage collection see an object
 * without anything, and whoever wants its content gets an error that names it (KUBERNETES.md O5).
 */
export function unreadableValue(key: StorageKey, why: string): Buffer {
  const [, head = '', resource = '', , namespace = '', name = ''] = key.split('/');
  const what = formatGroupResource({ group: head === 'core' ? '' : head, resource });
  const where = namespace === '' ? '' : ` in namespace "${namespace}"`;
  const header = JSON.stringify({ e: `${what} "${name}"${where} cannot be read: ${why}` });
  const body = '{"apiVersion":"v1","kind":"Unreadable","metadata":{}}';
  const value = Buffer.alloc(prefixBytes + Buffer.byteLength(header) + body.length);
  value[0] = formatVersion;
  value[1] = flagUnreadable | flagEmptyMetadata;
  value.writeUInt16LE(2, 2);
  value.writeUInt32LE(Buffer.byteLength(header), 4);
  value.writeUInt32LE(body.length - 2, 8);
  value.writeUInt32LE(body.length - 1, 12);
  value.write(header, prefixBytes);
  value.write(body, value.length - body.length);
  return value;
}

/** The value with a mark that it is to be written again even when nothing changes; a copy, for it may be shared. */
export function markStale(value: Buffer): Buffer {
  if (value[0] !== formatVersion) return value;
  const marked = Buffer.from(value);
  marked[1]! |= flagStale;
  return marked;
}

export function isMarkedStale(entry: KeyValue): boolean {
  return (entry.value[1]! & flagStale) !== 0;
}
