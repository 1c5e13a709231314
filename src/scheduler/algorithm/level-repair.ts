import type { Atom, LevelBudget, LevelDimension } from './level-atoms.ts';

/** Moves of one unit that are tried, and how many atoms may be looked at for them for each of what the budget has: it is quicker. */
const movesMax = 2_000;
const looksPerArc = 20;
/** Moves for which an atom that was changed is let alone. */
const restMoves = 7;

/**
 * Shares brought within the levels of all dimensions by moving one unit at a time from the group that is furthest beyond its bounds,
 * or to the one that is furthest below, so that the groups together are as little as possible out of theirs. What was moved
 * lately rests, so that it does not go round. A heuristic, for what no flow gives: undefined where it did not come to an end.
 */
export function repairShares(
  atoms: readonly Atom[],
  dimensions: readonly LevelDimension[],
  levels: readonly number[],
  start: readonly number[],
  budget: LevelBudget,
): number[] | undefined {
  const repair = new Repair(atoms, dimensions, levels, start);
  for (let move = 1; move <= movesMax && budget.left > 0; move++) {
    budget.left -= (2 * atoms.length) / looksPerArc;
    const worst = repair.worst();
    if (worst === undefined) return repair.shares;
    const first = repair.best(worst.by, worst.group, move);
    if (first < 0) continue;
    repair.apply(first, worst.by, move);
    const back = worst.by === 1 ? -1 : 1;
    const second = repair.best(back, undefined, move);
    if (second < 0) return undefined;
    repair.apply(second, back, move);
  }
  return undefined;
}

class Repair {
  readonly shares: number[];
  readonly #atoms: readonly Atom[];
  /** Groups of all dimensions are numbered through. Beside the atoms: `width` of them each. */
  readonly #groups: Int32Array;
  readonly #width: number;
  readonly #sums: Int32Array;
  readonly #low: Int32Array;
  readonly #high: Float64Array;
  readonly #restsUntil: Int32Array;

  constructor(
    atoms: readonly Atom[],
    dimensions: readonly LevelDimension[],
    levels: readonly number[],
    start: readonly number[],
  ) {
    this.shares = [...start];
    this.#atoms = atoms;
    this.#width = dimensions.length;
    const count = dimensions.reduce((sum, { groupCount }) => sum + groupCount, 0);
    this.#sums = new Int32Array(count);
    this.#low = new Int32Array(count);
    this.#high = new Float64Array(count);
    this.#groups = new Int32Array(atoms.length * this.#width);
    this.#restsUntil = new Int32Array(atoms.length);
    let first = 0;
    dimensions.forEach(({ groupCount, maxSkew }, d) => {
      this.#low.fill(levels[d] as number, first, first + groupCount);
      this.#high.fill((levels[d] as number) + maxSkew, first, first + groupCount);
      for (const [i, { groups }] of atoms.entries())
        this.#groups[i * this.#width + d] = first + (groups[d] as number);
      first += groupCount;
    });
    for (const [i, share] of this.shares.entries()) this.#bump(i, share);
  }

  /** The group that is furthest out of its bounds, and what it needs; undefined when none is. */
  worst(): { readonly group: number; readonly by: 1 | -1 } | undefined {
    let group = -1;
    let most = 0;
    for (let g = 0; g < this.#sums.length; g++) {
      const out = this.#beyond(g, 0);
      if (out > most) [group, most] = [g, out];
    }
    if (group < 0) return undefined;
    return { group, by: (this.#sums[group] as number) > (this.#high[group] as number) ? -1 : 1 };
  }

  /** The atom, of the group if one is given, that brings the groups furthest into their bounds, or out of them the least. */
  best(by: 1 | -1, group: number | undefined, move: number): number {
    let found = -1;
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.#atoms.length; i++) {
      if ((this.#restsUntil[i] as number) > move) continue;
      const share = this.shares[i] as number;
      if (by < 0 ? share <= 0 : share >= (this.#atoms[i] as Atom).room) continue;
      let isIn = group === undefined;
      let cost = 0;
      for (let d = 0; d < this.#width; d++) {
        const g = this.#groups[i * this.#width + d] as number;
        if (g === group) isIn = true;
        cost += this.#beyond(g, by) - this.#beyond(g, 0);
      }
      if (isIn && cost < least) [found, least] = [i, cost];
    }
    return found;
  }

  apply(i: number, by: 1 | -1, move: number): void {
    this.shares[i] = (this.shares[i] as number) + by;
    this.#bump(i, by);
    this.#restsUntil[i] = move + restMoves;
  }

  #beyond(g: number, more: number): number {
    const sum = (this.#sums[g] as number) + more;
    const over = sum - (this.#high[g] as number);
    if (over > 0) return over;
    const under = (this.#low[g] as number) - sum;
    return Math.max(under, 0);
  }

  #bump(i: number, by: number): void {
    for (let d = 0; d < this.#width; d++) {
      const g = this.#groups[i * this.#width + d] as number;
      this.#sums[g] = (this.#sums[g] as number) + by;
    }
  }
}
