import type { Clock, TimerHandle } from '../clock.ts';

interface Pending {
  readonly dueMs: number;
  readonly order: number;
  readonly callback: () => void;
}

/** A clock that stands until a test turns it. Timers fire in order of their due times, those of one time in order of setting. */
export class ManualClock implements Clock {
  #nowMs: number;
  #order = 0;
  readonly #pending = new Set<Pending>();

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  monotonic(): number {
    return this.#nowMs;
  }

  /** How many timers wait. */
  get pendingCount(): number {
    return this.#pending.size;
  }

  setTimeout(callback: () => void, delayMs: number): TimerHandle {
    const pending: Pending = { dueMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, callback };
    this.#pending.add(pending);
    const handle: TimerHandle = {
      cancel: () => {
        this.#pending.delete(pending);
      },
      unref: () => handle,
    };
    return handle;
  }

  /** Moves time forward, firing what falls due on the way, timers set by timers included. */
  advance(ms: number): void {
    const targetMs = this.#nowMs + ms;
    for (;;) {
      let next: Pending | undefined;
      for (const pending of this.#pending) {
        if (pending.dueMs > targetMs) continue;
        if (
          next === undefined ||
          pending.dueMs < next.dueMs ||
          (pending.dueMs === next.dueMs && pending.order < next.order)
        ) {
          next = pending;
        }
      }
      if (next === undefined) break;
      this.#pending.delete(next);
      this.#nowMs = next.dueMs;
      next.callback();
    }
    this.#nowMs = targetMs;
  }

  /** Like `advance`, letting promises settle between the timers: for code that awaits its sleeps. */
  async advanceAsync(ms: number, stepMs = ms): Promise<void> {
    const targetMs = this.#nowMs + ms;
    while (this.#nowMs < targetMs) {
      this.advance(Math.min(stepMs, targetMs - this.#nowMs));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
