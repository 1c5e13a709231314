import type { Clock } from '#apimachinery/clock.ts';
import type { CopyKey } from './copy-keys.ts';

export interface Failure {
  readonly reason: string;
  readonly message: string;
}

/** Counts what a cell's objects are at, in constant time per change: for conditions, metrics and `syncLag`. */
export class SyncTally {
  readonly #clock: Clock;
  /** Key → since when it waits. Insertion order is age. */
  readonly #pending = new Map<CopyKey, number>();
  readonly #failed = new Map<CopyKey, Failure>();
  readonly #synced = new Set<CopyKey>();

  readonly #onSynced: (afterMs: number) => void;

  /** `onSynced`: called when something that was pending is in sync, with how long it waited. */
  constructor(clock: Clock, onSynced: (afterMs: number) => void = () => {}) {
    this.#clock = clock;
    this.#onSynced = onSynced;
  }

  get counts(): {
    readonly synced: number;
    readonly pending: number;
    readonly failed: number;
  } {
    return {
      synced: this.#synced.size,
      pending: this.#pending.size - this.#failed.size,
      failed: this.#failed.size,
    };
  }

  /** Age of the oldest change that the edge has not got. */
  get lagMs(): number {
    for (const since of this.#pending.values()) return Math.max(0, this.#clock.now() - since);
    return 0;
  }

  get firstFailure(): { readonly key: CopyKey; readonly failure: Failure } | undefined {
    for (const [key, failure] of this.#failed) return { key, failure };
    return undefined;
  }

  knows(key: CopyKey): boolean {
    return this.#pending.has(key) || this.#synced.has(key);
  }

  failureOf(key: CopyKey): Failure | undefined {
    return this.#failed.get(key);
  }

  markPending(key: CopyKey): void {
    this.#synced.delete(key);
    if (!this.#pending.has(key)) this.#pending.set(key, this.#clock.now());
  }

  markSynced(key: CopyKey): void {
    const since = this.#pending.get(key);
    if (since !== undefined) {
      this.#pending.delete(key);
      this.#onSynced(Math.max(0, this.#clock.now() - since));
    }
    this.#failed.delete(key);
    this.#synced.add(key);
  }

  markFailed(key: CopyKey, failure: Failure): void {
    this.markPending(key);
    this.#failed.set(key, failure);
  }

  forget(key: CopyKey): void {
    this.#pending.delete(key);
    this.#failed.delete(key);
    this.#synced.delete(key);
  }
}
