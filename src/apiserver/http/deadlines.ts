/** What waits until some time: it bears its place, so that it is found without being looked for. */
export interface Awaited {
  /** Its place in `Deadlines`; -1: it is in none. */
  deadlineAt: number;
  /** By the clock of `performance.now()`. */
  dueMs: number;
}

/** A timer may fire a little before its time by another clock. */
const toleranceMs = 5;

/**
 * Calls `due` for each that is still there when its time has come: once, then it is there no more. One timer for all,
 * set to the earliest time: hardly any request reaches its own, and a timer that each sets and clears costs more than the
 * place in an array. An array and no `Set`: see `Receiving`.
 */
export class Deadlines<One extends Awaited> {
  readonly #due: (one: One) => void;
  readonly #now: () => number;
  readonly #waiting: One[] = [];
  #timer: NodeJS.Timeout | undefined;
  #wakeMs = Number.POSITIVE_INFINITY;

  constructor(due: (one: One) => void, now: () => number = () => performance.now()) {
    this.#due = due;
    this.#now = now;
  }

  /** One that is there already gets a new time. */
  add(one: One, dueMs: number): void {
    one.dueMs = dueMs;
    if (one.deadlineAt < 0) {
      one.deadlineAt = this.#waiting.length;
      this.#waiting.push(one);
    }
    if (dueMs < this.#wakeMs) this.#wakeAt(dueMs);
  }

  /** Does nothing for one that is not there. The timer is left as it is: the next is due soon after. */
  delete(one: One): void {
    const at = one.deadlineAt;
    if (at < 0) return;
    one.deadlineAt = -1;
    const last = this.#waiting.pop();
    if (last === undefined || last === one) return;
    this.#waiting[at] = last;
    last.deadlineAt = at;
  }

  #wakeAt(wakeMs: number): void {
    clearTimeout(this.#timer);
    this.#wakeMs = wakeMs;
    // Those who wait have connections, which hold the process.
    this.#timer = setTimeout(() => this.wake(), Math.max(0, wakeMs - this.#now())).unref();
  }

  /** Tells those whose time has come, and sets the timer for the next. */
  wake(): void {
    this.#wakeMs = Number.POSITIVE_INFINITY;
    clearTimeout(this.#timer);
    const nowMs = this.#now() + toleranceMs;
    let nextMs = Number.POSITIVE_INFINITY;
    const come: One[] = [];
    for (const one of this.#waiting) {
      if (one.dueMs <= nowMs) come.push(one);
      else if (one.dueMs < nextMs) nextMs = one.dueMs;
    }
    for (const one of come) this.delete(one);
    if (nextMs < this.#wakeMs) this.#wakeAt(nextMs);
    for (const one of come) this.#due(one);
  }
}
