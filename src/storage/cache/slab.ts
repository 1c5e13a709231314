import { copyBytes } from '#apimachinery/copy-bytes.ts';
import type { CacheEntry, CacheEvent } from '../cached-storage.ts';
import type { Revision, StorageKey } from '../storage.ts';

/** Bytes of one slab. Large enough that a million values are few hundred buffers for the collector to see. */
export const slabBytes = 4 * 1024 * 1024;
/** Values over this get a buffer of their own, so that they waste no slab's end. */
const sharedValueBytesMax = slabBytes / 8;

export interface Slab {
  readonly bytes: Buffer;
  used: number;
  /** Bytes of the entries that still stand in `entries`. */
  live: number;
  readonly entries: SlabEntry[];
}

/** About 90 bytes beside key and value; the Buffer for `value` is made when asked for. */
export class SlabEntry implements CacheEntry {
  readonly key: StorageKey;
  readonly revision: Revision;
  memo: unknown = undefined;
  /** Changed by the owning SlabStore only, when it moves the bytes; views handed out before stay valid. */
  slab: Slab;
  offset: number;
  readonly length: number;
  /** Its place in slab.entries; -1 after release. */
  slot: number;

  constructor(key: StorageKey, revision: Revision, slab: Slab, offset: number, length: number) {
    this.key = key;
    this.revision = revision;
    this.slab = slab;
    this.offset = offset;
    this.length = length;
    this.slot = slab.entries.push(this) - 1;
  }

  get value(): Buffer {
    return this.slab.bytes.subarray(this.offset, this.offset + this.length);
  }
}

/** One event for all watchers; its memo is shared with them. */
export class SlabEvent implements CacheEvent {
  readonly type: 'put' | 'delete';
  readonly key: StorageKey;
  readonly revision: Revision;
  readonly entry: SlabEntry | undefined;
  readonly previous: SlabEntry | undefined;
  memo: unknown = undefined;

  constructor(
    key: StorageKey,
    revision: Revision,
    entry: SlabEntry | undefined,
    previous: SlabEntry | undefined,
  ) {
    this.type = entry === undefined ? 'delete' : 'put';
    this.key = key;
    this.revision = revision;
    this.entry = entry;
    this.previous = previous;
  }

  get value(): Buffer | undefined {
    return this.entry?.value;
  }
}

/**
 * Values off the JavaScript heap in large slabs: a million small Buffers would stall the collector for a second. A slab
 * that is less than half alive is emptied into the current one and left to the collector; its memory is never written
 * again, since someone may still hold a view on it.
 */
export class SlabStore {
  #current: Slab = newSlab(slabBytes);
  #liveBytes = 0;
  #heldBytes = slabBytes;

  /** Bytes of values not released. */
  get liveBytes(): number {
    return this.#liveBytes;
  }

  /** Bytes of slabs held; at most about twice liveBytes plus one slab. Released slabs that views pin do not count. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  store(key: StorageKey, revision: Revision, value: Uint8Array): SlabEntry {
    const { slab, offset } = this.stage(value);
    return new SlabEntry(key, revision, slab, offset, value.length);
  }

  /** Takes a value whose entry is made later. Until all are made, no entry may be released. */
  stage(value: Uint8Array): { readonly slab: Slab; readonly offset: number } {
    const slab = this.#slabFor(value.length);
    const offset = slab.used;
    copyBytes(value, slab.bytes, offset);
    slab.used += value.length;
    slab.live += value.length;
    this.#liveBytes += value.length;
    return { slab, offset };
  }

  /** The entry is no longer wanted by the cache; who still holds it can still read it. */
  release(entry: SlabEntry): void {
    const { slab, slot } = entry;
    if (slot < 0) return;
    const last = slab.entries.pop() as SlabEntry;
    if (last !== entry) {
      slab.entries[slot] = last;
      last.slot = slot;
    }
    entry.slot = -1;
    slab.live -= entry.length;
    this.#liveBytes -= entry.length;
    if (slab !== this.#current && slab.live * 2 < slab.bytes.length) this.#vacate(slab);
  }

  #slabFor(length: number): Slab {
    if (length > sharedValueBytesMax) {
      this.#heldBytes += length;
      return newSlab(length);
    }
    if (this.#current.used + length <= slabBytes) return this.#current;
    const full = this.#current;
    this.#current = newSlab(slabBytes);
    this.#heldBytes += slabBytes;
    if (full.live * 2 < slabBytes) this.#vacate(full);
    return this.#current;
  }

  #vacate(slab: Slab): void {
    this.#heldBytes -= slab.bytes.length;
    const { entries } = slab;
    for (let entry = entries.pop(); entry !== undefined; entry = entries.pop()) this.#move(entry);
    slab.live = 0;
  }

  #move(entry: SlabEntry): void {
    const target = this.#slabFor(entry.length);
    copyBytes(entry.value, target.bytes, target.used);
    entry.slab = target;
    entry.offset = target.used;
    target.used += entry.length;
    target.live += entry.length;
    entry.slot = target.entries.push(entry) - 1;
  }
}

/**
 * Shared memory, though nothing shares it: V8 counts every other buffer as pressure on its heap, and each 64 MiB of
 * new slabs would start a round of the collector over all entries.
 */
function newSlab(bytes: number): Slab {
  return { bytes: Buffer.from(new SharedArrayBuffer(bytes)), used: 0, live: 0, entries: [] };
}
