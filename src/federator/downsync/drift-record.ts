import type { Clock } from '#apimachinery/clock.ts';
import type { CopyKey } from '../cell/copy-keys.ts';

const contestedRepairs = 3;
const contestedWithinMs = 60_000;

interface Entry {
  /** Fields that this edge drops or rewrites however often they are applied. */
  dropped: readonly string[];
  repairsAtMs: number[];
}

/** What was learnt of objects whose fields at the edge differ from what we applied; empty for all others. */
export class DriftRecord {
  readonly #clock: Clock;
  readonly #entries = new Map<CopyKey, Entry>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** After an apply: the fields that did not become ours all the same. */
  applied(key: CopyKey, dropped: readonly string[]): void {
    const entry = this.#entries.get(key);
    if (dropped.length === 0 && entry === undefined) return;
    this.#entries.set(key, { dropped, repairsAtMs: entry?.repairsAtMs ?? [] });
  }

  /** Whether nothing is missing but what this edge is known to drop. */
  onlyDropped(key: CopyKey, missing: readonly string[]): boolean {
    const dropped = this.#entries.get(key)?.dropped ?? [];
    return missing.every((field) => dropped.includes(field));
  }

  /** Counts a repair; true when it is the third within a minute. */
  repaired(key: CopyKey): boolean {
    const now = this.#clock.now();
    const entry = this.#entries.get(key) ?? { dropped: [], repairsAtMs: [] };
    entry.repairsAtMs = [...entry.repairsAtMs.filter((at) => now - at < contestedWithinMs), now].slice(
      -contestedRepairs,
    );
    this.#entries.set(key, entry);
    return entry.repairsAtMs.length >= contestedRepairs;
  }

  isContested(key: CopyKey): boolean {
    const now = this.#clock.now();
    const repairs = this.#entries.get(key)?.repairsAtMs.filter((at) => now - at < contestedWithinMs) ?? [];
    return repairs.length >= contestedRepairs;
  }

  forget(key: CopyKey): void {
    this.#entries.delete(key);
  }
}
