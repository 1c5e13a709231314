import { setTimeout } from 'node:timers/promises';

/** For a machine that is busy with ten other things: whoever waits ends with the condition, not with this. */
const untilTimeoutMs = 120_000;

/**
 * Waits until the condition holds, looking again every few milliseconds. Throws with what the condition last said (its
 * error, or its description) when it does not come true within the bound.
 */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  options: { readonly timeoutMs?: number; readonly everyMs?: number } = {},
): Promise<NonNullable<T>> {
  const endMs = performance.now() + (options.timeoutMs ?? untilTimeoutMs);
  let last: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value !== undefined && value !== null && value !== false) return value as NonNullable<T>;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() > endMs) {
      const because = last instanceof Error ? `; last error: ${last.message}` : '';
      throw new Error(`did not come true in time: ${what}${because}`, { cause: last });
    }
    await setTimeout(options.everyMs ?? 5);
  }
}
