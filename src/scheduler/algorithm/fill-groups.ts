import type { Candidate } from './candidate.ts';
import { isWithinSkew } from './skew.ts';
import type { CompiledSpread, FilledDimension, SpreadDimension } from './spread.ts';

/** How a division gives and takes single replicas; by indices of candidates. */
export interface FillRules {
  /** Whether `a` is to get its first replica rather than `b`. */
  readonly prefers: (a: number, b: number) => boolean;
  /** Whether `a` rather than `b` is to give one of the replicas that they have by now. */
  readonly givers: (shares: readonly number[]) => (a: number, b: number) => boolean;
  /** Whether the candidate may have any. */
  readonly hasRoom: (i: number) => boolean;
  /**
   * The division is made from zero each time: the same cells have to fill the groups each time, though others would as well by now,
   * so that another replica moves none.
   */
  readonly fromZero: boolean;
}

/**
 * The division with a replica in as many groups as inherited policies ask for, as far as replicas and room suffice: a cell for each
 * group that lacks one gets its first replica from where there are more than one. The division itself where nothing lacks.
 *
 *   4, 0, 0 in two regions a a b → 3, 0, 1
 */
export function fillGroups(
  replicas: readonly number[],
  candidates: readonly Candidate[],
  dimensions: readonly FilledDimension[],
  { prefers, givers, hasRoom, fromZero }: FillRules,
): readonly number[] {
  const isFilled = dimensions.every((one) => filledCount(replicas, candidates, one) >= one.filledGroups);
  if (isFilled && !fromZero) return replicas;
  const total = replicas.reduce((sum, one) => sum + one, 0);
  const kept = new Set(representatives(candidates, dimensions, total, prefers, hasRoom));
  const filled = [...replicas];
  for (const i of kept) {
    if (filled[i] !== 0) continue;
    const gives = givers(filled);
    let giver: number | undefined;
    filled.forEach((share, other) => {
      if (share <= (kept.has(other) ? 1 : 0)) return;
      if (giver === undefined || gives(other, giver)) giver = other;
    });
    if (giver === undefined) break;
    filled[giver] = (filled[giver] as number) - 1;
    filled[i] = 1;
  }
  return filled;
}

/** Cells that fill the groups of all dimensions, no more than `most`: each time one that fills the most groups that lack. */
function representatives(
  candidates: readonly Candidate[],
  dimensions: readonly FilledDimension[],
  most: number,
  prefers: FillRules['prefers'],
  hasRoom: FillRules['hasRoom'],
): number[] {
  const lacking = dimensions.map(({ groupOf, filledGroups }) => ({
    groupOf,
    left: filledGroups,
    has: new Set<string>(),
  }));
  const chosen: number[] = [];
  while (chosen.length < most && lacking.some(({ left }) => left > 0)) {
    let best: number | undefined;
    let bestFills = 0;
    candidates.forEach(({ cell }, i) => {
      if (!hasRoom(i)) return;
      let fills = 0;
      for (const { groupOf, left, has } of lacking) if (left > 0 && !has.has(groupOf(cell))) fills++;
      if (fills > bestFills || (fills > 0 && fills === bestFills && prefers(i, best as number))) {
        best = i;
        bestFills = fills;
      }
    });
    if (best === undefined) break;
    chosen.push(best);
    for (const one of lacking) {
      const group = one.groupOf((candidates[best] as Candidate).cell);
      if (one.has.has(group)) continue;
      one.has.add(group);
      one.left--;
    }
  }
  return chosen;
}

/** Whether no two groups differ by more replicas than the constraint lets them. */
export function keepsSkews(
  replicas: readonly number[],
  candidates: readonly Candidate[],
  skewed: readonly SpreadDimension[],
): boolean {
  return skewed.every(({ groupOf, maxSkew }) => {
    const sums = new Map<string, number>();
    candidates.forEach(({ cell }, i) => {
      const group = groupOf(cell);
      sums.set(group, (sums.get(group) ?? 0) + (replicas[i] as number));
    });
    return isWithinSkew([...sums.values()], maxSkew);
  });
}

/**
 * What of `minGroups` the replicas do not keep, in words; empty where they keep all. They are bound to it by inherited policies;
 * a project's own `minGroups` is about the cells that may be used, as with Karmada (PLACEMENT.md 2).
 */
export function unfilledGroups(
  replicas: readonly number[],
  candidates: readonly Candidate[],
  spread: CompiledSpread | undefined,
): string {
  if (spread === undefined) return '';
  const total = replicas.reduce((sum, one) => sum + one, 0);
  if (total === 0) return '';
  const lacks: string[] = [];
  for (const { name, groupOf, minGroups, filledGroups } of spread.asked) {
    const count = filledCount(replicas, candidates, { groupOf });
    if (count >= minGroups) continue;
    let why = 'the division takes no more';
    if (total < minGroups) why = `there are ${total}`;
    else if (count < filledGroups) why = 'the others have no room';
    lacks.push(`; replicas in ${count} of at least ${minGroups} ${name}: ${why}`);
  }
  return lacks.join('');
}

function filledCount(
  replicas: readonly number[],
  candidates: readonly Candidate[],
  { groupOf }: Pick<FilledDimension, 'groupOf'>,
): number {
  const groups = new Set<string>();
  candidates.forEach(({ cell }, i) => {
    if ((replicas[i] as number) > 0) groups.add(groupOf(cell));
  });
  return groups.size;
}
