import { type Clock, sleep } from '#apimachinery/clock.ts';
import type { Logger } from '#client/logger.ts';
import type { Wheel } from '../wheel.ts';
import type { CellLimits } from './cell-limits.ts';
import type { Edge } from './edge.ts';

export interface SweepScheduleOptions {
  /** Path of the cell's workspace. */
  readonly workspace: string;
  /** Undefined while there is none to be swept. */
  readonly edge: () => Edge | undefined;
  /** Nothing else waits to be done for the cell. */
  readonly idle: () => boolean;
  readonly wheel: Wheel;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: CellLimits;
}

const lookMs = 100;
/** A cell that never rests is swept all the same: one request in so long. */
const quietMaxMs = 5_000;
const retryMs = 60_000;

/** When one cell's edge is swept for what has no copy: some time after each connecting, then every few hours. */
export class SweepSchedule {
  readonly #options: SweepScheduleOptions;
  readonly #wheelKey: string;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: SweepScheduleOptions) {
    this.#options = options;
    this.#wheelKey = `sweep/${options.workspace}`;
  }

  /** Another connection to the edge is in use, or the cell may be written to again: what was found before is void. */
  restart(): void {
    this.#schedule(this.#options.limits.sweepDelayMs);
  }

  /** Idempotent; resolves when nothing of it runs any more. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#options.wheel.cancel(this.#wheelKey);
    await this.#running;
  }

  #schedule(delayMs: number): void {
    if (this.#stopping.signal.aborted) return;
    this.#options.wheel.schedule(this.#wheelKey, delayMs * (0.75 + Math.random() / 2), () => this.#turn());
  }

  #turn(): void {
    if (this.#running !== undefined) return;
    this.#running = this.#sweep().then((nextMs) => {
      this.#running = undefined;
      this.#schedule(nextMs);
    });
  }

  /** Returns after how many milliseconds to sweep again. Never rejects. */
  async #sweep(): Promise<number> {
    const { edge, logger, limits, workspace } = this.#options;
    const swept = edge();
    if (swept === undefined) return limits.sweepDelayMs;
    try {
      await swept.sweep((signal) => this.#quiet(signal), this.#stopping.signal);
      return edge() === swept ? limits.sweepIntervalMs : limits.sweepDelayMs;
    } catch (error) {
      logger.debug({ err: error, path: workspace }, 'the edge was not swept');
      return retryMs;
    }
  }

  async #quiet(signal: AbortSignal): Promise<void> {
    const { clock, idle } = this.#options;
    const untilMs = clock.monotonic() + quietMaxMs;
    while (!idle() && clock.monotonic() < untilMs) await sleep(clock, lookMs, signal);
  }
}
