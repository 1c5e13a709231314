import { type Arc, settle } from './kilter.ts';
import { isWithinSkew, levelRange } from './skew.ts';

/** What is in the same group by every dimension, and so is alike as far as levelling goes. */
export interface Atom {
  /** The group by each dimension, from 0. */
  readonly groups: readonly number[];
  /** Infinity when not limited. */
  readonly room: number;
  readonly has: number;
}

export interface LevelDimension {
  readonly groupCount: number;
  /** Infinity when not limited. */
  readonly maxSkew: number;
  /** What each group has to have at least. */
  readonly least: number;
}

const source = 0;
const sink = 1;
/** Levels of one dimension that are tried, and combinations of them. */
const levelsMax = 9;
const triesMax = 200;

/**
 * Shares of atoms that add up to `total` and keep the skew of several dimensions at once, near to what they have. Undefined when
 * none was found: there is none, where the dimensions make no more than two chains in which each lies within the one before
 * (region and zone and rack; provider) and skews are below `levelsMax`; three dimensions that all cross one another are a
 * problem that nobody solves fast, and for these some may be missed.
 *
 * For given least and greatest sums of the groups this is a flow: from the source through one chain from the coarsest groups to
 * the finest, through the atoms, and through the other chain from the finest to the coarsest. Levels are tried from those on
 * that move the least.
 */
export function levelAtoms(
  atoms: readonly Atom[],
  dimensions: readonly LevelDimension[],
  total: number,
): number[] | undefined {
  const levels = dimensions.map((dimension, d) => levelsOf(atoms, dimension, d, total));
  const skewed = levels.filter((list) => list !== undefined);
  if (skewed.length < levels.length) return undefined;
  const chains = chainsOf(atoms, dimensions);
  for (const combination of combinations(skewed)) {
    const shares = sharesAt(atoms, dimensions, chains, combination, total);
    if (shares !== undefined) return shares;
  }
  return undefined;
}

/** Whether the shares keep every dimension's skew and least. */
function isLevel(
  atoms: readonly Atom[],
  dimensions: readonly LevelDimension[],
  shares: readonly number[],
): boolean {
  return dimensions.every(({ groupCount, maxSkew, least }, d) => {
    const sums = sumsOf(atoms, shares, d, groupCount);
    return isWithinSkew(sums, maxSkew) && sums.every((sum) => sum >= least);
  });
}

function sumsOf(atoms: readonly Atom[], values: readonly number[], d: number, groupCount: number): number[] {
  const sums = new Array<number>(groupCount).fill(0);
  atoms.forEach(({ groups }, i) => {
    const group = groups[d] as number;
    sums[group] = (sums[group] as number) + (values[i] as number);
  });
  return sums;
}

/** The least that groups may get, best first; undefined when the groups have not the room for any. */
function levelsOf(
  atoms: readonly Atom[],
  { groupCount, maxSkew, least }: LevelDimension,
  d: number,
  total: number,
): readonly number[] | undefined {
  if (maxSkew === Number.POSITIVE_INFINITY) return [least];
  const has = atoms.map((atom) => atom.has);
  const rooms = atoms.map((atom) => atom.room);
  const range = levelRange(
    sumsOf(atoms, has, d, groupCount),
    sumsOf(atoms, rooms, d, groupCount),
    maxSkew,
    total,
  );
  if (range === undefined) return undefined;
  const { best, lowest, highest } = range;
  const levels: number[] = [];
  for (let step = 0; levels.length < levelsMax; step = step < 4 ? step + 1 : step * 2) {
    const [below, above] = [best - step, best + step];
    if (below < lowest && above > highest) break;
    if (below >= Math.max(lowest, least) && below <= highest) levels.push(below);
    if (step > 0 && above <= highest && above >= Math.max(lowest, least)) levels.push(above);
  }
  return levels.length === 0 ? undefined : levels;
}

/** One of each list, those from the beginnings of the lists first. */
function combinations(lists: readonly (readonly number[])[]): number[][] {
  let all: { readonly values: number[]; readonly rank: number }[] = [{ values: [], rank: 0 }];
  for (const list of lists) {
    all = all.flatMap(({ values, rank }) =>
      list.map((value, at) => ({ values: [...values, value], rank: rank + at })),
    );
    all.sort((a, b) => a.rank - b.rank);
    all.length = Math.min(all.length, triesMax);
  }
  return all.map(({ values }) => values);
}

/** A dimension in its chain, and the group of the one before in which each of its groups lies. */
interface Link {
  readonly d: number;
  readonly within: readonly number[];
}

interface Chains {
  readonly one: readonly Link[];
  readonly other: readonly Link[];
}

/** Those that fit into neither chain are left out: they are looked at afterwards. */
function chainsOf(atoms: readonly Atom[], dimensions: readonly LevelDimension[]): Chains {
  const one: Link[] = [];
  const other: Link[] = [];
  const order = dimensions.map((_, d) => d);
  order.sort((a, b) => (dimensions[a]?.groupCount ?? 0) - (dimensions[b]?.groupCount ?? 0));
  for (const d of order) {
    for (const chain of [one, other]) {
      const within = withinOf(atoms, d, dimensions[d]?.groupCount ?? 0, chain.at(-1)?.d);
      if (within === undefined) continue;
      chain.push({ d, within });
      break;
    }
  }
  return { one, other };
}

/** The coarser group of each group; undefined when some lie in several. */
function withinOf(
  atoms: readonly Atom[],
  d: number,
  groupCount: number,
  coarser: number | undefined,
): readonly number[] | undefined {
  const within = new Array<number>(groupCount).fill(0);
  if (coarser === undefined) return within;
  within.fill(-1);
  for (const { groups } of atoms) {
    const group = groups[d] as number;
    const outer = groups[coarser] as number;
    if (within[group] !== -1 && within[group] !== outer) return undefined;
    within[group] = outer;
  }
  return within;
}

function sharesAt(
  atoms: readonly Atom[],
  dimensions: readonly LevelDimension[],
  { one, other }: Chains,
  levels: readonly number[],
  total: number,
): number[] | undefined {
  const has = atoms.map((atom) => atom.has);
  const sum = has.reduce((a, b) => a + b, 0);
  const arcs: Arc[] = [{ from: sink, to: source, least: total, most: total, flow: sum }];
  let nodeCount = 2;
  const lay = (chain: readonly Link[], end: number): ((atom: Atom) => number) => {
    let outer = (_group: number): number => end;
    let finest: Link | undefined;
    for (const link of chain) {
      const { groupCount, maxSkew } = dimensions[link.d] as LevelDimension;
      const first = nodeCount;
      nodeCount += groupCount;
      const sums = sumsOf(atoms, has, link.d, groupCount);
      const least = levels[link.d] as number;
      for (let g = 0; g < groupCount; g++) {
        const [coarse, fine] = [outer(link.within[g] as number), first + g];
        const [from, to] = end === source ? [coarse, fine] : [fine, coarse];
        arcs.push({ from, to, least, most: least + maxSkew, flow: sums[g] as number });
      }
      outer = (group) => first + group;
      finest = link;
    }
    const at = outer;
    const d = finest?.d;
    return ({ groups }) => (d === undefined ? end : at(groups[d] as number));
  };
  const begin = lay(one, source);
  const end = lay(other, sink);
  const firstAtom = arcs.length;
  for (const atom of atoms) {
    arcs.push({ from: begin(atom), to: end(atom), least: 0, most: atom.room, flow: atom.has });
  }
  if (!settle(nodeCount, arcs)) return undefined;
  const shares = arcs.slice(firstAtom).map(({ flow }) => flow);
  return isLevel(atoms, dimensions, shares) ? shares : undefined;
}
