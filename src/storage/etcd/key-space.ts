import { StorageError } from '../errors.ts';
import { bytesEnd, decodeStorageKey, encodeStorageKey } from '../level/key-codec.ts';
import type { StorageKey } from '../storage.ts';

/**
 * Where a store lies in etcd:
 *
 * - `<prefix>/o<key>`: an object's value. Bytes sort as keys do (level/key-codec.ts).
 * - `<prefix>/m/<name>`: the store's own, below.
 */
export class KeySpace {
  readonly #objectHead: Buffer;
  /** Everything of the store. */
  readonly all: { readonly key: Buffer; readonly range_end: Buffer };
  /** Format, ids, and by the revision that it was written at the beginning of the store's own counting. */
  readonly marker: Buffer;
  /** The format, where it is newer than the marker says: the marker is never written again. */
  readonly format: Buffer;
  /** There while a restore is under way. */
  readonly restoring: Buffer;
  /** Written to bring watches to a revision that writes of others have made. */
  readonly fence: Buffer;
  /** The revision to compact next, and by its own revision who may. */
  readonly compaction: Buffer;

  /** Throws `unusable` for a prefix that is not like `/cellplane`. */
  constructor(prefix: string) {
    if (!/^(\/[\w.~-]+)+$/.test(prefix)) {
      throw new StorageError('unusable', `etcd: ${prefix} is no prefix such as /cellplane`);
    }
    this.#objectHead = Buffer.from(`${prefix}/o`);
    const all = Buffer.from(`${prefix}/`);
    this.all = { key: all, range_end: bytesEnd(all) };
    this.marker = Buffer.from(`${prefix}/m/store`);
    this.format = Buffer.from(`${prefix}/m/format`);
    this.restoring = Buffer.from(`${prefix}/m/restoring`);
    this.fence = Buffer.from(`${prefix}/m/fence`);
    this.compaction = Buffer.from(`${prefix}/m/compaction`);
  }

  encode(key: string): Buffer {
    return encodeStorageKey(key, this.#objectHead);
  }

  /** Undefined for a key of the store's own. */
  decode(bytes: Buffer): StorageKey | undefined {
    const headBytes = this.#objectHead.length;
    if (bytes[headBytes - 1] !== this.#objectHead[headBytes - 1]) return undefined;
    return decodeStorageKey(bytes, headBytes);
  }

  /** All keys that start with `prefix`, after `startAfter` if given. Undefined when there can be none. */
  range(
    prefix: string,
    startAfter: StorageKey | undefined,
  ): { readonly key: Buffer; readonly range_end: Buffer } | undefined {
    const first = this.encode(prefix);
    const range_end = bytesEnd(first);
    if (startAfter === undefined) return { key: first, range_end };
    const next = Buffer.concat([this.encode(startAfter), Buffer.alloc(1)]);
    const key = Buffer.compare(next, first) > 0 ? next : first;
    return Buffer.compare(key, range_end) < 0 ? { key, range_end } : undefined;
  }
}
