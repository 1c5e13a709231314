import { type CatchUp, Gate, shareMin } from '../catch-up.ts';
import type { CellLimits } from './cell-limits.ts';

export interface WorkWidthOptions {
  readonly cell: string;
  readonly catchUp: CatchUp;
  readonly limits: Pick<CellLimits, 'concurrency' | 'catchUpPending'>;
  /** How many of the cell's objects are not in sync yet. */
  readonly pending: () => number;
  readonly isBreakerOpen: () => boolean;
}

/** How many objects of one cell are worked on at once: fewer while this cell and others catch up. */
export class WorkWidth {
  readonly #options: WorkWidthOptions;
  readonly #gate = new Gate(() => this.#width());
  #isCatchingUp = false;
  /** While it catches up: how many objects it has got to working on at once. */
  #reached = shareMin;

  constructor(options: WorkWidthOptions) {
    this.#options = options;
  }

  /** It has much to do, and works on fewer objects at once than it could. */
  get isCatchingUp(): boolean {
    return this.#isCatchingUp;
  }

  /** Undefined: the work may begin. Else resolves when it may. To be followed by one `leave`. */
  enter(): Promise<void> | undefined {
    return this.#gate.enter();
  }

  leave(): void {
    this.#reached++;
    this.#gate.leave();
  }

  /** An object needed no work: who catches up may be done with that. */
  passed(): void {
    if (this.#isCatchingUp) this.#width();
  }

  /** Takes no share any more. */
  stop(): void {
    this.#options.catchUp.set(this.#options.cell, false);
  }

  #width(): number {
    const { cell, catchUp, limits, pending, isBreakerOpen } = this.#options;
    // Until it is done: the last of many cells' objects are many too.
    const isBehind = pending() > (this.#isCatchingUp ? shareMin : limits.catchUpPending);
    // One that does not answer does nothing: it takes no share, and no more wait at its breaker than go out together then.
    const isOpen = isBreakerOpen();
    this.#isCatchingUp = isBehind && !isOpen;
    catchUp.set(cell, this.#isCatchingUp);
    if (isOpen || !isBehind) this.#reached = shareMin;
    if (isOpen) return shareMin;
    if (!isBehind) return limits.concurrency;
    // It begins slowly: when many come back together, each knows of the others before it has gone far.
    return Math.min(limits.concurrency, catchUp.share, this.#reached);
  }
}
