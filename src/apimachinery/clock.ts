/** A timer that was set. Both calls are idempotent. */
export interface TimerHandle {
  cancel(): void;
  /** Lets the process end although the timer is pending. Returns the handle. */
  unref(): TimerHandle;
}

/** Time as a dependency, so that tests turn it by hand (testing/manual-clock.ts). */
export interface Clock {
  /** Milliseconds since the epoch. May jump; for durations take `monotonic`. */
  now(): number;
  /** Milliseconds from some start, never going back. */
  monotonic(): number;
  /** Calls back once, after at least `delayMs`. Delays beyond 2^31-1 ms are waited for in steps. */
  setTimeout(callback: () => void, delayMs: number): TimerHandle;
}

const nodeDelayMax = 2 ** 31 - 1;

class SystemTimer implements TimerHandle {
  #timer: NodeJS.Timeout;
  #referenced = true;

  constructor(callback: () => void, delayMs: number) {
    this.#timer = this.#arm(callback, delayMs);
  }

  /** Node fires at once for a delay that does not fit 31 bits: long ones are waited for in steps. */
  #arm(callback: () => void, delayMs: number): NodeJS.Timeout {
    if (delayMs <= nodeDelayMax) return setTimeout(callback, Math.max(0, delayMs));
    return setTimeout(() => {
      this.#timer = this.#arm(callback, delayMs - nodeDelayMax);
      if (!this.#referenced) this.#timer.unref();
    }, nodeDelayMax);
  }

  cancel(): void {
    clearTimeout(this.#timer);
  }

  unref(): TimerHandle {
    this.#referenced = false;
    this.#timer.unref();
    return this;
  }
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimeout: (callback, delayMs) => new SystemTimer(callback, delayMs),
};

/** Resolves after `delayMs`; rejects with the signal's reason as soon as it fires. Leaves no timer or listener behind. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason);
      return;
    }
    const onAbort = () => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, delayMs);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
