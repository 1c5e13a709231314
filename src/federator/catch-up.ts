/** Objects of cells that catch up, worked on at once over all cells. */
const catchUpConcurrency = 64;
/** Of each such cell, however many there are; and what each begins with. */
export const shareMin = 2;

/**
 * Divides what this process does at once for cells that catch up: however many come back at the same time, what others
 * change meanwhile is done as fast as before. A share depends on the number of such cells alone, so that one which hangs
 * takes nothing of another's.
 */
export class CatchUp {
  readonly #cells = new Set<string>();

  get size(): number {
    return this.#cells.size;
  }

  set(cell: string, isCatchingUp: boolean): void {
    if (isCatchingUp) this.#cells.add(cell);
    else this.#cells.delete(cell);
  }

  /** How many objects of one such cell may be worked on at once. */
  get share(): number {
    return Math.max(shareMin, Math.floor(catchUpConcurrency / Math.max(1, this.#cells.size)));
  }
}

/** Lets only so many through at once; the bound is asked anew each time, and is at least 1. */
export class Gate {
  readonly #limit: () => number;
  readonly #waiting: (() => void)[] = [];
  #inside = 0;

  constructor(limit: () => number) {
    this.#limit = limit;
  }

  /** Undefined: it is inside. Else resolves when it is. Each entry is to be followed by one `leave`. */
  enter(): Promise<void> | undefined {
    if (this.#inside < this.#limit()) {
      this.#inside++;
      return undefined;
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  leave(): void {
    this.#inside--;
    while (this.#inside < this.#limit()) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#inside++;
      next();
    }
  }
}
