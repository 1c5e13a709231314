import type { Atom, LevelDimension } from './level-problem.ts';

/** A dimension in its chain, and the group of the one before in which each of its groups lies. */
export interface Link {
  readonly d: number;
  readonly within: readonly number[];
}

export interface Chains {
  readonly one: readonly Link[];
  readonly other: readonly Link[];
  /** Dimensions that fit into neither. */
  readonly left: readonly number[];
}

/** Dimensions as two chains in which each lies within the one before: region and zone and rack; provider. */
export function chainsOf(atoms: readonly Atom[], dimensions: readonly LevelDimension[]): Chains {
  const one: Link[] = [];
  const other: Link[] = [];
  const left: number[] = [];
  const order = dimensions.map((_, d) => d);
  order.sort((a, b) => (dimensions[a]?.groupCount ?? 0) - (dimensions[b]?.groupCount ?? 0));
  for (const d of order) {
    const found = [one, other].some((chain) => {
      const within = withinOf(atoms, d, dimensions[d]?.groupCount ?? 0, chain.at(-1)?.d);
      if (within !== undefined) chain.push({ d, within });
      return within !== undefined;
    });
    if (!found) left.push(d);
  }
  return { one, other, left };
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
