/** A group of cells as far as choosing among groups goes. */
export interface GroupChoice {
  readonly name: string;
  /** Holds the template already: such groups come first. */
  readonly held: boolean;
  /** Higher is better. */
  readonly score: number;
  /**
   * What the group brings towards each target; what several groups bring is taken to add up. The first is its number of
   * cells.
   */
  readonly brings: readonly number[];
}

/**
 * The fewest groups from `least` to `most` on that can reach all targets, each looked at for itself: the sum of what the
 * `fixed` groups bring and of the greatest contributions of others. Undefined when not even `most` can. Exact for one
 * target; a lower bound for several.
 */
export function fewestGroups(
  groups: readonly GroupChoice[],
  targets: readonly number[],
  least: number,
  most: number,
  fixed: ReadonlySet<GroupChoice> = new Set(),
): number | undefined {
  const limit = Math.min(most, groups.length);
  let count = Math.max(least, fixed.size);
  if (count > limit) return undefined;
  const others = groups.filter((group) => !fixed.has(group));
  for (let t = 0; t < targets.length; t++) {
    const target = targets[t] as number;
    if (target <= 0) continue;
    let sum = 0;
    for (const { brings } of fixed) sum += brings[t] as number;
    const amounts = others.map(({ brings }) => brings[t] as number).sort((a, b) => b - a);
    let more = 0;
    while (more < amounts.length && sum < target) sum += amounts[more++] as number;
    if (sum < target) return undefined;
    count = Math.max(count, fixed.size + more);
  }
  return count > limit ? undefined : count;
}

/**
 * Chooses `count` groups, the `fixed` among them, so that the targets are reached as far as `fewestGroups` can tell: goes
 * down the groups from the best (`byGroupRank`) and takes each that leaves the targets within reach of the greatest that
 * remain. Of all choices that reach a single target it is the first in that order, so nothing is enumerated: O(n · count)
 * for n groups. Undefined when the targets cannot be reached.
 */
export function chooseGroups(
  groups: readonly GroupChoice[],
  targets: readonly number[],
  count: number,
  fixed: ReadonlySet<GroupChoice> = new Set(),
): GroupChoice[] | undefined {
  if (groups.length < count || fixed.size > count) return undefined;
  const ranked = groups.filter((group) => !fixed.has(group)).sort(byGroupRank);
  const goals = targets
    .map((target, t) => ({ target, t }))
    .filter(({ target }) => target > 0)
    .map(({ target, t }) => {
      let reached = 0;
      for (const { brings } of fixed) reached += brings[t] as number;
      const amount = (i: number): number => (ranked[i] as GroupChoice).brings[t] as number;
      const greatest = Array.from(ranked.keys()).sort((a, b) => amount(b) - amount(a));
      return { target, reached, amount, greatest };
    });
  const chosen = [...fixed];
  const passed = new Array<boolean>(ranked.length).fill(false);
  for (let i = 0; i < ranked.length && chosen.length < count; i++) {
    passed[i] = true;
    const left = count - chosen.length - 1;
    const within = goals.every(({ target, reached, amount, greatest }) => {
      let sum = reached + amount(i);
      let taken = 0;
      for (const other of greatest) {
        if (taken === left || sum >= target) break;
        if (passed[other] === true) continue;
        sum += amount(other);
        taken++;
      }
      return sum >= target;
    });
    if (!within) continue;
    chosen.push(ranked[i] as GroupChoice);
    for (const goal of goals) goal.reached += goal.amount(i);
  }
  if (chosen.length !== count) return undefined;
  return goals.every(({ target, reached }) => reached >= target) ? chosen : undefined;
}

/** Held before others, then score, number of cells, name. */
export function byGroupRank(a: GroupChoice, b: GroupChoice): number {
  return (
    Number(b.held) - Number(a.held) ||
    b.score - a.score ||
    (b.brings[0] as number) - (a.brings[0] as number) ||
    (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)
  );
}
