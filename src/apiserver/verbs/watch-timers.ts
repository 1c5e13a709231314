import type { Clock, TimerHandle } from '#apimachinery/clock.ts';

/** What the wheel drives. */
export interface TimedWatch {
  /** Milliseconds of `clock.monotonic()` at which the watch is over (W4). */
  readonly endsAtMs: number;
  /** Called about once a minute (W5). */
  bookmark(): void;
  /** Called once, when the time is over. */
  timeout(): void;
}

const tickMs = 1_000;
/** Turns of the wheel are longer than the longest wait for the next visit. */
const slots = 64;
export const bookmarkEveryMs = 60_000;
/** How long before its end a watch gets a last bookmark. */
const lastBookmarkMs = 2_000;

/**
 * One timer for all watches of the process: a wheel of one-second slots. Each watch is visited when its next bookmark is
 * due and, near its end, for the last bookmark and the end itself. Ten thousand watches cost one timer, not twenty
 * thousand. Runs while there is a watch; never holds the process.
 */
export class WatchTimers {
  readonly #clock: Clock;
  readonly #wheel: Set<Visit>[] = Array.from({ length: slots }, () => new Set<Visit>());
  #size = 0;
  #tick = 0;
  #timer: TimerHandle | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Watches under way. */
  get size(): number {
    return this.#size;
  }

  /** Takes a watch in; the returned function takes it out again and is idempotent. */
  add(watch: TimedWatch): () => void {
    const visit: Visit = { watch, slot: 0, lastGiven: false };
    this.#schedule(visit);
    this.#size++;
    this.#arm();
    let isIn = true;
    return () => {
      if (!isIn) return;
      isIn = false;
      this.#wheel[visit.slot]!.delete(visit);
      this.#size--;
      if (this.#size > 0) return;
      this.#timer?.cancel();
      this.#timer = undefined;
    };
  }

  #arm(): void {
    if (this.#timer !== undefined) return;
    this.#timer = this.#clock
      .setTimeout(() => {
        this.#timer = undefined;
        if (this.#size === 0) return;
        this.#arm();
        this.#turn();
      }, tickMs)
      .unref();
  }

  #turn(): void {
    this.#tick = (this.#tick + 1) % slots;
    const slot = this.#wheel[this.#tick]!;
    if (slot.size === 0) return;
    const nowMs = this.#clock.monotonic();
    for (const visit of [...slot]) {
      if (!slot.delete(visit)) continue;
      const leftMs = visit.watch.endsAtMs - nowMs;
      if (leftMs <= 0) {
        // The watch takes itself out; its slot is only to be a valid one until then.
        visit.watch.timeout();
        continue;
      }
      if (leftMs <= lastBookmarkMs) visit.lastGiven = true;
      this.#schedule(visit);
      visit.watch.bookmark();
    }
  }

  #schedule(visit: Visit): void {
    const leftMs = visit.watch.endsAtMs - this.#clock.monotonic();
    const untilLastMs = leftMs - lastBookmarkMs;
    const untilEndMs = visit.lastGiven || untilLastMs <= tickMs ? leftMs : untilLastMs;
    const ticks = Math.max(1, Math.ceil(Math.min(bookmarkEveryMs, untilEndMs) / tickMs));
    visit.slot = (this.#tick + ticks) % slots;
    this.#wheel[visit.slot]!.add(visit);
  }
}

interface Visit {
  readonly watch: TimedWatch;
  slot: number;
  /** The bookmark before the end was given: the next visit is the end. */
  lastGiven: boolean;
}
