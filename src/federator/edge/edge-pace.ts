import { type Clock, sleep } from '#apimachinery/clock.ts';
import { TokenBucket } from './token-bucket.ts';

/** What reading an answer or an event costs beside its bytes. */
const perReadBytes = 4 * 1024;
/** An answer is decoded in one stretch, which all cells wait for: what is longer than this counts for more. */
const longBytes = 1024 * 1024;
const longWeight = 8;

/**
 * How much of one edge's answers and events is read: a burst, then a steady rate. What is beyond it waits in the
 * connection, so that an edge that floods, or answers with much, slows itself down and no other.
 */
export class EdgePace {
  readonly #clock: Clock;
  readonly #bucket: TokenBucket;
  #throttledMs = 0;
  #throttledAtMs = Number.NEGATIVE_INFINITY;
  #bytes = 0;

  constructor(options: {
    readonly clock: Clock;
    readonly bytesPerSecond: number;
    readonly burstBytes: number;
  }) {
    this.#clock = options.clock;
    this.#bucket = new TokenBucket({
      clock: options.clock,
      perSecond: options.bytesPerSecond,
      burst: options.burstBytes,
    });
  }

  /** `ConnectionLimits.pace`. The call's signal is made only where it is waited for: most answers do not wait. */
  read(bytes: number, call: { readonly signal: AbortSignal }): Promise<void> | undefined {
    this.#bytes += bytes;
    const long = Math.max(0, bytes - longBytes) * (longWeight - 1);
    const waitMs = this.#bucket.spend(bytes + perReadBytes + long);
    if (waitMs === 0) return undefined;
    this.#throttledAtMs = this.#clock.monotonic();
    this.#throttledMs += waitMs;
    return sleep(this.#clock, waitMs, call.signal).catch(() => {}); // the call itself says that it was ended
  }

  /** Bytes read since the cell was taken up. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Milliseconds that calls and events have waited, summed over all of them. */
  get throttledMs(): number {
    return this.#throttledMs;
  }

  /** Something had to wait within the last `withinMs`. */
  wasThrottled(withinMs: number): boolean {
    return this.#clock.monotonic() - this.#throttledAtMs <= withinMs;
  }
}
