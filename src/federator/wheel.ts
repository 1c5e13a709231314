import type { Clock, TimerHandle } from '#apimachinery/clock.ts';
import { DueHeap } from '#client/due-heap.ts';

interface Due {
  readonly atMs: number;
  readonly callback: () => void;
}

/** One timer for all that is due some time, over all cells. Callbacks must return at once and not throw. */
export class Wheel {
  readonly #clock: Clock;
  readonly #due = new Map<string, Due>();
  readonly #heap = new DueHeap();
  #timer: TimerHandle | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls back once after `delayMs`; what was scheduled under the same key before is forgotten. */
  schedule(key: string, delayMs: number, callback: () => void): void {
    const atMs = this.#clock.monotonic() + Math.max(0, delayMs);
    this.#due.set(key, { atMs, callback });
    this.#heap.push(atMs, key);
    this.#arm(atMs);
  }

  cancel(key: string): void {
    this.#due.delete(key);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    this.#due.clear();
    this.#heap.clear();
  }

  #arm(atMs: number): void {
    if (atMs >= this.#timerAtMs) return;
    this.#timer?.cancel();
    this.#timerAtMs = atMs;
    this.#timer = this.#clock.setTimeout(() => this.#turn(), Math.max(1, atMs - this.#clock.monotonic()));
  }

  #turn(): void {
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#clock.monotonic();
    while (this.#heap.nextDue <= nowMs) {
      const entry = this.#heap.pop();
      if (entry === undefined) break;
      const due = this.#due.get(entry.key);
      // Moved or cancelled since: another entry of the heap stands for it, or none.
      if (due === undefined || due.atMs !== entry.due) continue;
      this.#due.delete(entry.key);
      due.callback();
    }
    if (this.#heap.nextDue < Number.POSITIVE_INFINITY) this.#arm(this.#heap.nextDue);
  }
}
