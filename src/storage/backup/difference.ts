import { compareKeys } from '../key-order.ts';
import type { KeyValue, StorageKey } from '../storage.ts';

/** What stands where a restore that was cut short has written; value undefined: it cannot be read, or is not as it should be. */
export interface Standing {
  readonly key: StorageKey;
  readonly value: Buffer | undefined;
}

/** What is to be done so that a stretch of keys holds what it should. */
export interface Difference {
  readonly puts: readonly KeyValue[];
  readonly deletes: readonly StorageKey[];
  /** What stands there already as it should. */
  readonly kept: readonly KeyValue[];
}

/** Compares what is to be with what stands there, one page of either after the other; both in key order. */
export class Differences {
  readonly #standing: AsyncIterator<readonly Standing[]>;
  #page: readonly Standing[] = [];
  #at = 0;

  constructor(standing: AsyncIterable<readonly Standing[]>) {
    this.#standing = standing[Symbol.asyncIterator]();
  }

  /** For the keys after those of the last call up to the last of `items`. */
  async next(items: readonly KeyValue[]): Promise<Difference> {
    const puts: KeyValue[] = [];
    const deletes: StorageKey[] = [];
    const kept: KeyValue[] = [];
    for (const item of items) {
      let standing = await this.#peek();
      while (standing !== undefined && compareKeys(standing.key, item.key) < 0) {
        deletes.push(standing.key);
        this.#at++;
        standing = await this.#peek();
      }
      if (standing?.key !== item.key) {
        puts.push(item);
        continue;
      }
      this.#at++;
      (standing.value?.equals(item.value) === true ? kept : puts).push(item);
    }
    return { puts, deletes, kept };
  }

  /** What stands after the last item, in pages. */
  async *rest(): AsyncGenerator<readonly StorageKey[]> {
    while ((await this.#peek()) !== undefined) {
      const keys = this.#page.slice(this.#at).map(({ key }) => key);
      this.#at = this.#page.length;
      yield keys;
    }
  }

  async #peek(): Promise<Standing | undefined> {
    while (this.#at === this.#page.length) {
      const next = await this.#standing.next();
      if (next.done === true) return undefined;
      this.#page = next.value;
      this.#at = 0;
    }
    return this.#page[this.#at];
  }
}
