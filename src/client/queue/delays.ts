import type { Clock, TimerHandle } from '#apimachinery/clock.ts';
import { DueHeap } from '../due-heap.ts';

/** Keys that are due later, on one shared timer. */
export class Delays {
  readonly #clock: Clock;
  readonly #onDue: (key: string) => void;
  readonly #delayed = new Map<string, number>();
  readonly #due = new DueHeap();
  #timer: TimerHandle | undefined;
  #timerDueMs = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, onDue: (key: string) => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  get size(): number {
    return this.#delayed.size;
  }

  /** An earlier due time for the same key wins. `delayMs` is more than 0. */
  add(key: string, delayMs: number): void {
    const due = this.#clock.now() + delayMs;
    const present = this.#delayed.get(key);
    if (present !== undefined && present <= due) return;
    this.#delayed.set(key, due);
    this.#due.push(due, key);
    this.#arm(due);
  }

  /** The key is no longer due. */
  delete(key: string): void {
    this.#delayed.delete(key);
  }

  keys(): IterableIterator<string> {
    return this.#delayed.keys();
  }

  clear(): void {
    this.#timer?.cancel();
    this.#timerDueMs = Number.POSITIVE_INFINITY;
    this.#delayed.clear();
    this.#due.clear();
  }

  #arm(due: number): void {
    if (due >= this.#timerDueMs) return;
    this.#timer?.cancel();
    this.#timerDueMs = due;
    this.#timer = this.#clock.setTimeout(() => this.#release(), Math.max(1, due - this.#clock.now()));
  }

  #release(): void {
    this.#timerDueMs = Number.POSITIVE_INFINITY;
    const now = this.#clock.now();
    while (this.#due.nextDue <= now) {
      const entry = this.#due.pop();
      // An entry whose due time is not the recorded one was overtaken by an earlier call or by delete().
      if (entry === undefined || this.#delayed.get(entry.key) !== entry.due) continue;
      this.#delayed.delete(entry.key);
      this.#onDue(entry.key);
    }
    if (this.#due.nextDue < Number.POSITIVE_INFINITY) this.#arm(this.#due.nextDue);
  }
}
