import type { Clock } from '#apimachinery/clock.ts';

export interface BudgetLimits {
  readonly maxObjects: number;
  /** Of the objects that stand at the edge when the window begins; 100 = no bound by share. */
  readonly maxPercent: number;
  readonly windowMs: number;
}

/**
 * Lets only so many deletions pass within a window (`Cell.spec.deletionBudget`): what exceeds it is held until a person
 * looks. Without limits everything passes.
 */
export class DeletionBudget {
  readonly #clock: Clock;
  #windowStartMs = Number.NEGATIVE_INFINITY;
  #spent = 0;
  #standing = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes one deletion out of the budget; false when none is left. */
  take(limits: BudgetLimits | undefined, standingObjects: number): boolean {
    if (limits === undefined) return true;
    const now = this.#clock.now();
    if (now - this.#windowStartMs >= limits.windowMs) {
      this.#windowStartMs = now;
      this.#spent = 0;
      this.#standing = standingObjects;
    }
    const byShare = Math.ceil((this.#standing * limits.maxPercent) / 100);
    if (this.#spent >= Math.min(limits.maxObjects, byShare)) return false;
    this.#spent++;
    return true;
  }
}
