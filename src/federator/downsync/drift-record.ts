import type { Clock } from '#apimachinery/clock.ts';
import type { CopyKey } from '../cell/copy-keys.ts';

const contestedRepairs = 3;
const contestedWithinMs = 60_000;
const pauseMinMs = 5_000;
const pauseMaxMs = 300_000;

interface Entry {
  /** Fields that this edge drops or rewrites however often they are applied. */
  dropped: readonly string[];
  /** The last repairs. */
  repairsAtMs: readonly number[];
  /** 0: not contested. Else how often it was repaired since it is. */
  level: number;
}

/**
 * What was learnt of objects whose fields at the edge differ from what we applied; empty for all others. Three repairs in
 * a minute make an object contested: from then on it is repaired ever more rarely, until it is left alone for twice the
 * last pause.
 */
export class DriftRecord {
  readonly #clock: Clock;
  readonly #entries = new Map<CopyKey, Entry>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** After an apply: the fields that did not become ours all the same. */
  applied(key: CopyKey, dropped: readonly string[]): void {
    const entry = this.#entries.get(key);
    if (entry !== undefined) entry.dropped = dropped;
    else if (dropped.length > 0) this.#entries.set(key, { dropped, repairsAtMs: [], level: 0 });
  }

  /** Whether nothing is missing but what this edge is known to drop. */
  onlyDropped(key: CopyKey, missing: readonly string[]): boolean {
    const dropped = this.#entries.get(key)?.dropped ?? [];
    return missing.every((field) => dropped.includes(field));
  }

  /** Counts a repair; true when the object is contested. */
  repaired(key: CopyKey): boolean {
    const now = this.#clock.monotonic();
    const entry = this.#entries.get(key) ?? { dropped: [], repairsAtMs: [], level: 0 };
    if (!this.isContested(key)) entry.level = 0;
    entry.repairsAtMs = [...entry.repairsAtMs, now].slice(-contestedRepairs);
    const [first = now] = entry.repairsAtMs;
    if (entry.level > 0) entry.level++;
    else if (entry.repairsAtMs.length === contestedRepairs && now - first < contestedWithinMs)
      entry.level = 1;
    this.#entries.set(key, entry);
    return entry.level > 0;
  }

  /** How long the next repair has to wait. */
  waitMs(key: CopyKey): number {
    const entry = this.#entries.get(key);
    if (entry === undefined || !this.isContested(key)) return 0;
    return Math.max(0, lastOf(entry) + pauseMs(entry) - this.#clock.monotonic());
  }

  isContested(key: CopyKey): boolean {
    return this.contestedForMs(key) > 0;
  }

  /** How long it stays contested if nobody touches it. */
  contestedForMs(key: CopyKey): number {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.level === 0) return 0;
    const quietMs = Math.max(contestedWithinMs, 2 * pauseMs(entry));
    return Math.max(0, lastOf(entry) + quietMs - this.#clock.monotonic());
  }

  forget(key: CopyKey): void {
    this.#entries.delete(key);
  }
}

function lastOf({ repairsAtMs }: Entry): number {
  return repairsAtMs.at(-1) ?? Number.NEGATIVE_INFINITY;
}

function pauseMs({ level }: Entry): number {
  return Math.min(pauseMaxMs, pauseMinMs * 2 ** (level - 1));
}
