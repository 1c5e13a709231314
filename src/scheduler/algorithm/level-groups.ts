import type { Atoms } from './atoms.ts';
import type { Division } from './divide.ts';
import { levelAtoms } from './level-atoms.ts';
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
  const shares =
    constraints.length === 1 && only !== undefined
      ? levelShares(sums, rooms, only.maxSkew)
      : levelAtoms(
          groups.map((numbers, a) => ({
            groups: numbers,
            room: rooms[a] as number,
            has: sums[a] as number,
          })),
          constraints.map(({ maxSkew }, d) => ({ groupCount: groupCounts[d] as number, maxSkew, least: 0 })),
          sums.reduce((total, sum) => total + sum, 0),
        );
  if (shares === undefined) return { ok: false, message: refusalOf(constraints) };
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
): string | undefined {
  const roomy = members.map((list) => list.reduce((sum, i) => sum + (rooms[i] as number), 0));
  const [only] = constraints;
  if (constraints.length === 1 && only !== undefined) {
    return levelRange(roomy, roomy, only.maxSkew, replicas) === undefined
      ? refusalOf(constraints)
      : undefined;
  }
  let left = replicas;
  const share = replicas / roomy.reduce((sum, room) => sum + room, 0);
  const atoms = roomy.map((room, a) => {
    const has = Math.min(left, Math.ceil(room * share));
    left -= has;
    return { groups: groups[a] as readonly number[], room, has };
  });
  const dimensions = constraints.map(({ maxSkew }, d) => ({
    groupCount: groupCounts[d] as number,
    maxSkew,
    least: 0,
  }));
  return levelAtoms(atoms, dimensions, replicas) === undefined ? refusalOf(constraints) : undefined;
}

function refusalOf(constraints: readonly Skewed[]): string {
  const [only] = constraints;
  if (constraints.length === 1 && only !== undefined)
    return `the groups have not the room to differ by no more than ${only.maxSkew} replicas`;
  const each = constraints.map(({ name, maxSkew }) => `${maxSkew} by ${name}`).join(' and ');
  return `the groups have not the room to differ by no more replicas than ${each}`;
}
