import type { Value } from './values.ts';

/** The cost of an evaluation passed its limit. */
export class CelCostError extends Error {
  override readonly name = 'CelCostError';
  /** When it was ended. */
  readonly cost: number;

  constructor(cost: number) {
    super('operation cancelled: actual cost limit exceeded');
    this.cost = cost;
  }
}

/** One evaluation: variables in slots, and what it has cost so far. */
export class Frame {
  readonly slots: (Value | undefined)[];
  cost = 0;
  readonly #costMax: number;

  constructor(slots: (Value | undefined)[], costMax: number) {
    this.slots = slots;
    this.#costMax = costMax;
  }

  spend(cost: number): void {
    this.cost += cost;
    if (this.cost > this.#costMax) throw new CelCostError(this.cost);
  }
}

export type Code = (frame: Frame) => Value;
