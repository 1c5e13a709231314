import { StorageError } from '../errors.ts';
import type { Revision } from '../storage.ts';
import { Deque, firstAfter } from './deque.ts';

/** Reads under way at once, when a store's answers take longer than the turns of the event loop. */
const quorumReadsMax = 16;

interface Waiter {
  readonly revision: Revision;
  readonly waitMs: number;
  readonly deadlineMs: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Those who wait until the cache has reached a revision. */
export class RevisionWaiters {
  /** By rising revision: what is reached is at the front. */
  readonly #waiters = new Deque<Waiter>();
  /** One timer for all, set for a moment at which somebody may have waited long enough. */
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;

  /** Rejects with `timeout` after waitMs. */
  wait(revision: Revision, waitMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const deadlineMs = performance.now() + waitMs;
      const waiter: Waiter = { revision, waitMs, deadlineMs, resolve, reject };
      this.#waiters.insert(firstAfter(this.#waiters, revision), waiter);
      if (deadlineMs < this.#timerAtMs) this.#setTimer(deadlineMs);
    });
  }

  reached(revision: Revision): void {
    while (this.#waiters.length > 0 && this.#waiters.at(0).revision <= revision) {
      this.#waiters.shift()?.resolve();
    }
    this.#stopIfIdle();
  }

  rejectAll(error: Error): void {
    for (let waiter = this.#waiters.shift(); waiter !== undefined; waiter = this.#waiters.shift()) {
      waiter.reject(error);
    }
    this.#stopIfIdle();
  }

  #sweep(): void {
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    const nowMs = performance.now();
    const waiting: Waiter[] = [];
    let nextMs = Number.POSITIVE_INFINITY;
    for (let waiter = this.#waiters.shift(); waiter !== undefined; waiter = this.#waiters.shift()) {
      const { revision, waitMs, deadlineMs } = waiter;
      if (deadlineMs > nowMs) {
        waiting.push(waiter);
        nextMs = Math.min(nextMs, deadlineMs);
        continue;
      }
      waiter.reject(
        new StorageError('timeout', 'the cache did not reach the revision in time', { revision, waitMs }),
      );
    }
    for (const waiter of waiting) this.#waiters.push(waiter);
    if (waiting.length > 0) this.#setTimer(nextMs);
  }

  #setTimer(atMs: number): void {
    clearTimeout(this.#timer);
    this.#timerAtMs = atMs;
    this.#timer = setTimeout(() => this.#sweep(), Math.max(1, atMs - performance.now()));
  }

  #stopIfIdle(): void {
    if (this.#waiters.length > 0) return;
    clearTimeout(this.#timer);
    this.#timerAtMs = Number.POSITIVE_INFINITY;
  }
}

/**
 * Consistent reads on a store that others write too: one quorum read serves all who asked in the same turn of the event
 * loop, and begins at its end; who asks later gets one of its own, since that under way may have been answered before
 * the asking. So nobody waits longer than one read takes, and the busier the process the fewer reads an answer costs. At
 * `readsMax` under way, the next waits for one of them.
 */
export class QuorumReads {
  readonly #read: () => Promise<void>;
  readonly #readsMax: number;
  /** The read that has yet to begin. */
  #next: Promise<void> | undefined;
  #running = 0;
  /** Wakes the next read when one has ended. */
  #onEnded: (() => void) | undefined;

  constructor(read: () => Promise<void>, readsMax = quorumReadsMax) {
    this.#read = read;
    this.#readsMax = readsMax;
  }

  fresh(): Promise<void> {
    this.#next ??= this.#start();
    return this.#next;
  }

  async #start(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#running >= this.#readsMax) {
      await new Promise<void>((resolve) => {
        this.#onEnded = resolve;
      });
    }
    this.#next = undefined;
    this.#running++;
    try {
      await this.#read();
    } finally {
      this.#running--;
      this.#onEnded?.();
      this.#onEnded = undefined;
    }
  }
}
