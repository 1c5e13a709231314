import { fstatSync } from 'node:fs';
import { type FileHandle, open, readdir } from 'node:fs/promises';

/**
 * A file made within one tick of the file system's clock after we looked has the time that we saw. Kernels tick every
 * 10 ms at most; a time without a fraction is of a file system that counts in seconds, or in two of them.
 */
const tickMs = 25;
const coarseTickMs = 3_000;

/**
 * The names of LevelDB's logs. LevelDB syncs a new log's bytes but not the folder that holds its name, which a file system
 * without a journal of names may then lose in a power cut, with all writes in it. So whoever acknowledges a write asks
 * here first. That a log is new is seen at no cost for most writes: LevelDB begins one only when its write buffer is full,
 * or when told to compact.
 */
export class LogNames {
  readonly #folder: string;
  readonly #writeBufferBytes: number;
  readonly #handle: FileHandle;
  /** Milliseconds since the epoch, by the clock that the file system's times are of. */
  readonly #now: () => number;
  #newest: string | undefined;
  /** At least what LevelDB's write buffer holds; infinite when a new log is to be expected whatever that holds. */
  #bufferBytes = 0;
  /** The part of it that was written since the folder was last looked at. */
  #unseenBytes = 0;
  /** The folder's time when it was last looked at, if whatever changes it afterwards changes its time. */
  #seenAtMs: number | undefined;

  private constructor(folder: string, writeBufferBytes: number, handle: FileHandle, now: () => number) {
    this.#folder = folder;
    this.#writeBufferBytes = writeBufferBytes;
    this.#handle = handle;
    this.#now = now;
  }

  /** For a database that was just opened: all names in its folder are on disk when it resolves. `now` is for tests. */
  static async of(
    folder: string,
    writeBufferBytes: number,
    now: () => number = Date.now,
  ): Promise<LogNames | undefined> {
    // A folder cannot be opened there, and its names need no sync.
    if (process.platform === 'win32') return undefined;
    const names = new LogNames(folder, writeBufferBytes, await open(folder, 'r'), now);
    try {
      names.#newest = await names.#find();
      await names.#handle.sync();
    } catch (error) {
      await names.close();
      throw error;
    }
    return names;
  }

  /** A write of so many entries and bytes has been given to LevelDB. */
  wrote(entries: number, bytes: number): void {
    // LevelDB's nodes take up to 104 bytes beside an entry, its blocks waste up to a quarter.
    const bound = entries * 160 + Math.ceil((bytes * 4) / 3);
    this.#bufferBytes += bound;
    this.#unseenBytes += bound;
  }

  /** LevelDB was told to do what begins a new log. */
  expectNew(): void {
    this.#bufferBytes = Number.POSITIVE_INFINITY;
  }

  /** When it resolves, what was written before has its name on disk. Undefined: it surely has. Throws what the disk says. */
  synced(): Promise<void> | undefined {
    if (this.#bufferBytes < this.#writeBufferBytes) return undefined;
    const { mtimeMs } = fstatSync(this.#handle.fd);
    if (mtimeMs === this.#seenAtMs) {
      this.#unseenBytes = 0;
      return undefined;
    }
    return this.#look(mtimeMs);
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  async #look(mtimeMs: number): Promise<void> {
    const nowMs = this.#now();
    const unseenBytes = this.#unseenBytes;
    const newest = await this.#find();
    if (newest !== this.#newest) {
      await this.#handle.sync();
      this.#newest = newest;
      // It was begun after the last look: what was written before that is in the log before.
      this.#bufferBytes = unseenBytes;
    }
    this.#unseenBytes -= unseenBytes;
    const tick = Number.isInteger(mtimeMs) ? coarseTickMs : tickMs;
    this.#seenAtMs = Math.abs(nowMs - mtimeMs) > tick ? mtimeMs : undefined;
  }

  /** Names are numbers that rise, with six digits at least. */
  async #find(): Promise<string | undefined> {
    let newest: string | undefined;
    for (const name of await readdir(this.#folder)) {
      if (!name.endsWith('.log')) continue;
      if (
        newest === undefined ||
        name.length > newest.length ||
        (name.length === newest.length && name > newest)
      ) {
        newest = name;
      }
    }
    return newest;
  }
}
