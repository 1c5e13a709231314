import { createHash } from 'node:crypto';
import type { CopyKey } from './copy-keys.ts';

/**
 * Deletions at an edge that wait for a person (DESIGN.md, Deletion fails closed). Their token stands for exactly these:
 * it changes with every one that comes or goes, so that a release lets nothing happen that was not held when it was given.
 */
export class HeldDeletions {
  readonly #held = new Map<CopyKey, string>();
  readonly #released = new Set<CopyKey>();
  /** Sum of the keys' hashes: the order in which they came does not matter, and each change costs one hash. */
  #sum = 0n;

  get size(): number {
    return this.#held.size;
  }

  /** Why the first one is held. */
  get first(): string | undefined {
    for (const why of this.#held.values()) return why;
    return undefined;
  }

  /** Undefined when nothing is held. */
  get token(): string | undefined {
    return this.#held.size === 0 ? undefined : this.#sum.toString(36).padStart(12, '0').slice(-12);
  }

  has(key: CopyKey): boolean {
    return this.#held.has(key);
  }

  isReleased(key: CopyKey): boolean {
    return this.#released.has(key);
  }

  hold(key: CopyKey, why: string): void {
    if (!this.#held.has(key)) this.#sum = BigInt.asUintN(64, this.#sum + hashOf(key));
    this.#held.set(key, why);
  }

  /** The question has gone: the copy is back, or the edge object is gone. */
  forget(key: CopyKey): void {
    if (this.#held.delete(key)) this.#sum = BigInt.asUintN(64, this.#sum - hashOf(key));
    this.#released.delete(key);
  }

  /** Lets all that is held happen when the token is that of what is held now. Returns their keys. */
  release(token: string | undefined): CopyKey[] {
    if (token === undefined || token !== this.token) return [];
    const keys = [...this.#held.keys()];
    this.#held.clear();
    this.#sum = 0n;
    for (const key of keys) this.#released.add(key);
    return keys;
  }
}

function hashOf(key: CopyKey): bigint {
  return createHash('sha1').update(key).digest().readBigUInt64BE();
}
