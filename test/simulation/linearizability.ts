/**
 * What a client asked of one key and what it was told. Values are unique over all writes, so that a value says which
 * write it is of.
 */
export type RegisterCall =
  /** Makes the key where it is absent. */
  | { readonly type: 'create'; readonly value: string; readonly answer: 'done' | 'exists' | 'unknown' }
  /** Replaces `expected`; refused whenever something else, or nothing, stands there. */
  | {
      readonly type: 'swap';
      readonly expected: string;
      readonly value: string;
      readonly answer: 'done' | 'refused' | 'unknown';
    }
  | { readonly type: 'delete'; readonly answer: 'done' | 'absent' | 'unknown' }
  /** `value` undefined: absent. */
  | { readonly type: 'read'; readonly value: string | undefined };

export interface HistoryEntry {
  readonly call: RegisterCall;
  /** When it was asked, by one clock for all clients. */
  readonly startMs: number;
  /** When the answer came. What is unknown may take effect at any time after its start, or never. */
  readonly endMs: number;
}

/** Undefined: absent. */
type Value = string | undefined;

/** The value of every write that nobody ever asked for: one is as good as another. */
const unseen = '\0unseen';

/**
 * The value after the call if it takes place at `before`; `impossible` when its answer would have been another. A call of
 * unknown outcome need not take place: where it would change nothing, it does not.
 */
function step(
  call: RegisterCall,
  before: Value,
  shown: (value: string) => string,
): { readonly after: Value } | 'impossible' {
  switch (call.type) {
    case 'read':
      return call.value === before ? { after: before } : 'impossible';
    case 'create': {
      const possible = before === undefined;
      if (call.answer === 'exists') return possible ? 'impossible' : { after: before };
      return possible ? { after: shown(call.value) } : 'impossible';
    }
    case 'swap': {
      const possible = before === call.expected;
      if (call.answer === 'refused') return possible ? 'impossible' : { after: before };
      return possible ? { after: shown(call.value) } : 'impossible';
    }
    case 'delete': {
      const possible = before !== undefined;
      if (call.answer === 'absent') return possible ? 'impossible' : { after: before };
      return possible ? { after: undefined } : 'impossible';
    }
  }
}

function isUnknown(call: RegisterCall): boolean {
  return call.type !== 'read' && call.answer === 'unknown';
}

/** A way that was taken: which call was placed, what stood there before it, and what else could be placed instead. */
interface Choice {
  readonly entry: HistoryEntry;
  readonly before: Value;
  readonly others: readonly HistoryEntry[];
}

/**
 * Whether there is an order of the calls, each between its start and its answer, in which every answer is right, the key
 * being absent at first: Wing and Gong's search with Lowe's memory of what was tried ("Testing for Linearizability",
 * 2017). Returns undefined when there is, else the entries of the longest order found, and what could not follow them.
 *
 * Calls of unknown outcome may be placed at any time after their start, or never, which would make the search
 * exponential. So they are tried last, and of those that do the same only the one that began first.
 */
export function findViolation(
  history: readonly HistoryEntry[],
): { readonly explained: readonly HistoryEntry[]; readonly stuckAt: readonly HistoryEntry[] } | undefined {
  const search = new Search(history);
  const path: Choice[] = [];
  let longest: readonly HistoryEntry[] = [];
  let stuckAt: readonly HistoryEntry[] = [];
  let value: Value;
  let candidates: readonly HistoryEntry[] = search.candidates();
  while (!search.isDone) {
    const [entry, ...others] = candidates;
    if (entry !== undefined) {
      candidates = others;
      const result = step(entry.call, value, search.shown);
      if (result === 'impossible') continue;
      search.place(entry);
      if (search.isNew(result.after)) {
        path.push({ entry, before: value, others });
        value = result.after;
        candidates = search.candidates();
      } else {
        search.takeBack(entry);
      }
      continue;
    }
    if (path.length >= longest.length) {
      longest = path.map((choice) => choice.entry);
      stuckAt = search.candidates();
    }
    const last = path.pop();
    if (last === undefined) return { explained: longest, stuckAt };
    search.takeBack(last.entry);
    value = last.before;
    candidates = last.others;
  }
  return undefined;
}

/** Which calls have been placed, which can be next, and what was tried. */
class Search {
  /** Of known outcome, by their start. */
  readonly #known: readonly HistoryEntry[];
  /** Of unknown outcome, by what they do and then by their start; of each only so many as have been placed are gone. */
  readonly #unknown = new Map<string, HistoryEntry[]>();
  readonly #placedUnknown = new Map<string, number>();
  readonly #placed = new Set<HistoryEntry>();
  /** By known calls placed and value: how many calls of unknown outcome it took, in all ways that were tried. */
  readonly #tried = new Map<string, ReadonlyMap<string, number>[]>();
  readonly #asked: ReadonlySet<string>;
  /** All known calls before this one have been placed. */
  #first = 0;

  constructor(history: readonly HistoryEntry[]) {
    const byStart = [...history].sort((left, right) => left.startMs - right.startMs);
    this.#known = byStart.filter(({ call }) => !isUnknown(call));
    this.#asked = new Set(
      history.flatMap(({ call }) => {
        if (call.type === 'read') return call.value === undefined ? [] : [call.value];
        return call.type === 'swap' ? [call.expected] : [];
      }),
    );
    for (const entry of byStart) {
      if (!isUnknown(entry.call)) continue;
      const effect = this.#effectOf(entry);
      const same = this.#unknown.get(effect);
      if (same === undefined) this.#unknown.set(effect, [entry]);
      else same.push(entry);
    }
  }

  /** Every call of known outcome has its place. */
  get isDone(): boolean {
    return this.#first === this.#known.length;
  }

  readonly shown = (value: string): string => (this.#asked.has(value) ? value : unseen);

  /** What may come next: whatever began before the first of the answers that are still to come. */
  candidates(): HistoryEntry[] {
    const found: HistoryEntry[] = [];
    let earliestEndMs = Number.POSITIVE_INFINITY;
    for (let index = this.#first; index < this.#known.length; index++) {
      const entry = this.#known[index];
      if (entry === undefined || entry.startMs > earliestEndMs) break;
      if (this.#placed.has(entry)) continue;
      found.push(entry);
      earliestEndMs = Math.min(earliestEndMs, entry.endMs);
    }
    const known = found.filter(({ startMs }) => startMs <= earliestEndMs);
    for (const [effect, same] of this.#unknown) {
      const next = same[this.#placedUnknown.get(effect) ?? 0];
      if (next !== undefined && next.startMs <= earliestEndMs) known.push(next);
    }
    return known;
  }

  place(entry: HistoryEntry): void {
    if (isUnknown(entry.call)) {
      const effect = this.#effectOf(entry);
      this.#placedUnknown.set(effect, (this.#placedUnknown.get(effect) ?? 0) + 1);
      return;
    }
    this.#placed.add(entry);
    for (let next = this.#known[this.#first]; next !== undefined && this.#placed.has(next); ) {
      next = this.#known[++this.#first];
    }
  }

  takeBack(entry: HistoryEntry): void {
    if (isUnknown(entry.call)) {
      const effect = this.#effectOf(entry);
      this.#placedUnknown.set(effect, (this.#placedUnknown.get(effect) ?? 0) - 1);
      return;
    }
    this.#placed.delete(entry);
    this.#first = Math.min(this.#first, this.#known.indexOf(entry));
  }

  /**
   * False when the same known calls and the same value had been reached before with no more calls of unknown outcome: from
   * there at least as much was possible.
   */
  isNew(value: Value): boolean {
    const ahead: number[] = [];
    for (let index = this.#first, left = this.#placed.size - this.#first; left > 0; index++) {
      const entry = this.#known[index];
      if (entry === undefined || !this.#placed.has(entry)) continue;
      ahead.push(index);
      left--;
    }
    const state = `${this.#first}|${ahead}|${value ?? ''}`;
    const ways = this.#tried.get(state) ?? [];
    if (ways.some((way) => this.#isAtMost(way))) return false;
    ways.push(new Map([...this.#placedUnknown].filter(([, count]) => count > 0)));
    this.#tried.set(state, ways);
    return true;
  }

  #isAtMost(way: ReadonlyMap<string, number>): boolean {
    for (const [effect, count] of way) if (count > (this.#placedUnknown.get(effect) ?? 0)) return false;
    return true;
  }

  #effectOf({ call }: HistoryEntry): string {
    switch (call.type) {
      case 'create':
        return `create ${this.shown(call.value)}`;
      case 'swap':
        return `swap ${call.expected} ${this.shown(call.value)}`;
      default:
        return call.type;
    }
  }
}
