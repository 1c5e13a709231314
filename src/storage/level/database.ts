import { type ChainedBatch, ClassicLevel } from 'classic-level';
import { LogNames } from './log-names.ts';

/** classic-level's snapshots, which its types name only through the package beneath. */
type AbstractSnapshot = ReturnType<ClassicLevel['snapshot']>;

/**
 * A chained batch as implementations of abstract-level define it, beneath the checks and conversions of its public side:
 * those take longer than the write, and close a batch with its first use, which leaves its memory to the collector.
 */
type NativeBatch = ChainedBatch<ClassicLevel<Buffer, Buffer>, Buffer, Buffer> & {
  _put(key: Buffer, value: Buffer): void;
  _del(key: Buffer): void;
  _clear(): void;
  _write(options: { readonly sync: boolean }): Promise<void>;
};

/** What LevelDB gathers in memory, and in one log, before it writes a table. */
const writeBufferBytes = 16 * 1024 * 1024;
/** A batch that has held more is not used again: LevelDB's copy never shrinks. */
const reusedBatchBytesMax = 1024 * 1024;

export type LevelWrite =
  | { readonly type: 'put'; readonly key: Buffer; readonly value: Buffer }
  | { readonly type: 'del'; readonly key: Buffer };

export interface LevelView {
  close(): Promise<void>;
}

export interface LevelIterator {
  /** The next entries, at most `size`; empty at the end. */
  nextv(size: number): Promise<[Buffer, Buffer][]>;
  close(): Promise<void>;
}

export interface LevelRange {
  readonly gte?: Buffer;
  readonly gt?: Buffer;
  readonly lt?: Buffer;
  readonly view?: LevelView | undefined;
  /** One `nextv` ends after so many bytes. */
  readonly pageBytes?: number;
}

/** What this store asks of LevelDB; tests put faults between. */
export interface LevelDatabase {
  open(options: { readonly createIfMissing: boolean }): Promise<void>;
  close(): Promise<void>;
  /** All or nothing; with `sync`, on disk when it resolves. What is to be written is copied before the call returns. */
  batch(writes: readonly LevelWrite[], options: { readonly sync: boolean }): Promise<void>;
  /** Reads the state at the call (or of the view), in the order of the keys. */
  getMany(keys: Buffer[], view?: LevelView): Promise<(Buffer | undefined)[]>;
  iterator(range: LevelRange): LevelIterator;
  view(): LevelView;
  compactRange(start: Buffer, end: Buffer): Promise<void>;
}

export type CreateDatabase = (location: string) => LevelDatabase;

/** LevelDB itself. The block cache holds mostly pointers: values are read once, by the cache above. */
export function createClassicLevel(
  location: string,
  /** `syncNames` is false only in tests that show what it is for. */
  { syncNames = true }: { readonly syncNames?: boolean } = {},
): LevelDatabase {
  return new ClassicLevelDatabase(location, syncNames);
}

class ClassicLevelDatabase implements LevelDatabase {
  readonly #location: string;
  readonly #syncNames: boolean;
  #opened: ClassicLevel<Buffer, Buffer> | undefined;
  #logNames: LogNames | undefined;
  /** Empty, and written successfully before. */
  #spareBatch: NativeBatch | undefined;

  constructor(location: string, syncNames: boolean) {
    this.#location = location;
    this.#syncNames = syncNames;
  }

  async open(options: { readonly createIfMissing: boolean }): Promise<void> {
    // Made here: left alone, it would open itself in the next tick, and create what is missing.
    const level = new ClassicLevel<Buffer, Buffer>(this.#location, {
      keyEncoding: 'buffer',
      valueEncoding: 'buffer',
      cacheSize: 32 * 1024 * 1024,
      writeBufferSize: writeBufferBytes,
      // Most values are larger than the 4 KiB of old: each would be a block, with a write of its own.
      blockSize: 32 * 1024,
    });
    await level.open(options);
    try {
      if (this.#syncNames) this.#logNames = await LogNames.of(this.#location, writeBufferBytes);
    } catch (error) {
      await level.close();
      throw error;
    }
    this.#opened = level;
  }

  async close(): Promise<void> {
    this.#spareBatch = undefined;
    const logNames = this.#logNames;
    this.#logNames = undefined;
    await this.#opened?.close();
    await logNames?.close();
  }

  async batch(writes: readonly LevelWrite[], options: { readonly sync: boolean }): Promise<void> {
    // A chained batch takes a quarter of the time that an array takes.
    const batch = this.#spareBatch ?? (this.#level.batch() as NativeBatch);
    this.#spareBatch = undefined;
    let bytes = 0;
    for (const write of writes) {
      bytes += write.key.length;
      if (write.type === 'put') {
        bytes += write.value.length;
        batch._put(write.key, write.value);
      } else batch._del(write.key);
    }
    try {
      await batch._write(options);
      this.#logNames?.wrote(writes.length, bytes);
      const synced = options.sync ? this.#logNames?.synced() : undefined;
      if (synced !== undefined) await synced;
    } catch (error) {
      await batch.close();
      throw error;
    }
    if (bytes > reusedBatchBytesMax || this.#spareBatch !== undefined) {
      await batch.close();
    } else {
      batch._clear();
      this.#spareBatch = batch;
    }
  }

  getMany(keys: Buffer[], view?: LevelView): Promise<(Buffer | undefined)[]> {
    return this.#level.getMany(keys, view === undefined ? {} : { snapshot: view as AbstractSnapshot });
  }

  iterator({ view, pageBytes, ...range }: LevelRange): LevelIterator {
    return this.#level.iterator({
      ...range,
      ...(view === undefined ? {} : { snapshot: view as AbstractSnapshot }),
      highWaterMarkBytes: pageBytes ?? 256 * 1024,
      fillCache: false,
    });
  }

  view(): LevelView {
    return this.#level.snapshot();
  }

  compactRange(start: Buffer, end: Buffer): Promise<void> {
    this.#logNames?.expectNew();
    return this.#level.compactRange(start, end);
  }

  get #level(): ClassicLevel<Buffer, Buffer> {
    if (this.#opened === undefined) throw new Error('the database is not open');
    return this.#opened;
  }
}
