import type { Clock } from '#apimachinery/clock.ts';
import { WorkQueue } from '#client/workqueue.ts';
import { TokenBucket } from '../edge/token-bucket.ts';
import type { CellLimits } from './cell-limits.ts';
import type { CopyKey } from './copy-keys.ts';

/** So many seconds' worth of tries are made without a pause beyond each object's own. */
const burstSeconds = 50;
/** So many failures with nothing accepted between them say that it is the edge, not the objects; then tries become rare. */
const failuresInRowMax = 16;
const spacingMinMs = 50;
const spacingMaxMs = 5_000;
/** However rare: each object is tried again about once in this time, as far as `retriesPerSecond` lets. */
const eachWithinMs = 30_000;
/** Objects that are tried again at once when one that failed has succeeded: recovery doubles. */
const followersMax = 2;

/**
 * A cell's queue in which what fails is tried again at a bounded rate, of all its objects together: an edge that refuses ten
 * thousand objects costs as little as one that refuses a hundred, and one that accepts nothing is tried with one object
 * after another, more and more rarely. When one is accepted after all, others follow at once.
 */
export class PacedQueue extends WorkQueue {
  readonly #retries: TokenBucket;
  /** The longest ago tried first. */
  readonly #failing = new Set<CopyKey>();
  /** Who was asked last, of these, did not answer: the edge, or the federation API server. */
  readonly #unanswered = new Set<CopyKey>();
  /** Of those what is tried again since answers come again. */
  readonly #resuming = new Set<CopyKey>();
  readonly #pausesMs = new Map<CopyKey, number>();
  readonly #clock: Clock;
  readonly #retryMs: number;
  #failuresInRow = 0;
  /** When the next try of an edge that accepts nothing is due. */
  #nextTryAtMs = Number.NEGATIVE_INFINITY;

  constructor({ clock, limits }: { readonly clock: Clock; readonly limits: CellLimits }) {
    super({ clock, backoffMinMs: 20, backoffMaxMs: 30_000 });
    const perSecond = limits.retriesPerSecond;
    this.#clock = clock;
    this.#retryMs = 1_000 / perSecond;
    this.#retries = new TokenBucket({ clock, perSecond, burst: perSecond * burstSeconds });
  }

  /** The edge refused it. To be called before the key's failure is told to the queue. */
  failed(key: CopyKey): void {
    this.#answered(key);
    this.#failing.delete(key);
    this.#failing.add(key);
    this.#failuresInRow++;
    this.#pausesMs.set(key, Math.max(this.#retries.spend(1), this.#rowWaitMs()));
  }

  /** No answer came. */
  unanswered(key: CopyKey): void {
    this.#failing.delete(key);
    this.#resuming.delete(key);
    this.#unanswered.add(key);
  }

  /**
   * Answers come again after none came, or none of use: what waits for its next try because of that need not wait any longer.
   * A few go first, others as those succeed.
   */
  answersAgain(): void {
    for (const key of this.#unanswered) this.#resuming.add(key);
    this.#unanswered.clear();
    this.#tryAgain(this.#resuming);
    this.#tryAgain(this.#failing);
  }

  /** The edge accepted it, or it is no matter any more. */
  succeeded(key: CopyKey): void {
    this.#pausesMs.delete(key);
    if (this.#answered(key)) this.#tryAgain(this.#resuming);
    if (!this.#failing.delete(key)) return;
    this.#failuresInRow = 0;
    this.#nextTryAtMs = Number.NEGATIVE_INFINITY;
    this.#tryAgain(this.#failing);
  }

  /** Returns whether the key waited for answers to come again, and they have. */
  #answered(key: CopyKey): boolean {
    this.#unanswered.delete(key);
    return this.#resuming.delete(key);
  }

  #tryAgain(keys: ReadonlySet<CopyKey>): void {
    let followers = 0;
    for (const key of keys) {
      if (followers++ >= followersMax) return;
      this.add(key);
    }
  }

  /** How long the one that has just failed waits because others failed before it, and none was accepted. */
  #rowWaitMs(): number {
    const beyond = this.#failuresInRow - failuresInRowMax;
    if (beyond <= 0) return 0;
    const doubled = spacingMinMs * 2 ** Math.min(beyond - 1, 16);
    const fairMs = Math.max(this.#retryMs, eachWithinMs / this.#failing.size);
    const spacingMs = Math.min(doubled, fairMs, spacingMaxMs);
    const nowMs = this.#clock.monotonic();
    this.#nextTryAtMs = Math.max(nowMs, this.#nextTryAtMs) + spacingMs;
    return this.#nextTryAtMs - nowMs;
  }

  override addRateLimited(key: CopyKey, atLeastMs = 0): number {
    const pauseMs = this.#pausesMs.get(key) ?? 0;
    this.#pausesMs.delete(key);
    return super.addRateLimited(key, Math.max(atLeastMs, pauseMs));
  }
}
