/**
 * Counts the requests that wait for an answer, so that a stopping server knows when all are answered. One that is
 * answered in the turn in which it came is never counted; how many there may be is flow control's business.
 */
export class InFlight {
  #total = 0;
  #idle: (() => void)[] = [];

  get total(): number {
    return this.#total;
  }

  enter(): void {
    this.#total++;
  }

  leave(): void {
    this.#total--;
    if (this.#total > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Resolves when nothing is under way. */
  whenIdle(): Promise<void> {
    if (this.#total === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }
}
