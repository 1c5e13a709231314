import { Backoff, type BackoffOptions } from './backoff.ts';
import { type Clock, sleep, systemClock } from './clock.ts';

export interface LinkedController {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
  /** Takes the listeners off the parents. To be called when the work is over. */
  dispose(): void;
}

/**
 * A controller that also fires with any of its parents. Unlike AbortSignal.any it can be let go of, so that a
 * long-lived parent does not collect listeners of short-lived children.
 */
export function linkedController(...parents: (AbortSignal | undefined)[]): LinkedController {
  const controller = new AbortController();
  const undo: (() => void)[] = [];
  const dispose = () => {
    for (const one of undo.splice(0)) one();
  };
  for (const parent of parents) {
    if (parent === undefined) continue;
    if (parent.aborted) {
      controller.abort(parent.reason);
      break;
    }
    const onAbort = () => {
      dispose();
      controller.abort(parent.reason);
    };
    parent.addEventListener('abort', onAbort, { once: true });
    undo.push(() => parent.removeEventListener('abort', onAbort));
  }
  return {
    signal: controller.signal,
    abort: (reason) => {
      dispose();
      controller.abort(reason);
    },
    dispose,
  };
}

/** Calls back when the signal fires, at once if it has; the returned function takes the callback off. */
export function onAborted(signal: AbortSignal, callback: () => void): () => void {
  if (signal.aborted) {
    callback();
    return () => {};
  }
  signal.addEventListener('abort', callback, { once: true });
  return () => signal.removeEventListener('abort', callback);
}

/** Resolves when the signal fires. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    onAborted(signal, resolve);
  });
}

export interface RetryLoopOptions {
  readonly signal: AbortSignal;
  readonly clock?: Clock | undefined;
  readonly backoff?: BackoffOptions | undefined;
  /** A run that lasted this long counts as a success: the next failure waits the first delay again. Default 60,000. */
  readonly healthyAfterMs?: number | undefined;
  /** Told of each failure (log it there). */
  readonly onError?: ((error: unknown, retryInMs: number) => void) | undefined;
}

/**
 * Runs `run` over and over until the signal fires: at once again when it returns, after a growing delay when it throws.
 * Resolves when the signal has fired and the run under way has ended; errors after that are part of stopping.
 */
export async function retryLoop(
  run: (signal: AbortSignal) => Promise<void>,
  { signal, clock = systemClock, backoff = {}, healthyAfterMs = 60_000, onError }: RetryLoopOptions,
): Promise<void> {
  const delays = new Backoff(backoff);
  while (!signal.aborted) {
    const startedMs = clock.monotonic();
    try {
      await run(signal);
      delays.reset();
      // A run that returns at once must not starve the event loop.
      await new Promise((resolve) => setImmediate(resolve));
    } catch (error) {
      if (signal.aborted) return;
      if (clock.monotonic() - startedMs >= healthyAfterMs) delays.reset();
      const delayMs = delays.next();
      onError?.(error, delayMs);
      await sleep(clock, delayMs, signal).catch(() => {});
    }
  }
}

/**
 * Tries `run` until it succeeds or `retryable` says no; rethrows the last error then, or the signal's reason.
 * `attemptsMax` counts all tries.
 */
export async function retry<T>(
  run: (signal: AbortSignal | undefined) => Promise<T>,
  options: {
    readonly retryable: (error: unknown) => boolean;
    readonly attemptsMax: number;
    readonly signal?: AbortSignal | undefined;
    readonly clock?: Clock | undefined;
    readonly backoff?: BackoffOptions | undefined;
  },
): Promise<T> {
  const delays = new Backoff(options.backoff);
  for (;;) {
    try {
      return await run(options.signal);
    } catch (error) {
      if (options.signal?.aborted === true) throw options.signal.reason;
      if (delays.failures + 1 >= options.attemptsMax || !options.retryable(error)) throw error;
      await sleep(options.clock ?? systemClock, delays.next(), options.signal);
    }
  }
}
