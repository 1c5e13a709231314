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
  const low = levelRange(sums, rooms, maxSkew, total)?.best;
  if (low === undefined) return undefined;
  const shares = clamped(sums, rooms, maxSkew, low);
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

/**
 * What the least of the groups may be, where all are to add up to `total`, differ by at most `maxSkew` and stay within `rooms`;
 * `best`: where the fewest move. Undefined when there is no such level.
 */
export function levelRange(
  sums: readonly number[],
  rooms: readonly number[],
  maxSkew: number,
  total: number,
): { readonly best: number; readonly lowest: number; readonly highest: number } | undefined {
  const highest = Math.min(Math.floor(total / sums.length), ...rooms);
  const reaches = (level: number): boolean =>
    rooms.reduce((sum, room) => sum + Math.min(level + maxSkew, room), 0) >= total;
  if (!reaches(highest)) return undefined;
  const lowest = firstLevel(0, highest, reaches);
  // The lowest level from which the clamped sums do not fall short of the total.
  const best = firstLevel(lowest, highest, (level) => {
    return clamped(sums, rooms, maxSkew, level).reduce((sum, one) => sum + one, 0) >= total;
  });
  return { best, lowest, highest };
}

/** The lowest level from `low` to `high` that holds; `high` where none below does. What holds at one holds at all above. */
function firstLevel(low: number, high: number, holds: (level: number) => boolean): number {
  let [from, to] = [low, high];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (holds(middle)) to = middle;
    else from = middle + 1;
  }
  return from;
}

function clamped(
  sums: readonly number[],
  rooms: readonly number[],
  maxSkew: number,
  level: number,
): number[] {
  return sums.map((sum, g) => Math.min(Math.max(sum, level), level + maxSkew, rooms[g] as number));
}

export function isWithinSkew(sums: readonly number[], maxSkew: number): boolean {
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  for (const sum of sums) {
    if (sum < least) least = sum;
    if (sum > most) most = sum;
  }
  return most - least <= maxSkew || sums.length === 0;
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
