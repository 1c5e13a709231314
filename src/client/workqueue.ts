import type { Clock, TimerHandle } from '#apimachinery/clock.ts';
import { DueHeap } from './due-heap.ts';

export interface WorkQueueOptions {
  readonly clock: Clock;
  readonly backoffMinMs?: number | undefined;
  readonly backoffMaxMs?: number | undefined;
}

/**
 * A queue of keys for level-triggered work: a key stands in it once however often it is added, is never worked on twice
 * at once, and is done again when it was added while being worked on. Bounded by the number of distinct keys, so it
 * holds keys and never objects. Delayed keys share one timer.
 */
export class WorkQueue {
  readonly #clock: Clock;
  readonly #backoffMinMs: number;
  readonly #backoffMaxMs: number;
  /** In the order of work, from #head on; membership stands in #ready. */
  #order: string[] = [];
  #head = 0;
  readonly #ready = new Set<string>();
  readonly #active = new Set<string>();
  readonly #again = new Set<string>();
  readonly #failures = new Map<string, number>();
  readonly #delayed = new Map<string, number>();
  readonly #due = new DueHeap();
  readonly #waiting: Array<(key: string | undefined) => void> = [];
  #timer: TimerHandle | undefined;
  #timerDueMs = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(options: WorkQueueOptions) {
    this.#clock = options.clock;
    this.#backoffMinMs = options.backoffMinMs ?? 10;
    this.#backoffMaxMs = options.backoffMaxMs ?? 30_000;
  }

  /** Keys ready, delayed or being worked on. */
  get size(): number {
    return this.#ready.size + this.#active.size + this.#delayed.size;
  }

  get idle(): boolean {
    return this.#ready.size === 0 && this.#active.size === 0;
  }

  add(key: string): void {
    if (this.#closed) return;
    this.#delayed.delete(key);
    if (this.#active.has(key)) {
      this.#again.add(key);
      return;
    }
    if (this.#ready.has(key)) return;
    const taker = this.#waiting.shift();
    if (taker === undefined) {
      this.#ready.add(key);
      this.#order.push(key);
    } else {
      this.#active.add(key);
      taker(key);
    }
  }

  /** Adds the key after a while; an earlier due time for the same key wins. */
  addAfter(key: string, delayMs: number): void {
    if (this.#closed) return;
    if (delayMs <= 0) {
      this.add(key);
      return;
    }
    const due = this.#clock.now() + delayMs;
    const present = this.#delayed.get(key);
    if (present !== undefined && present <= due) return;
    this.#delayed.set(key, due);
    this.#due.push(due, key);
    this.#arm(due);
  }

  /** Adds the key after its backoff, which doubles with each call until `forget`, or `atLeastMs`. Returns the wait. */
  addRateLimited(key: string, atLeastMs = 0): number {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    const ceilingMs = Math.min(this.#backoffMaxMs, this.#backoffMinMs * 2 ** Math.min(failures, 30));
    const delayMs = Math.max(atLeastMs, ceilingMs * (0.75 + Math.random() / 4));
    this.addAfter(key, delayMs);
    return delayMs;
  }

  failuresOf(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** The next key, to be given back by `done`; undefined when the queue is closed. */
  take(): Promise<string | undefined> {
    if (this.#closed) return Promise.resolve(undefined);
    const key = this.#shift();
    if (key !== undefined) {
      this.#active.add(key);
      return Promise.resolve(key);
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  done(key: string): void {
    this.#active.delete(key);
    if (this.#again.delete(key)) this.add(key);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.cancel();
    this.#ready.clear();
    this.#order = [];
    this.#head = 0;
    this.#delayed.clear();
    this.#due.clear();
    for (const resolve of this.#waiting.splice(0)) resolve(undefined);
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
      // An entry whose due time is not the recorded one was overtaken by an earlier call or by add().
      if (entry !== undefined && this.#delayed.get(entry.key) === entry.due) this.add(entry.key);
    }
    if (this.#due.nextDue < Number.POSITIVE_INFINITY) this.#arm(this.#due.nextDue);
  }

  #shift(): string | undefined {
    if (this.#head >= this.#order.length) return undefined;
    const key = this.#order[this.#head++] as string;
    if (this.#head > 1_024 && this.#head * 2 > this.#order.length) {
      this.#order = this.#order.slice(this.#head);
      this.#head = 0;
    }
    this.#ready.delete(key);
    return key;
  }
}
