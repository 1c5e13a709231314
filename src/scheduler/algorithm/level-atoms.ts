import { type LevelBudget, levelBudget } from './level-budget.ts';
import { type Chains, chainsOf } from './level-chains.ts';
import { LevelFlow } from './level-flow.ts';
import type { Atom, LevelDimension } from './level-problem.ts';
import { levelRange } from './skew.ts';

export type Levelled =
  | { readonly shares: readonly number[] }
  /** `isKnown`: there are none; else none was found with the work that a decision may cost. */
  | { readonly shares: undefined; readonly isKnown: boolean };

/** Combinations of levels that are tried. */
const triesMax = 4_096;
/**
 * Arcs and atoms that one search may look at. A search that found a way finds it again from the same state, since its part of the
 * budget does not depend on those before.
 */
const searchWorkMax = 200_000;

/**
 * Shares of atoms that add up to `total` and keep the skew of several dimensions at once, near to what they have.
 *
 * For given least and greatest sums of the groups this is a flow: from the source through one chain from the coarsest groups to
 * the finest, through the atoms, and through the other chain from the finest to the coarsest. Levels are tried from those on
 * that move the least; a flow that cannot be shows a cut, which many other levels do not pass either. Dimensions that fit into
 * neither chain (three that all cross one another, a problem that nobody solves fast) are mended by moving single units,
 * and where that does not end searched for by bounding single atoms, as far as the budget lasts.
 */
export function levelAtoms(
  atoms: readonly Atom[],
  dimensions: readonly LevelDimension[],
  total: number,
  budget: LevelBudget = levelBudget(),
): Levelled {
  const ranges = dimensions.map((dimension, d) => levelsOf(atoms, dimension, d, total));
  if (ranges.some((list) => list.length === 0)) return { shares: undefined, isKnown: true };
  const chains: Chains = chainsOf(atoms, dimensions);
  const most = Math.floor(triesMax ** (1 / dimensions.length));
  const isAll = ranges.reduce((product, { length }) => product * length, 1) <= triesMax;
  const lists = isAll ? ranges : ranges.map((list) => list.slice(0, most));
  const search: LevelBudget = { left: Math.min(budget.left, searchWorkMax) };
  const given = search.left;
  const levelled =
    given > 0
      ? searched(new LevelFlow(atoms, dimensions, chains, search), lists)
      : ({ shares: undefined, isKnown: false } as const);
  budget.left -= given - search.left;
  return levelled ?? { shares: undefined, isKnown: isAll };
}

/** Undefined where none of these levels has a flow. */
function searched(flow: LevelFlow, lists: readonly (readonly number[])[]): Levelled | undefined {
  for (const levels of combinations(lists)) {
    const shares = flow.sharesAt(levels);
    if (shares !== undefined) return { shares };
    if (flow.isExhausted) return { shares: undefined, isKnown: false };
  }
  return undefined;
}

/** The least that groups may get, best first; none when the groups have not the room for any. */
function levelsOf(
  atoms: readonly Atom[],
  { groupCount, maxSkew, least }: LevelDimension,
  d: number,
  total: number,
): readonly number[] {
  if (maxSkew === Number.POSITIVE_INFINITY) return [least];
  const sumsOf = (amount: (atom: Atom) => number): number[] => {
    const sums = new Array<number>(groupCount).fill(0);
    for (const atom of atoms) {
      const group = atom.groups[d] as number;
      sums[group] = (sums[group] as number) + amount(atom);
    }
    return sums;
  };
  const has = sumsOf((atom) => atom.has);
  const range = levelRange(
    has,
    sumsOf(({ room }) => room),
    maxSkew,
    total,
  );
  if (range === undefined) return [];
  const lowest = Math.max(range.lowest, least);
  const levels: number[] = [];
  for (let step = 0; levels.length < triesMax; step++) {
    const [below, above] = [range.best - step, range.best + step];
    if (below < lowest && above > range.highest) break;
    if (below >= lowest && below <= range.highest) levels.push(below);
    if (step > 0 && above <= range.highest && above >= lowest) levels.push(above);
  }
  return levels;
}

/** One of each list, those from the beginnings of the lists first. */
function* combinations(lists: readonly (readonly number[])[]): IterableIterator<readonly number[]> {
  // Mostly the first will do.
  yield lists.map((list) => list[0] as number);
  let all: { readonly values: number[]; readonly rank: number }[] = [{ values: [], rank: 0 }];
  for (const list of lists) {
    all = all.flatMap(({ values, rank }) =>
      list.map((value, at) => ({ values: [...values, value], rank: rank + at })),
    );
  }
  all.sort((a, b) => a.rank - b.rank);
  for (const { values } of all.slice(1)) yield values;
}
