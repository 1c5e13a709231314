import type { Clock } from '#apimachinery/clock.ts';
import { Delays } from './delays.ts';
import { Failures } from './failures.ts';
import type { Priority } from './key-queue.ts';

export interface TimedQueueOptions {
  readonly clock: Clock;
  readonly backoffMinMs?: number | undefined;
  readonly backoffMaxMs?: number | undefined;
}

/** What all KeyQueues know in their own process: which keys are due later, and how often they failed. */
export abstract class TimedQueue {
  protected readonly delays: Delays;
  readonly #failures: Failures;

  constructor({ clock, backoffMinMs = 10, backoffMaxMs = 30_000 }: TimedQueueOptions) {
    this.#failures = new Failures(backoffMinMs, backoffMaxMs);
    this.delays = new Delays(clock, (key) => this.add(key));
  }

  abstract add(key: string, priority?: Priority): void;

  /** Whether the queue takes this key at all. */
  protected abstract takesIn(key: string): boolean;

  addAfter(key: string, delayMs: number): void {
    if (!this.takesIn(key)) return;
    if (delayMs <= 0) this.add(key);
    else this.delays.add(key, delayMs);
  }

  addRateLimited(key: string, atLeastMs = 0): number {
    const delayMs = this.#failures.next(key, atLeastMs);
    this.addAfter(key, delayMs);
    return delayMs;
  }

  failuresOf(key: string): number {
    return this.#failures.of(key);
  }

  forget(key: string): void {
    this.#failures.forget(key);
  }
}
