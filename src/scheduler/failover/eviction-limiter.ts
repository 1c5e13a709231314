import { cellTaints } from '#api/federation/cell-taints.ts';
import type { CellInfo, CellSnapshot } from '../algorithm/cell.ts';

export interface EvictionRates {
  /** Objects taken from the cells of one region in a second. Default 50. */
  readonly perSecond?: number | undefined;
  /** The same while much of the region fails. Default 5. */
  readonly slowPerSecond?: number | undefined;
  /** Share of a region's cells that are not ready from which on it fails. Default 0.55. */
  readonly failingShare?: number | undefined;
}

/** Whoever asks has some of the work, though it may just be losing it. */
const shareMin = 1 / 64;
/** How long to wait before looking again while no cell at all is ready. */
const outageWaitMs = 10_000;

interface Bucket {
  tokens: number;
  filledMs: number;
}

/**
 * How fast failover may take objects from the cells of a region, in the manner of Kubernetes' node lifecycle controller: at
 * a rate, at a lower one while much of the region is not ready, and not at all while no cell is ready anywhere, for then it
 * is more likely that we cannot see them. A cell that a person drains is no failure: it is emptied as fast as that can be done.
 * Bounded by the regions there are.
 */
export class EvictionLimiter {
  readonly #rates: Required<EvictionRates>;
  readonly #share: () => number;
  readonly #buckets = new Map<string, Bucket>();
  #snapshot: CellSnapshot | undefined;
  #failing: ReadonlySet<string> = new Set();
  #outage = false;

  /** `share`: of all work, from 0 to 1. Several schedulers divide the rates as they divide the work. */
  constructor(
    { perSecond = 50, slowPerSecond = 5, failingShare = 0.55 }: EvictionRates = {},
    share: () => number = () => 1,
  ) {
    this.#share = share;
    this.#rates = { perSecond, slowPerSecond, failingShare };
  }

  /** Zero when one object may be taken from the cell now, and counts it; else how long to wait, in milliseconds. */
  take(cell: CellInfo, snapshot: CellSnapshot, nowMs: number): number {
    if (cell.taints.some(({ key }) => key === cellTaints.drain)) return 0;
    this.#look(snapshot);
    if (this.#outage) return outageWaitMs;
    const { region } = cell;
    const full = this.#failing.has(region) ? this.#rates.slowPerSecond : this.#rates.perSecond;
    const rate = full * Math.max(shareMin, this.#share());
    let bucket = this.#buckets.get(region);
    if (bucket === undefined) {
      bucket = { tokens: rate, filledMs: nowMs };
      this.#buckets.set(region, bucket);
    }
    const passedMs = Math.max(0, nowMs - bucket.filledMs);
    bucket.tokens = Math.min(Math.max(1, rate), bucket.tokens + (passedMs / 1_000) * rate);
    bucket.filledMs = nowMs;
    if (bucket.tokens >= 1) {
      bucket.tokens -= 1;
      return 0;
    }
    return Math.ceil(((1 - bucket.tokens) / rate) * 1_000);
  }

  #look(snapshot: CellSnapshot): void {
    if (snapshot === this.#snapshot) return;
    this.#snapshot = snapshot;
    const counts = new Map<string, { cells: number; failing: number }>();
    let ready = 0;
    for (const { region, ready: isReady } of snapshot.cells) {
      const count = counts.get(region) ?? { cells: 0, failing: 0 };
      count.cells++;
      if (isReady) ready++;
      else count.failing++;
      counts.set(region, count);
    }
    this.#outage = ready === 0;
    const failing = new Set<string>();
    for (const [region, { cells, failing: count }] of counts) {
      if (count / cells >= this.#rates.failingShare) failing.add(region);
    }
    this.#failing = failing;
    for (const region of this.#buckets.keys()) if (!counts.has(region)) this.#buckets.delete(region);
  }
}
