import type { Atoms } from './atoms.ts';
import type { Division } from './division.ts';
import { type Levelled, levelAtoms } from './level-atoms.ts';
import { type LevelBudget, levelBudget } from './level-budget.ts';
import type { Atom, LevelDimension } from './level-problem.ts';
import { levelRange, levelShares } from './skew.ts';

/** How the members of one group share what the group gets. */
export interface GroupDivider {
  /** Replicas that member `i` can hold, those that it holds included. */
  readonly roomOf: (i: number) => number;
  /** Shares replicas among the members of one group. */
  readonly divide: (replicas: number, members: readonly number[]) => Division;
}

/** A constraint over groups, by which none may have more than `maxSkew` replicas more than any other. */
interface Skewed {
  readonly name: string;
  readonly maxSkew: number;
}

/**
 * Brings a division to where every constraint's groups differ by no more than its `maxSkew`: what is above is cut, what is below
 * is filled, so that few replicas move; only what changes is divided anew. Refuses when the groups have not the room for it.
 */
export function levelGroups(
  replicas: readonly number[],
  { members, groups, groupCounts }: Atoms,
  constraints: readonly Skewed[],
  divider: GroupDivider,
): Division {
  const sums = members.map((list) => list.reduce((sum, i) => sum + (replicas[i] as number), 0));
  const rooms = members.map((list) => list.reduce((sum, i) => sum + divider.roomOf(i), 0));
  const [only] = constraints;
  const { shares, isKnown }: { readonly shares: readonly number[] | undefined; readonly isKnown?: boolean } =
    constraints.length === 1 && only !== undefined
      ? { shares: levelShares(sums, rooms, only.maxSkew) }
      : levelSeveral(sums, rooms, groups, dimensionsOf(constraints, groupCounts));
  if (shares === undefined) return { ok: false, message: refusalOf(constraints, isKnown) };
  const levelled = [...replicas];
  for (let a = 0; a < members.length; a++) {
    if (shares[a] === sums[a]) continue;
    const list = members[a] as readonly number[];
    const division = divider.divide(shares[a] as number, list);
    if (!division.ok) return division;
    list.forEach((i, at) => {
      levelled[i] = division.replicas[at] as number;
    });
  }
  return { ok: true, replicas: levelled };
}

/**
 * Why candidates with so much room cannot take so many replicas and keep the skew of all constraints; undefined when they can.
 * For choosing them: with more groups it may be otherwise.
 */
export function levellingRefusal(
  replicas: number,
  rooms: readonly number[],
  { members, groups, groupCounts }: Atoms,
  constraints: readonly Skewed[],
  budget: LevelBudget,
): string | undefined {
  const roomy = members.map((list) => list.reduce((sum, i) => sum + (rooms[i] as number), 0));
  const [only] = constraints;
  if (constraints.length === 1 && only !== undefined) {
    return levelRange(roomy, roomy, only.maxSkew, replicas) === undefined
      ? refusalOf(constraints)
      : undefined;
  }
  const atoms = atomsWith(proportional(replicas, roomy), roomy, groups);
  const levelled: Levelled = levelAtoms(atoms, dimensionsOf(constraints, groupCounts), replicas, budget);
  return levelled.shares === undefined ? refusalOf(constraints, levelled.isKnown) : undefined;
}

/** From what there is; where none is found from there, from where every room is used alike, as when cells are chosen. */
function levelSeveral(
  sums: readonly number[],
  rooms: readonly number[],
  groups: Atoms['groups'],
  dimensions: readonly LevelDimension[],
): Levelled {
  const total = sums.reduce((one, sum) => one + sum, 0);
  const budget = levelBudget();
  const levelled = levelAtoms(atomsWith(sums, rooms, groups), dimensions, total, budget);
  if (levelled.shares !== undefined || levelled.isKnown) return levelled;
  return levelAtoms(atomsWith(proportional(total, rooms), rooms, groups), dimensions, total, budget);
}

function dimensionsOf(constraints: readonly Skewed[], groupCounts: readonly number[]): LevelDimension[] {
  return constraints.map(({ maxSkew }, d) => ({ groupCount: groupCounts[d] as number, maxSkew, least: 0 }));
}

function atomsWith(has: readonly number[], rooms: readonly number[], groups: Atoms['groups']): Atom[] {
  return rooms.map((room, a) => ({ groups: groups[a] as readonly number[], room, has: has[a] as number }));
}

/** As much of every room; one without a limit is as good as one for all. */
function proportional(total: number, rooms: readonly number[]): number[] {
  const limited = rooms.map((room) => Math.min(room, total));
  const part = total / limited.reduce((sum, room) => sum + room, 0);
  let left = total;
  return limited.map((room) => {
    const share = Math.min(left, Math.ceil(room * part));
    left -= share;
    return share;
  });
}

/** `isKnown`: there is no way; else none was found. */
function refusalOf(constraints: readonly Skewed[], isKnown = true): string {
  const [only] = constraints;
  if (constraints.length === 1 && only !== undefined)
    return `the groups have not the room to differ by no more than ${only.maxSkew} replicas`;
  const each = constraints.map(({ name, maxSkew }) => `${maxSkew} by ${name}`).join(' and ');
  if (!isKnown) return `no way was found to differ by no more replicas than ${each}: not all were tried`;
  return `the groups have not the room to differ by no more replicas than ${each}`;
}
