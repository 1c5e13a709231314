import { StorageError } from '../errors.ts';
import type { Revision } from '../storage.ts';

interface Waiter {
  readonly revision: Revision;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** Those who wait until the cache has reached a revision. */
export class RevisionWaiters {
  readonly #waiters = new Set<Waiter>();

  /** Rejects with `timeout` after waitMs. */
  wait(revision: Revision, waitMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter);
        reject(
          new StorageError('timeout', 'the cache did not reach the revision in time', { revision, waitMs }),
        );
      }, waitMs);
      const waiter: Waiter = { revision, resolve, reject, timer };
      this.#waiters.add(waiter);
    });
  }

  reached(revision: Revision): void {
    if (this.#waiters.size === 0) return;
    for (const waiter of this.#waiters) {
      if (waiter.revision > revision) continue;
      this.#settle(waiter);
      waiter.resolve();
    }
  }

  rejectAll(error: Error): void {
    for (const waiter of this.#waiters) {
      this.#settle(waiter);
      waiter.reject(error);
    }
  }

  #settle(waiter: Waiter): void {
    clearTimeout(waiter.timer);
    this.#waiters.delete(waiter);
  }
}

/**
 * Consistent reads on a store that others write too: one quorum read at a time serves all who asked before it began;
 * who asks while one is under way waits for the next, since that one may have been answered before the asking.
 */
export class QuorumReads {
  readonly #read: () => Promise<void>;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(read: () => Promise<void>) {
    this.#read = read;
  }

  fresh(): Promise<void> {
    if (this.#running === undefined) return this.#start();
    const running = this.#running;
    this.#next ??= running.then(
      () => this.#startNext(),
      () => this.#startNext(),
    );
    return this.#next;
  }

  #startNext(): Promise<void> {
    this.#next = undefined;
    return this.#start();
  }

  #start(): Promise<void> {
    const read = this.#read().finally(() => {
      if (this.#running === read) this.#running = undefined;
    });
    this.#running = read;
    return read;
  }
}
