import { setMaxListeners } from 'node:events';
import { isApiError } from '#apimachinery/api-error.ts';
import type { Logger } from './logger.ts';
import type { KeyQueue } from './queue/key-queue.ts';
import { StillWaiting } from './still-waiting.ts';

/** What a reconciler asks for after a key is done: nothing, or to see it again after a while. */
export type ReconcileResult = undefined | { readonly requeueAfterMs: number };

export interface ReconcileLoopOptions {
  readonly name: string;
  readonly queue: KeyQueue;
  /** Reads the state that the key stands for and brings the world closer to it. Throwing means: again, after backoff. */
  readonly reconcile: (key: string, signal: AbortSignal) => Promise<ReconcileResult>;
  readonly concurrency: number;
  readonly logger: Logger;
}

/** Calls that the work on one key makes at once; more make Node warn of a leak. */
const callsOfOneKeyMax = 64;
/** A server that asks for a longer pause is asked earlier. */
const retryAfterMaxMs = 60_000;
/** So many times in a row without success are told: most of what fails or waits is over before. */
const failuresTold = 5;

/**
 * Works on a queue's keys until stopped. Level-triggered: what was missed is found at the next look. A failing key is
 * logged at debug first and at warn from its fifth failure on, one that waits once, at info, and neither ever stops the others.
 */
export class ReconcileLoop {
  readonly #options: ReconcileLoopOptions;
  /** One a worker, so that what one key's work hangs on a signal is that key's alone. */
  readonly #stopping: AbortController[] = [];
  #workers: Promise<void>[] = [];

  constructor(options: ReconcileLoopOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#workers.length > 0) return;
    this.#workers = Array.from({ length: this.#options.concurrency }, () => {
      const stopping = new AbortController();
      setMaxListeners(callsOfOneKeyMax, stopping.signal);
      this.#stopping.push(stopping);
      return this.#work(stopping.signal);
    });
  }

  /** Idempotent; closes the queue and waits for what is under way. */
  async stop(): Promise<void> {
    for (const stopping of this.#stopping) stopping.abort();
    this.#options.queue.close();
    await Promise.all(this.#workers);
  }

  async #work(signal: AbortSignal): Promise<void> {
    const { queue, reconcile, logger, name } = this.#options;
    for (;;) {
      const key = await queue.take();
      if (key === undefined) return;
      try {
        const result = await reconcile(key, signal);
        queue.forget(key);
        if (result !== undefined) queue.addAfter(key, result.requeueAfterMs);
      } catch (error) {
        if (signal.aborted) return;
        const waitMs = queue.addRateLimited(key, retryAfterMsOf(error));
        const failures = queue.failuresOf(key);
        if (error instanceof StillWaiting) {
          if (failures === failuresTold) logger.info({ loop: name, key, why: error.message }, 'waiting');
        } else {
          const level = failures >= failuresTold ? 'warn' : 'debug';
          logger[level]({ err: error, loop: name, key, waitMs }, 'reconcile failed');
        }
      } finally {
        queue.done(key);
      }
    }
  }
}

/** When a server that throttles asked to come again. */
function retryAfterMsOf(error: unknown): number {
  const seconds = isApiError(error, 'TooManyRequests') ? (error.details?.retryAfterSeconds ?? 0) : 0;
  return Math.min(seconds * 1_000, retryAfterMaxMs);
}
