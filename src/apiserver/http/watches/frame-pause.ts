import type { Clock } from '#apimachinery/clock.ts';

/** Milliseconds that an event loop has worked and waited since it began. */
export interface LoopTimes {
  readonly active: number;
  readonly idle: number;
}

const pauseMinMs = 5;
const pauseMaxMs = 20;
/** Up to the first share of working time the pause is the shortest, from the second on the longest. */
const calmShare = 0.4;
const busyShare = 0.8;
/** The share is that of at least so long. */
const lookMs = 100;

/**
 * How long the frames of a dense stream wait for one another: the longer, the less idle this process's event loop is. What is
 * saved goes into what they would wait for otherwise.
 */
export class FramePause {
  readonly #clock: Clock;
  readonly #timesOf: () => LoopTimes;
  #looked: LoopTimes;
  #lookedAtMs: number;
  #ms = pauseMinMs;

  constructor(clock: Clock, timesOf: () => LoopTimes = () => performance.eventLoopUtilization()) {
    this.#clock = clock;
    this.#timesOf = timesOf;
    this.#looked = timesOf();
    this.#lookedAtMs = clock.monotonic();
  }

  get ms(): number {
    const nowMs = this.#clock.monotonic();
    if (nowMs - this.#lookedAtMs >= lookMs) this.#look(nowMs);
    return this.#ms;
  }

  #look(nowMs: number): void {
    const times = this.#timesOf();
    const activeMs = times.active - this.#looked.active;
    const idleMs = times.idle - this.#looked.idle;
    this.#looked = times;
    this.#lookedAtMs = nowMs;
    const share = activeMs / Math.max(1, activeMs + idleMs);
    const excess = Math.min(1, Math.max(0, (share - calmShare) / (busyShare - calmShare)));
    this.#ms = Math.round(pauseMinMs + excess * (pauseMaxMs - pauseMinMs));
  }
}
