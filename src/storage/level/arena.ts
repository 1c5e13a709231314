const chunkBytes = 1024 * 1024;
const freeChunksMax = 16;

/** Chunks that arenas have given back. */
export class ArenaPool {
  readonly #free: Buffer[] = [];

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(chunkBytes);
  }

  give(chunks: readonly Buffer[]): void {
    for (const chunk of chunks) if (this.#free.length < freeChunksMax) this.#free.push(chunk);
  }
}

/**
 * Room for the records of one group, used again when LevelDB has copied them: the collector would otherwise see every
 * written byte twice, and with a large heap each of its rounds is dear.
 */
export class Arena {
  readonly #pool: ArenaPool;
  #chunks: Buffer[] = [];
  #used = chunkBytes;

  constructor(pool: ArenaPool) {
    this.#pool = pool;
  }

  /** Uninitialised bytes, valid until `release`. */
  allocate(bytes: number): Buffer {
    if (bytes > chunkBytes / 4) return Buffer.allocUnsafeSlow(bytes);
    if (this.#used + bytes > chunkBytes) {
      this.#chunks.push(this.#pool.take());
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += bytes;
    return (this.#chunks.at(-1) as Buffer).subarray(start, this.#used);
  }

  release(): void {
    this.#pool.give(this.#chunks);
    this.#chunks = [];
    this.#used = chunkBytes;
  }
}
