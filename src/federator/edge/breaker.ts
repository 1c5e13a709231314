import type { Clock } from '#apimachinery/clock.ts';

export interface BreakerOptions {
  readonly clock: Clock;
  /** Consecutive failures to reach the server that open it. */
  readonly failureThreshold: number;
  readonly openMinMs: number;
  readonly openMaxMs: number;
}

/**
 * Stands before every call to one edge API server. Closed: calls pass. Open: calls are refused without being tried, so
 * that a cell that hangs costs nothing but its own waiting. Half open: one call at a time is tried. Only failures to
 * reach the server count; a server that answers, even with an error, is reached.
 */
export class Breaker {
  readonly #options: BreakerOptions;
  #failures = 0;
  #openUntilMs = 0;
  #openMs: number;
  #probing = false;

  constructor(options: BreakerOptions) {
    this.#options = options;
    this.#openMs = options.openMinMs;
  }

  get state(): 'closed' | 'open' | 'half-open' {
    if (this.#failures < this.#options.failureThreshold) return 'closed';
    return this.#options.clock.now() < this.#openUntilMs ? 'open' : 'half-open';
  }

  /** How long until a call may be tried; 0 when one may be tried now. */
  waitMs(): number {
    if (this.state === 'closed') return 0;
    const left = this.#openUntilMs - this.#options.clock.now();
    if (left > 0) return left;
    return this.#probing ? this.#options.openMinMs : 0;
  }

  /** To be called before a call that `waitMs() === 0` permits. */
  begin(): void {
    if (this.state === 'half-open') this.#probing = true;
  }

  reached(): void {
    this.#failures = 0;
    this.#probing = false;
    this.#openMs = this.#options.openMinMs;
  }

  unreached(): void {
    this.#probing = false;
    this.#failures++;
    if (this.#failures < this.#options.failureThreshold) return;
    this.#openUntilMs = this.#options.clock.now() + this.#openMs;
    this.#openMs = Math.min(this.#openMs * 2, this.#options.openMaxMs);
  }
}
