/** Refusals that leave in one turn of the event loop. */
const perTurn = 8;

/**
 * Keeps refusals back for a moment. A client that asks again the moment it is told 429 would otherwise cost as much as if
 * it were served; held for `delayMs` each of its connections can only come ten times a second. Beyond `heldMax` they
 * leave at once.
 */
export class HeldRefusals {
  readonly #delayMs: number;
  readonly #heldMax: number;
  #held: { readonly dueMs: number; readonly resolve: () => void }[] = [];
  /** Those before it have left. */
  #head = 0;
  #isArmed = false;

  constructor(delayMs: number, heldMax: number) {
    this.#delayMs = delayMs;
    this.#heldMax = heldMax;
  }

  /** Settles when the refusal may be told; undefined: now. */
  hold(nowMs: number): Promise<void> | undefined {
    if (this.#delayMs === 0 || this.#held.length - this.#head >= this.#heldMax) return undefined;
    return new Promise((resolve) => {
      this.#held.push({ dueMs: nowMs + this.#delayMs, resolve });
      this.#arm(nowMs);
    });
  }

  #arm(nowMs: number): void {
    const next = this.#held[this.#head];
    if (this.#isArmed || next === undefined) return;
    this.#isArmed = true;
    setTimeout(this.#release, Math.max(1, next.dueMs - nowMs)).unref();
  }

  readonly #release = (): void => {
    const nowMs = performance.now();
    for (let left = perTurn; left > 0; left--) {
      const next = this.#held[this.#head];
      if (next === undefined || next.dueMs > nowMs) break;
      this.#head++;
      next.resolve();
    }
    if (this.#head === this.#held.length || this.#head > this.#heldMax) {
      this.#held.splice(0, this.#head);
      this.#head = 0;
    }
    const next = this.#held[this.#head];
    if (next !== undefined && next.dueMs <= nowMs) {
      setImmediate(this.#release);
      return;
    }
    this.#isArmed = false;
    this.#arm(nowMs);
  };
}
