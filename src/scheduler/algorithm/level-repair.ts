import type { LevelBudget } from './level-budget.ts';
import type { Atom, LevelDimension } from './level-problem.ts';

/** Moves of one unit that are tried, and how many atoms may be looked at for them for each of what the budget has: it is quicker. */
const movesMax = 2_000;
const looksPerArc = 60;
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
  /** By group, in order. */
  readonly #members: readonly number[][];
  readonly #all: readonly number[];
  /** By group, what a move of one unit brings it nearer to its bounds, or, above zero, takes it further from them. */
  readonly #costs: Int32Array;
  /** By dimension, its first group; after the last, how many there are. */
  readonly #firsts: readonly number[];

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
    this.#members = Array.from({ length: count }, () => []);
    this.#all = atoms.map((_, i) => i);
    this.#costs = new Int32Array(count);
    let first = 0;
    const firsts = [first];
    dimensions.forEach(({ groupCount, maxSkew }, d) => {
      this.#low.fill(levels[d] as number, first, first + groupCount);
      this.#high.fill((levels[d] as number) + maxSkew, first, first + groupCount);
      for (const [i, { groups }] of atoms.entries()) {
        const group = first + (groups[d] as number);
        this.#groups[i * this.#width + d] = group;
        this.#members[group]?.push(i);
      }
      first += groupCount;
      firsts.push(first);
    });
    this.#firsts = firsts;
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
    const lowest = this.#countCosts(by);
    if (group !== undefined) return this.#cheapest(this.#members[group] as number[], by, move, lowest, -1);
    // An atom brings groups nearer to their bounds only where it lies in one that is out of them: mostly there are few.
    let found = -1;
    for (let g = 0; g < this.#costs.length; g++) {
      if ((this.#costs[g] as number) < 0)
        found = this.#cheapest(this.#members[g] as number[], by, move, lowest, found);
    }
    if (found >= 0 && this.#costOf(found) < 0) return found;
    return this.#cheapest(this.#all, by, move, lowest, -1);
  }

  /** Of these and `found`, if there is one, the atom with the least cost, of several the first. */
  #cheapest(members: readonly number[], by: 1 | -1, move: number, lowest: number, found: number): number {
    let cheapest = found;
    let least = found < 0 ? Number.POSITIVE_INFINITY : this.#costOf(found);
    for (const i of members) {
      if (least === lowest && i >= cheapest) break;
      if ((this.#restsUntil[i] as number) > move) continue;
      const share = this.shares[i] as number;
      if (by < 0 ? share <= 0 : share >= (this.#atoms[i] as Atom).room) continue;
      const cost = this.#costOf(i);
      if (cost < least || (cost === least && i < cheapest)) [cheapest, least] = [i, cost];
    }
    return cheapest;
  }

  #costOf(i: number): number {
    const [width, groups, costs] = [this.#width, this.#groups, this.#costs];
    let cost = 0;
    for (let at = i * width; at < (i + 1) * width; at++) cost += costs[groups[at] as number] as number;
    return cost;
  }

  /** Returns what no atom can be below. */
  #countCosts(by: 1 | -1): number {
    let sum = 0;
    for (let d = 0; d < this.#width; d++) {
      let lowest = Number.POSITIVE_INFINITY;
      for (let g = this.#firsts[d] as number; g < (this.#firsts[d + 1] as number); g++) {
        const cost = this.#beyond(g, by) - this.#beyond(g, 0);
        this.#costs[g] = cost;
        if (cost < lowest) lowest = cost;
      }
      sum += lowest;
    }
    return sum;
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
