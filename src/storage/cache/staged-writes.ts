import type { Revision, StorageEvent, StorageKey } from '../storage.ts';
import type { Slab, SlabStore } from './slab.ts';

const chunkItems = 1_024;
/** Marks the length of a key that is not ASCII and hence packed as UTF-16. */
const wideFlag = 2 ** 31;
const noBytes = Buffer.alloc(0);

/** A write whose value already lies in a slab. */
export interface StagedWrite {
  readonly key: StorageKey;
  readonly revision: Revision;
  /** Undefined for a delete. */
  readonly slab: Slab | undefined;
  readonly offset: number;
  readonly length: number;
}

interface Chunk {
  keys: Buffer;
  readonly revisions: Float64Array;
  readonly slabs: (Slab | undefined)[];
  readonly places: Uint32Array;
  count: number;
}

/**
 * Writes on their way from the store into the cache, held in few objects. While a store is read, each of its values is
 * for a moment a Buffer of its own, and every 64 MiB of those start a round of the collector; a round costs next to
 * nothing while there are few objects and a quarter of a second when there are millions. So the whole store is read
 * first, values into slabs and the rest into these flat chunks, and the objects are made after that.
 */
export class StagedWrites {
  readonly #slabs: SlabStore;
  #chunks: Chunk[] = [];
  #keyBytes: Buffer[] = [];

  constructor(slabs: SlabStore) {
    this.#slabs = slabs;
  }

  push(events: readonly StorageEvent[]): void {
    for (const { key, revision, value } of events) {
      let chunk = this.#chunks.at(-1);
      if (chunk === undefined || chunk.count === chunkItems) {
        this.#sealKeys();
        chunk = {
          keys: noBytes,
          revisions: new Float64Array(chunkItems),
          slabs: [],
          places: new Uint32Array(3 * chunkItems),
          count: 0,
        };
        this.#chunks.push(chunk);
      }
      const index = chunk.count++;
      const ascii = Buffer.byteLength(key) === key.length;
      const keyBytes = Buffer.from(key, ascii ? 'latin1' : 'utf16le');
      this.#keyBytes.push(keyBytes);
      chunk.revisions[index] = revision;
      chunk.places[3 * index + 2] = ascii ? keyBytes.length : keyBytes.length + wideFlag;
      if (value === undefined) {
        chunk.slabs.push(undefined);
        continue;
      }
      const place = this.#slabs.stage(value);
      chunk.slabs.push(place.slab);
      chunk.places[3 * index] = place.offset;
      chunk.places[3 * index + 1] = value.length;
    }
  }

  /** The writes in order, in pages; each page is forgotten when the next is asked for. */
  *take(): Generator<StagedWrite[]> {
    this.#sealKeys();
    const chunks = this.#chunks;
    this.#chunks = [];
    for (let chunk = chunks.shift(); chunk !== undefined; chunk = chunks.shift()) yield unpack(chunk);
  }

  #sealKeys(): void {
    const chunk = this.#chunks.at(-1);
    if (chunk !== undefined) chunk.keys = Buffer.concat(this.#keyBytes);
    this.#keyBytes = [];
  }
}

function unpack(chunk: Chunk): StagedWrite[] {
  const { keys } = chunk;
  const writes: StagedWrite[] = [];
  let keyStart = 0;
  for (let index = 0; index < chunk.count; index++) {
    const packed = chunk.places[3 * index + 2] as number;
    const wide = packed >= wideFlag;
    const keyEnd = keyStart + (wide ? packed - wideFlag : packed);
    writes.push({
      key: keys.toString(wide ? 'utf16le' : 'latin1', keyStart, keyEnd) as StorageKey,
      revision: chunk.revisions[index] as Revision,
      slab: chunk.slabs[index],
      offset: chunk.places[3 * index] as number,
      length: chunk.places[3 * index + 1] as number,
    });
    keyStart = keyEnd;
  }
  return writes;
}
