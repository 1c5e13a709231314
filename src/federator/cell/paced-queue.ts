import type { Clock } from '#apimachinery/clock.ts';
import { WorkQueue } from '#client/workqueue.ts';
import { TokenBucket } from '../edge/token-bucket.ts';
import type { CellLimits } from './cell-limits.ts';
import type { CopyKey } from './copy-keys.ts';

/** So many seconds' worth of tries are made without a pause beyond each object's own. */
const burstSeconds = 50;
/** Objects that are tried again at once when one that failed has succeeded: recovery doubles. */
const followersMax = 2;

/**
 * A cell's queue in which what fails is tried again at a bounded rate, of all its objects together: an edge that refuses ten
 * thousand objects costs as little as one that refuses a hundred. When one is accepted after all, others follow at once.
 */
export class PacedQueue extends WorkQueue {
  readonly #retries: TokenBucket;
  /** The longest ago tried first. */
  readonly #failing = new Set<CopyKey>();
  readonly #pausesMs = new Map<CopyKey, number>();

  constructor({ clock, limits }: { readonly clock: Clock; readonly limits: CellLimits }) {
    super({ clock, backoffMinMs: 20, backoffMaxMs: 30_000 });
    const perSecond = limits.retriesPerSecond;
    this.#retries = new TokenBucket({ clock, perSecond, burst: perSecond * burstSeconds });
  }

  /** The edge refused it. To be called before the key's failure is told to the queue. */
  failed(key: CopyKey): void {
    this.#failing.delete(key);
    this.#failing.add(key);
    this.#pausesMs.set(key, this.#retries.spend(1));
  }

  /** The edge accepted it, or it is no matter any more. */
  succeeded(key: CopyKey): void {
    this.#pausesMs.delete(key);
    if (!this.#failing.delete(key)) return;
    let followers = 0;
    for (const other of this.#failing) {
      this.add(other);
      if (++followers >= followersMax) return;
    }
  }

  override addRateLimited(key: CopyKey, atLeastMs = 0): number {
    const pauseMs = this.#pausesMs.get(key) ?? 0;
    this.#pausesMs.delete(key);
    return super.addRateLimited(key, Math.max(atLeastMs, pauseMs));
  }
}
