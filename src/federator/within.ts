import type { Clock } from '#apimachinery/clock.ts';

/** Whether the promise settled within the time; what it settled with is its holder's. Leaves no timer behind. */
export function settledWithin(clock: Clock, promise: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = clock.setTimeout(() => resolve(false), timeoutMs);
    const settled = () => {
      timer.cancel();
      resolve(true);
    };
    promise.then(settled, settled);
  });
}
