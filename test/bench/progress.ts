import { setTimeout } from 'node:timers/promises';

export interface ProgressOptions {
  /** How long nothing may come: then it does not come any more, however busy the machine. */
  readonly stallMs?: number;
  /** All of it, progress or not. */
  readonly limitMs?: number;
  readonly everyMs?: number;
}

const tellEveryMs = 5_000;

/**
 * Waits until `count` is at least `target`, and tells on standard error every five seconds how far it is. A benchmark on a busy
 * machine takes longer and ends all the same: throws only when nothing has come for `stallMs` (default 120 s), or when the
 * whole takes longer than `limitMs` (default 30 min).
 */
export async function reached(
  what: string,
  count: () => number | Promise<number>,
  target: number,
  { stallMs = 120_000, limitMs = 1_800_000, everyMs = 50 }: ProgressOptions = {},
): Promise<void> {
  const startedMs = performance.now();
  let best = Number.NEGATIVE_INFINITY;
  let bestMs = startedMs;
  let toldMs = startedMs;
  for (;;) {
    const now = await count();
    if (now >= target) return;
    const nowMs = performance.now();
    if (now > best) {
      best = now;
      bestMs = nowMs;
    }
    const far = `${what}: ${now} of ${target}`;
    if (nowMs - bestMs > stallMs) throw new Error(`${far}, and no more for ${stallMs / 1_000} s`);
    if (nowMs - startedMs > limitMs) throw new Error(`${far} after ${limitMs / 1_000} s`);
    if (nowMs - toldMs >= tellEveryMs) {
      toldMs = nowMs;
      told(far);
    }
    await setTimeout(everyMs);
  }
}

/** A line of progress: what is measured goes to standard output, this does not. */
export function told(line: string): void {
  process.stderr.write(`  … ${line}\n`);
}
