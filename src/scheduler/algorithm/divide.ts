import { atomsOf } from './atoms.ts';
import type { Candidate } from './candidate.ts';
import { type CompiledPlacement, plannedWeight, staticWeights } from './compile.ts';
import type { Division } from './division.ts';
import { type FillRules, fillGroups, keepsSkews } from './fill-groups.ts';
import { levelGroups } from './level-groups.ts';
import { type PlannedCell, planReplicas } from './plan-replicas.ts';
import { coarserFirst, compareNames } from './select.ts';
import type { SpreadDimension } from './spread.ts';
import { claimOrder, divideByWebster, type Party } from './webster.ts';

/** What breaks ties between cells. */
export interface TieBreak {
  readonly uid: string;
  /** `<namespace>/<name>`. */
  readonly key?: string | undefined;
}

/** Shares `desired` replicas over the selected cells (PLACEMENT.md 2 and 6), within what inherited policies ask for. */
export function divideReplicas(
  desired: number,
  candidates: readonly Candidate[],
  placement: CompiledPlacement,
  tie: TieBreak,
): Division {
  const { division, spread } = placement;
  if (division.type === 'Duplicated') return { ok: true, replicas: candidates.map(() => desired) };
  const divided = divideFreely(desired, candidates, placement, tie);
  if (spread === undefined || !divided.ok) return divided;
  const skewed = coarserFirst(spread.dimensions, candidates).filter(
    ({ maxSkew }) => maxSkew < Number.POSITIVE_INFINITY,
  );
  const levelled =
    skewed.length === 0 ? divided : divideLevelly(divided.replicas, candidates, placement, skewed, tie);
  if (spread.filled.length === 0 || !levelled.ok) return levelled;
  const rules = fillRules(levelled.replicas, candidates, placement, tie);
  const replicas = fillGroups(levelled.replicas, candidates, spread.filled, rules);
  return keepsSkews(replicas, candidates, skewed) ? { ok: true, replicas } : levelled;
}

function divideLevelly(
  replicas: readonly number[],
  candidates: readonly Candidate[],
  placement: CompiledPlacement,
  skewed: readonly SpreadDimension[],
  tie: TieBreak,
): Division {
  return levelGroups(replicas, atomsOf(candidates, skewed), skewed, {
    roomOf: (i) => {
      const { previous, available } = candidates[i] as Candidate;
      return placement.division.type === 'Static' ? Number.POSITIVE_INFINITY : previous + available;
    },
    divide: (share, members) => {
      const cells = members.map((i) => candidates[i] as Candidate);
      return divideFreely(share, cells, placement, tie);
    },
  });
}

/**
 * First replicas go where the division itself would give the first one, and come from where it gave the last, so that another
 * replica moves none: by weights as Webster's method has it, else from what is new and from the largest share.
 */
function fillRules(
  replicas: readonly number[],
  candidates: readonly Candidate[],
  { division }: CompiledPlacement,
  { uid }: TieBreak,
): FillRules {
  if (division.type === 'Static') {
    const parties = partiesOf(candidates, staticWeights(candidates));
    const none = replicas.map(() => 0);
    return {
      prefers: claimOrder(parties, none, uid),
      givers(shares) {
        const lastSeats = shares.map((seats) => seats - 1);
        const isEarlier = claimOrder(parties, lastSeats, uid);
        return (a, b) => isEarlier(b, a);
      },
      hasRoom: () => true,
      fromZero: true,
    };
  }
  const of = (i: number): Candidate => candidates[i] as Candidate;
  const share = (i: number): number => replicas[i] as number;
  return {
    prefers: (a, b) => {
      const used = Number(of(b).previous > 0) - Number(of(a).previous > 0);
      const order =
        used || of(a).tier - of(b).tier || share(b) - share(a) || of(b).available - of(a).available;
      return order === 0 ? compareNames(of(a), of(b)) < 0 : order < 0;
    },
    givers(shares) {
      const grown = (i: number): number => Math.max(0, (shares[i] as number) - of(i).previous);
      return (a, b) => {
        const order = grown(b) - grown(a) || (shares[b] as number) - (shares[a] as number);
        return order === 0 ? compareNames(of(a), of(b)) > 0 : order < 0;
      };
    },
    hasRoom: (i) => {
      if (of(i).previous + of(i).available < 1) return false;
      return division.type !== 'Planned' || (plannedWeight(division, of(i).cell)?.maxReplicas ?? 0) >= 1;
    },
    fromZero: false,
  };
}

function partiesOf(candidates: readonly Candidate[], weights: readonly number[]): Party[] {
  return candidates.map(({ cell }, i) => ({ name: cell.name, weight: weights[i] as number }));
}

/** Without regard to maxSkew and to inherited policies. */
function divideFreely(
  desired: number,
  candidates: readonly Candidate[],
  placement: CompiledPlacement,
  tie: TieBreak,
): Division {
  const { division } = placement;
  if (division.type === 'Static') {
    const parties = partiesOf(candidates, staticWeights(candidates));
    return { ok: true, replicas: divideByWebster(desired, parties, tie.uid) };
  }
  if (division.type === 'Planned') return divideByPlan(desired, candidates, division, tie);
  const aggregated = division.type === 'Aggregated';
  const last = candidates.reduce((most, { tier }) => Math.max(most, tier), 0);
  if (last > 0) return divideByTier(desired, candidates, last, aggregated, tie.uid);
  return divideDynamically(desired, candidates, aggregated, tie.uid);
}

/** Fills tier by tier and gives back in reverse; within a tier as without tiers (PLACEMENT.md 1, overflowAffinities). */
function divideByTier(
  desired: number,
  candidates: readonly Candidate[],
  last: number,
  aggregated: boolean,
  uid: string,
): Division {
  const tiers: number[][] = Array.from({ length: last + 1 }, () => []);
  candidates.forEach(({ tier }, i) => {
    tiers[tier]?.push(i);
  });
  const sum = (members: readonly number[], of: (candidate: Candidate) => number): number =>
    members.reduce((total, i) => total + of(candidates[i] as Candidate), 0);
  const shares = tiers.map((members) => sum(members, ({ previous }) => previous));
  let missing = desired - shares.reduce((total, one) => total + one, 0);
  for (let t = 0; t <= last && missing > 0; t++) {
    const more = Math.min(
      missing,
      sum(tiers[t] as number[], ({ available }) => available),
    );
    shares[t] = (shares[t] as number) + more;
    missing -= more;
  }
  for (let t = last; t >= 0 && missing < 0; t--) {
    const less = Math.min(-missing, shares[t] as number);
    shares[t] = (shares[t] as number) - less;
    missing += less;
  }
  if (missing > 0) {
    return {
      ok: false,
      message: `${missing} more replicas are needed than all overflow tiers have room for`,
    };
  }
  const replicas = candidates.map(() => 0);
  for (let t = 0; t <= last; t++) {
    const members = tiers[t] as number[];
    const division = divideDynamically(
      shares[t] as number,
      members.map((i) => candidates[i] as Candidate),
      aggregated,
      uid,
    );
    if (!division.ok) return division;
    members.forEach((i, at) => {
      replicas[i] = division.replicas[at] as number;
    });
  }
  return { ok: true, replicas };
}

/** All or nothing: what minima, maxima and room leave unplaced makes the whole wait. */
function divideByPlan(
  desired: number,
  candidates: readonly Candidate[],
  division: Extract<CompiledPlacement['division'], { type: 'Planned' }>,
  { key = '' }: TieBreak,
): Division {
  const cells = candidates.map(({ cell, previous, available }): PlannedCell => {
    const rule = plannedWeight(division, cell);
    return {
      name: cell.name,
      weight: rule?.weight ?? 0,
      minReplicas: rule?.minReplicas ?? 0,
      maxReplicas: rule?.maxReplicas ?? Number.POSITIVE_INFINITY,
      priority: rule?.priority ?? 0,
      current: previous,
      capacity: previous + available,
    };
  });
  const { replicas, unplaced } = planReplicas(desired, cells, key, division.rebalance);
  if (unplaced === 0) return { ok: true, replicas };
  const message = `${unplaced} of ${desired} replicas do not fit within maxReplicas and the room of the cells`;
  return { ok: false, message };
}

/** Steady mode: what is placed moves as little as possible, only the difference is shared out. */
function divideDynamically(
  desired: number,
  candidates: readonly Candidate[],
  aggregated: boolean,
  uid: string,
): Division {
  const assigned = candidates.reduce((sum, { previous }) => sum + previous, 0);
  const previous = candidates.map((candidate) => candidate.previous);
  if (assigned === desired) return { ok: true, replicas: previous };
  if (desired < assigned) return { ok: true, replicas: scaleDown(desired, candidates, aggregated, uid) };
  const delta = desired - assigned;
  const available = candidates.reduce((sum, candidate) => sum + candidate.available, 0);
  if (available < delta) {
    return { ok: false, message: `${delta} more replicas are needed, the cells have room for ${available}` };
  }
  const weightOf = (i: number): number => (candidates[i] as Candidate).available;
  const shares = previous;
  if (!aggregated) {
    addShares(shares, delta, Array.from(candidates.keys()), candidates, weightOf, uid);
    return { ok: true, replicas: shares };
  }
  const order = Array.from(candidates.keys()).sort((a, b) => {
    const one = candidates[a] as Candidate;
    const two = candidates[b] as Candidate;
    const used = Number(two.previous > 0) - Number(one.previous > 0);
    return used || two.available - one.available || compareNames(one, two);
  });
  addShares(shares, delta, prefixHolding(order, weightOf, delta), candidates, weightOf, uid);
  return { ok: true, replicas: shares };
}

/** Weights are the replicas placed; Aggregated keeps only the largest cells that together hold enough. */
function scaleDown(
  desired: number,
  candidates: readonly Candidate[],
  aggregated: boolean,
  uid: string,
): number[] {
  const weightOf = (i: number): number => (candidates[i] as Candidate).previous;
  const order = Array.from(candidates.keys());
  if (aggregated) {
    order.sort(
      (a, b) =>
        weightOf(b) - weightOf(a) || compareNames(candidates[a] as Candidate, candidates[b] as Candidate),
    );
  }
  const shares = candidates.map(() => 0);
  const members = aggregated ? prefixHolding(order, weightOf, desired) : order;
  addShares(shares, desired, members, candidates, weightOf, uid);
  return shares;
}

/** The shortest prefix whose weights sum to at least `needed`. */
function prefixHolding(
  order: readonly number[],
  weightOf: (i: number) => number,
  needed: number,
): readonly number[] {
  let sum = 0;
  for (let length = 0; length < order.length; length++) {
    if (sum >= needed) return order.slice(0, length);
    sum += weightOf(order[length] as number);
  }
  return order;
}

/** Adds the seats of each member to its share. */
function addShares(
  shares: number[],
  seats: number,
  members: readonly number[],
  candidates: readonly Candidate[],
  weightOf: (i: number) => number,
  uid: string,
): void {
  const parties = members.map((i) => ({ name: (candidates[i] as Candidate).cell.name, weight: weightOf(i) }));
  const seatsOf = divideByWebster(seats, parties, uid);
  for (let at = 0; at < members.length; at++) {
    const i = members[at] as number;
    shares[i] = (shares[i] as number) + (seatsOf[at] as number);
  }
}
