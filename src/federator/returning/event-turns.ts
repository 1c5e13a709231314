import type { Clock } from '#apimachinery/clock.ts';
import type { TokenBucket } from '../edge/token-bucket.ts';

export interface EventTurnsOptions {
  readonly clock: Clock;
  /** Of all Events of the cell. */
  readonly pace: TokenBucket;
  /** One that is said again and again is told upward once in this time. */
  readonly repeatMs: number;
}

/** When each Event's turn to go upward comes. What it says then is what goes. */
export class EventTurns {
  readonly #options: EventTurnsOptions;
  /** By key, by the monotonic clock. */
  readonly #turnsAtMs = new Map<string, number>();
  readonly #toldAtMs = new Map<string, number>();

  constructor(options: EventTurnsOptions) {
    this.#options = options;
  }

  /** Milliseconds until the key's turn, which is taken with the first question; 0: now, and until `told` says that it was used. */
  waitMs(key: string): number {
    const { clock, pace, repeatMs } = this.#options;
    const nowMs = clock.monotonic();
    const toldAtMs = this.#toldAtMs.get(key);
    if (toldAtMs !== undefined && nowMs < toldAtMs + repeatMs) return toldAtMs + repeatMs - nowMs;
    let turnAtMs = this.#turnsAtMs.get(key);
    if (turnAtMs === undefined) {
      turnAtMs = nowMs + pace.spend(1);
      this.#turnsAtMs.set(key, turnAtMs);
    }
    return Math.max(0, turnAtMs - nowMs);
  }

  /** What the key says was written upward, or found to be none that can be: its next turn comes with what it says next. */
  told(key: string): void {
    this.#turnsAtMs.delete(key);
    this.#toldAtMs.set(key, this.#options.clock.monotonic());
  }

  forget(key: string): void {
    this.#turnsAtMs.delete(key);
    this.#toldAtMs.delete(key);
  }
}
