import { randomFillSync } from 'node:crypto';

/** Random bytes, asked of the system many at a time. */
export class RandomPool {
  readonly #bytes: Buffer;
  #at: number;

  constructor(sizeBytes: number) {
    this.#bytes = Buffer.alloc(sizeBytes);
    this.#at = sizeBytes;
  }

  next(): number {
    if (this.#at === this.#bytes.length) {
      randomFillSync(this.#bytes);
      this.#at = 0;
    }
    return this.#bytes[this.#at++] as number;
  }
}
