import { type Clock, sleep } from '#apimachinery/clock.ts';
import type { ReadKind } from '#client/remote/connection.ts';
import { TokenBucket } from './token-bucket.ts';

/** What reading an answer costs beside its bytes. */
const perAnswerBytes = 4 * 1024;
/** An answer is decoded in one stretch, which all cells wait for: what is longer than this counts for more. */
const longBytes = 1024 * 1024;
const longWeight = 8;
/** What an event takes of the thread until nothing follows of it any more: an upper estimate, so that no clock is needed. */
const perEventMs = 0.05;
const eventBytesPerMs = 100 * 1024;
/** So much is done of one edge's events at a stretch, and not more than a quarter of the time: the rest is others' turn. */
const turnMs = 2;
const turnsMsPerSecond = 250;
/** Shorter waits are gathered to one. */
const eventWaitMinMs = (turnMs * 1_000) / turnsMsPerSecond;
/** What is larger than may be is read and given up, each time it is asked for; nobody needs it. */
const oversizeWeight = 4;
/** The second in a row counts twice as much, all after it four times. */
const oversizeDoublingsMax = 2;
/** After so long without one the next is a first one again. */
const oversizeForgottenMs = 60_000;
/** One that is cured of it is asked again no later than this and one such answer's wait after. */
const oversizeDebtMaxMs = 5_000;
/** However much has come in answers that were all asked for at once. */
const askingWaitMaxMs = 10_000;

export interface EdgePaceOptions {
  readonly clock: Clock;
  /** Answers. */
  readonly bytesPerSecond: number;
  readonly burstBytes: number;
  /** Milliseconds of the thread for watch events. */
  readonly eventMsPerSecond: number;
  readonly eventBurstMs: number;
}

/**
 * How much of one edge's answers and events is read: a burst, then a steady rate. What is beyond it waits in the
 * connection, so that an edge that floods, or answers with much, slows itself down and no other. Events are counted apart:
 * nobody asked for them, and a flood of them must not hold up what is written to the same edge. Even in their burst they
 * take no more than short turns.
 */
export class EdgePace {
  readonly #clock: Clock;
  readonly #answers: TokenBucket;
  readonly #events: TokenBucket;
  readonly #turns: TokenBucket;
  #throttledMs = 0;
  #throttledAtMs = Number.NEGATIVE_INFINITY;
  #bytes = 0;
  #oversized = 0;
  #oversizedAtMs = Number.NEGATIVE_INFINITY;

  constructor({ clock, bytesPerSecond, burstBytes, eventMsPerSecond, eventBurstMs }: EdgePaceOptions) {
    this.#clock = clock;
    this.#answers = new TokenBucket({ clock, perSecond: bytesPerSecond, burst: burstBytes });
    this.#events = new TokenBucket({ clock, perSecond: eventMsPerSecond, burst: eventBurstMs });
    this.#turns = new TokenBucket({ clock, perSecond: turnsMsPerSecond, burst: turnMs });
  }

  /** `ConnectionLimits.pace`. The call's signal is made only where it is waited for: most answers do not wait. */
  read(bytes: number, call: { readonly signal: AbortSignal }, kind: ReadKind): Promise<void> | undefined {
    this.#bytes += bytes;
    if (kind === 'event') return this.#wait(this.#eventWaitMs(bytes), call);
    if (kind === 'oversize') {
      this.#noteOversize(bytes);
      return undefined;
    }
    return this.#wait(this.#noted(this.#answers.spend(weightOf(bytes))), call);
  }

  /** To be awaited before more is asked of the edge: it still sends, or has sent, more than is read. Undefined: go on. */
  beforeAsking(call: { readonly signal: AbortSignal }): Promise<void> | undefined {
    return this.#wait(this.#noted(Math.min(this.#answers.waitMs, askingWaitMaxMs)), call);
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

  /**
   * It is not decoded: whoever asks next waits for it, and no burst is there for it. What was read of it is garbage outside of
   * the heap, of which some ten mebibytes have V8 collect all of it.
   */
  #noteOversize(bytes: number): void {
    const nowMs = this.#clock.monotonic();
    if (nowMs - this.#oversizedAtMs > oversizeForgottenMs) this.#oversized = 0;
    this.#oversizedAtMs = nowMs;
    if (this.#answers.waitMs < oversizeDebtMaxMs) {
      this.#answers.exhaust();
      this.#answers.spend(oversizeWeight * bytes * 2 ** this.#oversized);
    }
    this.#oversized = Math.min(this.#oversized + 1, oversizeDoublingsMax);
  }

  #eventWaitMs(bytes: number): number {
    const costMs = perEventMs + bytes / eventBytesPerMs;
    const turnWaitMs = this.#turns.spend(costMs);
    const floodWaitMs = this.#events.spend(costMs);
    if (Math.max(turnWaitMs, floodWaitMs) < eventWaitMinMs) return 0;
    // Who only catches up quickly is not told to flood.
    return Math.max(turnWaitMs, this.#noted(floodWaitMs));
  }

  #noted(waitMs: number): number {
    if (waitMs > 0) {
      this.#throttledAtMs = this.#clock.monotonic();
      this.#throttledMs += waitMs;
    }
    return waitMs;
  }

  #wait(waitMs: number, call: { readonly signal: AbortSignal }): Promise<void> | undefined {
    if (waitMs === 0) return undefined;
    return sleep(this.#clock, waitMs, call.signal).catch(() => {}); // the call itself says that it was ended
  }
}

function weightOf(answerBytes: number): number {
  return answerBytes + perAnswerBytes + Math.max(0, answerBytes - longBytes) * (longWeight - 1);
}
