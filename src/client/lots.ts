import type { Clock } from '#apimachinery/clock.ts';

/**
 * Times for writes that nobody waits for: one that comes after a rest goes at once, those that come soon after it go together,
 * once in an interval. Under load a write costs both sides several times as much alone as in a large batch.
 *
 *   interval 100; asked at 0, 10, 60, 120, 500: they go at 0, 100, 100, 200, 500
 */
export class Lots {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  /** When the newest lot goes, or went. */
  #lotAtMs = Number.NEGATIVE_INFINITY;
  #turn: Promise<void> | undefined;

  constructor(clock: Clock, intervalMs: number) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
  }

  /** Milliseconds until what is asked for now goes; 0: at once. */
  waitMs(): number {
    const nowMs = this.#clock.monotonic();
    if (nowMs >= this.#lotAtMs + this.#intervalMs) {
      this.#lotAtMs = nowMs;
      return 0;
    }
    if (nowMs >= this.#lotAtMs) this.#lotAtMs += this.#intervalMs;
    // Whole ones, so that a queue finds those of one lot due together.
    return Math.ceil(this.#lotAtMs - nowMs);
  }

  /** Undefined: at once. Else resolves when the lot goes. */
  turn(): Promise<void> | undefined {
    const waitMs = this.waitMs();
    if (waitMs === 0) return undefined;
    this.#turn ??= new Promise((resolve) => {
      this.#clock.setTimeout(() => {
        this.#turn = undefined;
        resolve();
      }, waitMs);
    });
    return this.#turn;
  }
}
