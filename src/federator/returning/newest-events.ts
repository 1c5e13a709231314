import type { Clock } from '#apimachinery/clock.ts';
import type { EdgeEvents } from './edge-events.ts';

export interface NewestEventsOptions {
  readonly clock: Clock;
  /** How many of a namespace may come back. */
  readonly max: (namespace: string) => number;
}

/** Which Events are the newest is counted anew at most this often in each namespace. */
export const newestMs = 1_000;

/** Which Events of each namespace are among as many as may come back: those that were said last. */
export class NewestEvents {
  readonly #options: NewestEventsOptions;
  /** Names, as they were last counted, by namespace. */
  readonly #newest = new Map<string, { readonly names: ReadonlySet<string>; readonly atMs: number }>();

  constructor(options: NewestEventsOptions) {
    this.#options = options;
  }

  clear(): void {
    this.#newest.clear();
  }

  has(events: EdgeEvents, namespace: string, name: string): boolean {
    const counted = this.#newest.get(namespace);
    const isFresh = counted !== undefined && this.#options.clock.monotonic() - counted.atMs < newestMs;
    const names = isFresh ? counted.names : this.count(events, namespace);
    // One that has come since is new: it counts as one until all are counted again.
    return names.has(name) || this.#isSaidAfter(events, namespace, name, names);
  }

  /** Counts them now. */
  count(events: EdgeEvents, namespace: string): ReadonlySet<string> {
    const names = events.newestIn(namespace, this.#options.max(namespace));
    this.#newest.set(namespace, { names, atMs: this.#options.clock.monotonic() });
    return names;
  }

  #isSaidAfter(events: EdgeEvents, namespace: string, name: string, names: ReadonlySet<string>): boolean {
    if (names.size < this.#options.max(namespace)) return true;
    let last: string | undefined;
    for (const one of names) last = one;
    const oldestMs = last === undefined ? 0 : (events.group(namespace, last)?.lastMs ?? 0);
    return (events.group(namespace, name)?.lastMs ?? 0) > oldestMs;
  }
}
