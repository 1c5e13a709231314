import type { Priority } from './key-queue.ts';
import { KeyRing } from './key-ring.ts';

/** A priority as a number to compare by. */
export function rankOf(priority: Priority): number {
  if (typeof priority === 'number') return priority;
  return priority === 'normal' ? 0 : Number.NEGATIVE_INFINITY;
}

/**
 * Keys, each once, those of the highest rank first, of one rank in the order of their adding. Constant time while all have
 * rank 0; else it grows with the number of different ranks.
 */
export class RankedKeys {
  /** Of rank 0, as almost all are. */
  readonly #plain = new KeyRing();
  readonly #others = new Map<number, KeyRing>();
  /** Ranks other than 0 of which there are keys, descending. */
  #ranks: number[] = [];
  /** Of keys of another rank than 0. */
  readonly #rankOf = new Map<string, number>();

  get size(): number {
    return this.#plain.size + this.#rankOf.size;
  }

  has(key: string): boolean {
    return this.#plain.has(key) || this.#rankOf.has(key);
  }

  /** A key that is there already is moved up where its new rank is higher, and else left where it is. */
  push(key: string, rank: number): void {
    if (rank === 0 && this.#rankOf.size === 0) {
      this.#plain.push(key);
      return;
    }
    const before = this.#plain.has(key) ? 0 : this.#rankOf.get(key);
    if (before !== undefined) {
      if (before >= rank) return;
      this.delete(key);
    }
    if (rank === 0) this.#plain.push(key);
    else {
      this.#rankOf.set(key, rank);
      this.#ringOf(rank).push(key);
    }
  }

  delete(key: string): boolean {
    const rank = this.#rankOf.get(key);
    if (rank === undefined) return this.#plain.delete(key);
    this.#rankOf.delete(key);
    this.#others.get(rank)?.delete(key);
    this.#dropEmpty(rank);
    return true;
  }

  shift(): string | undefined {
    const highest = this.#ranks[0];
    if (highest === undefined || (highest < 0 && this.#plain.size > 0)) return this.#plain.shift();
    const key = this.#others.get(highest)?.shift();
    if (key !== undefined) this.#rankOf.delete(key);
    this.#dropEmpty(highest);
    return key;
  }

  clear(): void {
    this.#plain.clear();
    this.#others.clear();
    this.#rankOf.clear();
    this.#ranks = [];
  }

  #ringOf(rank: number): KeyRing {
    let ring = this.#others.get(rank);
    if (ring === undefined) {
      ring = new KeyRing();
      this.#others.set(rank, ring);
      const at = this.#ranks.findIndex((one) => one < rank);
      this.#ranks.splice(at < 0 ? this.#ranks.length : at, 0, rank);
    }
    return ring;
  }

  #dropEmpty(rank: number): void {
    if (this.#others.get(rank)?.size !== 0) return;
    this.#others.delete(rank);
    this.#ranks.splice(this.#ranks.indexOf(rank), 1);
  }
}
