import { type Arc, type Cut, settle } from './kilter.ts';
import type { LevelBudget } from './level-budget.ts';
import type { Chains, Link } from './level-chains.ts';
import type { Atom, LevelDimension } from './level-problem.ts';
import { repairShares } from './level-repair.ts';

const source = 0;
const sink = 1;

/** Choices of levels for which a heuristic is tried. */
const repairsMax = 2;

/** What an arc's bounds come from: the level of a dimension, or an atom. */
interface Place {
  readonly from: number;
  readonly to: number;
  /** Undefined: an atom, or the whole. */
  readonly d: number | undefined;
  readonly least: number;
  readonly most: number;
  readonly flow: number;
}

/** Levels for which `Σ times·level > limit` have no flow. */
interface LevelCut {
  readonly times: readonly number[];
  readonly limit: number;
}

/** A group of a dimension that is in no chain, with what it has too much or, negative, too little. */
interface Excess {
  readonly members: readonly number[];
  readonly amount: number;
}

/** The flow that gives shares for levels of all dimensions; what it learns of one choice of levels spares it others. */
export class LevelFlow {
  readonly #atoms: readonly Atom[];
  readonly #dimensions: readonly LevelDimension[];
  readonly #left: readonly { readonly d: number; readonly groups: readonly (readonly number[])[] }[];
  readonly #places: Place[] = [];
  readonly #firstAtom: number;
  readonly #cuts: LevelCut[] = [];
  #nodeCount = 2;
  readonly #budget: LevelBudget;
  #repairs = repairsMax;

  constructor(
    atoms: readonly Atom[],
    dimensions: readonly LevelDimension[],
    { one, other, left }: Chains,
    budget: LevelBudget,
  ) {
    this.#atoms = atoms;
    this.#dimensions = dimensions;
    this.#budget = budget;
    this.#left = left.map((d) => {
      const groups: number[][] = Array.from({ length: dimensions[d]?.groupCount ?? 0 }, () => []);
      for (const [i, atom] of atoms.entries()) groups[atom.groups[d] as number]?.push(i);
      return { d, groups };
    });
    const total = atoms.reduce((sum, { has }) => sum + has, 0);
    this.#places.push({ from: sink, to: source, d: undefined, least: total, most: total, flow: total });
    const begin = this.#lay(one, source);
    const end = this.#lay(other, sink);
    this.#firstAtom = this.#places.length;
    for (const atom of atoms)
      this.#places.push({
        from: begin(atom),
        to: end(atom),
        d: undefined,
        least: 0,
        most: atom.room,
        flow: atom.has,
      });
  }

  /** The work that it may do is done: what it did not find may be there. */
  get isExhausted(): boolean {
    return this.#budget.left <= 0;
  }

  /** Whole shares within these levels, as near to what there is as detours lead; undefined when there are none, or it is exhausted. */
  sharesAt(levels: readonly number[]): readonly number[] | undefined {
    const isCut = this.#cuts.some(
      ({ times, limit }) => times.reduce((sum, factor, d) => sum + factor * (levels[d] as number), 0) > limit,
    );
    if (isCut) return undefined;
    const arcs = this.#places.map(({ from, to, d, least, most, flow }): Arc => {
      const level = d === undefined ? 0 : (levels[d] as number);
      return { from, to, least: least + level, most: most + level, flow };
    });
    const cut = this.#settle(arcs);
    if (cut !== undefined) {
      this.#cuts.push(this.#learn(cut));
      return undefined;
    }
    if (this.#left.length === 0) return this.#sharesOf(arcs);
    return this.#repair(arcs, levels) ?? this.#search(arcs, levels);
  }

  #settle(arcs: readonly Arc[]): Cut | undefined {
    // Each arc is copied and laid out before any is looked at.
    const meter = { looked: arcs.length };
    const cut = settle(this.#nodeCount, arcs, meter);
    this.#budget.left -= meter.looked;
    return cut;
  }

  #repair(arcs: readonly Arc[], levels: readonly number[]): readonly number[] | undefined {
    if (this.#repairs <= 0) return undefined;
    this.#repairs--;
    return repairShares(this.#atoms, this.#dimensions, levels, this.#sharesOf(arcs), this.#budget);
  }

  #sharesOf(arcs: readonly Arc[]): number[] {
    return arcs.slice(this.#firstAtom).map(({ flow }) => flow);
  }

  /** Nodes and arcs of a chain; returns where atoms are joined to it. */
  #lay(chain: readonly Link[], end: number): (atom: Atom) => number {
    let outer = (_group: number): number => end;
    let finest: number | undefined;
    for (const { d, within } of chain) {
      const { groupCount, maxSkew } = this.#dimensions[d] as LevelDimension;
      const first = this.#nodeCount;
      this.#nodeCount += groupCount;
      const sums = new Array<number>(groupCount).fill(0);
      for (const { groups, has } of this.#atoms)
        sums[groups[d] as number] = (sums[groups[d] as number] as number) + has;
      for (let g = 0; g < groupCount; g++) {
        const [coarse, fine] = [outer(within[g] as number), first + g];
        const [from, to] = end === source ? [coarse, fine] : [fine, coarse];
        this.#places.push({ from, to, d, least: 0, most: maxSkew, flow: sums[g] as number });
      }
      outer = (group) => first + group;
      finest = d;
    }
    const at = outer;
    return ({ groups }) => (finest === undefined ? end : at(groups[finest] as number));
  }

  /** What enters the cut at least may not be more than what leaves it at most: a limit to all levels. */
  #learn(cut: Cut): LevelCut {
    const times = this.#dimensions.map(() => 0);
    let limit = 0;
    for (const { from, to, d, least, most } of this.#places) {
      const [starts, ends] = [cut[from] === 1, cut[to] === 1];
      if (starts === ends) continue;
      if (d !== undefined) times[d] = (times[d] as number) + (ends ? 1 : -1);
      limit += ends ? -least : most;
    }
    return { times, limit };
  }

  /**
   * Shares that keep the dimensions which are in no chain too. What is not within them is brought nearer by bounding one atom: first
   * to as much less, or more, as is needed, then the other way, so that nothing is passed over (branch and bound).
   */
  #search(arcs: readonly Arc[], levels: readonly number[]): readonly number[] | undefined {
    const excess = this.#worst(arcs, levels);
    if (excess === undefined) return this.#sharesOf(arcs);
    if (excess === 'hopeless' || this.isExhausted) return undefined;
    const { members, amount } = excess;
    let widest = -1;
    let width = 0;
    for (const i of members) {
      const { flow, least, most } = arcs[this.#firstAtom + i] as Arc;
      const free = amount > 0 ? flow - least : most - flow;
      if (free > width) [widest, width] = [i, free];
    }
    if (widest < 0) return undefined;
    const { flow } = arcs[this.#firstAtom + widest] as Arc;
    const value = amount > 0 ? flow - Math.min(amount, width) : flow + Math.min(-amount, width);
    const towards = amount > 0 ? { most: value } : { least: value };
    const away = amount > 0 ? { least: value + 1 } : { most: value - 1 };
    for (const bound of [towards, away]) {
      const next = arcs.map((arc, i) => (i === this.#firstAtom + widest ? { ...arc, ...bound } : { ...arc }));
      if (this.#settle(next) !== undefined) continue;
      const found = this.#search(next, levels);
      if (found !== undefined || this.isExhausted) return found;
    }
    return undefined;
  }

  /** `hopeless`: the bounds of atoms leave no way for a group. Undefined: all groups are within their levels. */
  #worst(arcs: readonly Arc[], levels: readonly number[]): Excess | 'hopeless' | undefined {
    let worst: Excess | undefined;
    for (const { d, groups } of this.#left) {
      const low = levels[d] as number;
      const high = low + (this.#dimensions[d] as LevelDimension).maxSkew;
      for (const members of groups) {
        let [sum, least, most] = [0, 0, 0];
        for (const i of members) {
          const arc = arcs[this.#firstAtom + i] as Arc;
          sum += arc.flow;
          least += arc.least;
          most += arc.most;
        }
        if (least > high || most < low) return 'hopeless';
        const amount = sum > high ? sum - high : Math.min(0, sum - low);
        if (amount !== 0 && Math.abs(amount) > Math.abs(worst?.amount ?? 0)) worst = { members, amount };
      }
    }
    return worst;
  }
}
