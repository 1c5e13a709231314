import type { Clock } from '#apimachinery/clock.ts';
import type { CopyKey } from '../cell/copy-keys.ts';

export interface BudgetLimits {
  readonly maxObjects: number;
  /** Of the objects that stand at the edge when the window begins; 100 = no bound by share. */
  readonly maxPercent: number;
  readonly windowMs: number;
}

/**
 * Lets only so many deletions pass within a window (`Cell.spec.deletionBudget`): what exceeds it is held until a person
 * looks. Without limits everything passes. One for a cell, whatever becomes of its connections.
 */
export class DeletionBudget {
  readonly #clock: Clock;
  /** uid of edge objects whose deletion was let pass: until it is done it may be tried again. */
  readonly #passed = new Map<CopyKey, string>();
  #windowStartMs = Number.NEGATIVE_INFINITY;
  #spent = 0;
  #standing = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes the deletion of that object out of the budget, once; false when none is left. */
  take(key: CopyKey, uid: string, limits: BudgetLimits, standingObjects: number): boolean {
    if (this.#passed.get(key) === uid) return true;
    // A clock that is set must neither empty a window nor make it longer.
    const now = this.#clock.monotonic();
    if (now - this.#windowStartMs >= limits.windowMs) {
      this.#windowStartMs = now;
      this.#spent = 0;
      this.#standing = standingObjects;
    }
    const byShare = Math.ceil((this.#standing * limits.maxPercent) / 100);
    if (this.#spent >= Math.min(limits.maxObjects, byShare)) return false;
    this.#spent++;
    this.#passed.set(key, uid);
    return true;
  }

  /** The object is gone. */
  forget(key: CopyKey): void {
    this.#passed.delete(key);
  }
}
