import type { Clock } from '#apimachinery/clock.ts';

/**
 * Paces one cell: what it spends beyond `burst` it has to wait for, at `perSecond`. It may go into debt, so that a single
 * spending of any size is possible, and paid for before the next.
 */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #atMs: number;

  constructor(options: { readonly clock: Clock; readonly perSecond: number; readonly burst: number }) {
    this.#clock = options.clock;
    this.#perSecond = options.perSecond;
    this.#burst = options.burst;
    this.#tokens = options.burst;
    this.#atMs = options.clock.monotonic();
  }

  /** Spends, and returns for how many milliseconds the spender has to wait now; 0: not at all. */
  spend(tokens: number): number {
    this.#fill();
    this.#tokens -= tokens;
    return this.waitMs;
  }

  /** Nothing is left of what was saved up. */
  exhaust(): void {
    this.#fill();
    this.#tokens = Math.min(this.#tokens, 0);
  }

  /** How long until the debt is paid. */
  get waitMs(): number {
    this.#fill();
    return this.#tokens >= 0 ? 0 : (-this.#tokens / this.#perSecond) * 1_000;
  }

  #fill(): void {
    const nowMs = this.#clock.monotonic();
    this.#tokens = Math.min(this.#burst, this.#tokens + ((nowMs - this.#atMs) * this.#perSecond) / 1_000);
    this.#atMs = nowMs;
  }
}
