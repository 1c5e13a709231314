import { randomFillSync } from 'node:crypto';

const pools = new Set<RandomPool>();

/** Random bytes, asked of the system many at a time. */
export class RandomPool {
  readonly #bytes: Buffer;
  #at: number;

  constructor(sizeBytes: number) {
    this.#bytes = Buffer.alloc(sizeBytes);
    this.#at = sizeBytes;
    pools.add(this);
  }

  next(): number {
    if (this.#at === this.#bytes.length) {
      randomFillSync(this.#bytes);
      this.#at = 0;
    }
    return this.#bytes[this.#at++] as number;
  }

  /** What was asked for and not yet given is given to nobody. */
  empty(): void {
    this.#at = this.#bytes.length;
  }
}

/** For whoever sets where random bytes come from: none is given any more that came from before. */
export function emptyRandomPools(): void {
  for (const pool of pools) pool.empty();
}
