import type { Division } from './divide.ts';

/** How the members of one group share what the group gets. */
export interface GroupDivider {
  /** Replicas that member `i` can hold, those that it holds included. */
  readonly roomOf: (i: number) => number;
  /** Shares replicas among the members of one group. */
  readonly divide: (replicas: number, members: readonly number[]) => Division;
}

/**
 * Brings a division to where no group has more than `maxSkew` replicas more than any other: groups above are cut, groups
 * below are filled, to the level that moves the fewest replicas; only these groups are divided anew. Refuses when the
 * groups have not the room for it.
 */
export function levelGroups(
  replicas: readonly number[],
  groups: readonly (readonly number[])[],
  maxSkew: number,
  divider: GroupDivider,
): Division {
  const sums = groups.map((members) => members.reduce((sum, i) => sum + (replicas[i] as number), 0));
  const rooms = groups.map((members) => members.reduce((sum, i) => sum + divider.roomOf(i), 0));
  const shares = levelShares(sums, rooms, maxSkew);
  if (shares === undefined) {
    return {
      ok: false,
      message: `the groups have not the room to differ by no more than ${maxSkew} replicas`,
    };
  }
  const levelled = [...replicas];
  for (let g = 0; g < groups.length; g++) {
    if (shares[g] === sums[g]) continue;
    const members = groups[g] as readonly number[];
    const division = divider.divide(shares[g] as number, members);
    if (!division.ok) return division;
    members.forEach((i, at) => {
      levelled[i] = division.replicas[at] as number;
    });
  }
  return { ok: true, replicas: levelled };
}

/**
 * The shares nearest to `sums`, of the same total, that differ by at most `maxSkew` and stay within `rooms`: each sum is
 * clamped to [level, level + maxSkew], and what is left over goes to or comes from groups that may still move. Undefined
 * when there are none.
 *
 *   9, 1, 0 with a skew of 2 → 4, 3, 3 or, with room for 2 in the last, 4, 4, 2
 */
export function levelShares(
  sums: readonly number[],
  rooms: readonly number[],
  maxSkew: number,
): number[] | undefined {
  const total = sums.reduce((sum, one) => sum + one, 0);
  const clamped = (level: number): number[] =>
    sums.map((sum, g) => Math.min(Math.max(sum, level), level + maxSkew, rooms[g] as number));
  const top = Math.min(Math.floor(total / sums.length), ...rooms);
  const reach = (level: number): number =>
    rooms.reduce((sum, room) => sum + Math.min(level + maxSkew, room), 0);
  if (reach(top) < total) return undefined;
  // The lowest level from which the total can be reached by raising alone, and the clamped sums do not fall short of it.
  let low = 0;
  let high = top;
  while (low < high) {
    const middle = (low + high) >> 1;
    const enough = clamped(middle).reduce((sum, one) => sum + one, 0) >= total && reach(middle) >= total;
    if (enough) high = middle;
    else low = middle + 1;
  }
  const shares = clamped(low);
  let over = shares.reduce((sum, one) => sum + one, 0) - total;
  for (; over > 0; over--) {
    const g = extreme(shares, (share) => (share > low ? share : undefined));
    shares[g] = (shares[g] as number) - 1;
  }
  for (; over < 0; over++) {
    const g = extreme(shares, (share, at) =>
      share < Math.min(low + maxSkew, rooms[at] as number) ? -share : undefined,
    );
    shares[g] = (shares[g] as number) + 1;
  }
  return shares;
}

/** Index of the greatest rank; the first of equals. */
function extreme(
  shares: readonly number[],
  rankOf: (share: number, at: number) => number | undefined,
): number {
  let best = -1;
  let bestRank = Number.NEGATIVE_INFINITY;
  shares.forEach((share, at) => {
    const rank = rankOf(share, at);
    if (rank !== undefined && rank > bestRank) {
      best = at;
      bestRank = rank;
    }
  });
  return best;
}
