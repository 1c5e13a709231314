import { atomsOf } from './atoms.ts';
import type { Candidate } from './candidate.ts';
import type { CellSnapshot } from './cell.ts';
import type { CompiledPlacement } from './compile.ts';
import { levelAtoms } from './level-atoms.ts';
import { type LevelBudget, levelBudget } from './level-budget.ts';
import { levellingRefusal } from './level-groups.ts';
import { byGroupRank, chooseGroups, fewestGroups, type GroupChoice } from './select-groups.ts';
import { isWithinSkew } from './skew.ts';
import type { CompiledSpread, SpreadDimension } from './spread.ts';

export type Selection =
  | {
      readonly ok: true;
      /** By name. */
      readonly selected: readonly Candidate[];
    }
  | { readonly ok: false; readonly message: string };

/** What selection needs to know of the template. */
export interface Demand {
  /** That the candidates are of. */
  readonly snapshot: CellSnapshot;
  /** Replicas that must find room in the selected cells together; 0 when room does not matter. */
  readonly needed: number;
  /** Replicas of the template, divided or not; 0 for kinds without. */
  readonly replicas: number;
  /** Replicas are shared out over cells. */
  readonly divided: boolean;
}

/** With what its searches may cost together. */
interface BudgetedDemand extends Demand {
  readonly budget: LevelBudget;
}

/**
 * Picks the cells that may be used (PLACEMENT.md 2, Selection): all of them without a spread constraint. With constraints
 * over groups (region, zone, provider, pop, label) the groups are chosen first, coarser ones before finer ones, as few as
 * minGroups and the constraints to come allow; then the best cell of every chosen group and the best of the rest, up to the
 * constraint over cells. When the replicas do not fit, cells that hold nothing and that no group depends on are exchanged,
 * from the last upward, for roomier ones.
 *
 * Nothing is enumerated: O(n log n) in cells and O(g²) in groups. What is selected keeps all constraints. With one
 * constraint over groups beside the one over cells a selection is found whenever there is one, as far as room allows;
 * with several, groups that do not lie within one another may hide one.
 */
export function selectCells(
  candidates: readonly Candidate[],
  { spread }: CompiledPlacement,
  wanted: Demand,
): Selection {
  if (spread === undefined) return { ok: true, selected: candidates };
  const demand = { ...wanted, budget: levelBudget() };
  if (spread.dimensions.length === 0) return pickCells(candidates, spread, [], demand);
  if (spread.dimensions.length === 1) return narrow(candidates, spread, spread.dimensions, 0, demand);
  const located = candidates.filter(({ cell }) =>
    spread.dimensions.every(({ groupOf }) => groupOf(cell) !== ''),
  );
  return narrow(located, spread, coarserFirst(spread.dimensions, located), 0, demand);
}

/** What has fewer groups is coarser. */
export function coarserFirst(
  dimensions: readonly SpreadDimension[],
  candidates: readonly Candidate[],
): readonly SpreadDimension[] {
  if (dimensions.length < 2) return dimensions;
  return dimensions
    .map((dimension) => ({ dimension, count: distinct(candidates, dimension) }))
    .sort((a, b) => a.count - b.count)
    .map(({ dimension }) => dimension);
}

/** Chooses the groups of one dimension, and goes on with the cells that lie in them. */
function narrow(
  candidates: readonly Candidate[],
  spread: CompiledSpread,
  dimensions: readonly SpreadDimension[],
  at: number,
  demand: BudgetedDemand,
): Selection {
  const dimension = dimensions[at];
  if (dimension === undefined) return pickCells(candidates, spread, dimensions, demand);
  const finer = dimensions.slice(at + 1);
  const members = groupBy(candidates, dimension, demand.snapshot);
  const groups = Array.from(members, ([name, cells]) => choiceOf(name, cells, dimension, finer, demand));
  const targets = [spread.minCells, demand.needed, ...finer.map(({ minGroups }) => minGroups)];
  const { name, minGroups, maxGroups } = dimension;
  if (groups.length < minGroups) {
    const fit = groups.length === 1 ? `1 group by ${name} fits` : `${groups.length} groups by ${name} fit`;
    const message = `${fit}, the spread constraint asks for at least ${minGroups}`;
    return { ok: false, message };
  }
  const most = Math.min(
    maxGroups,
    spread.maxCells,
    groups.length,
    // Each chosen group needs one of a finer dimension, unless these may cross.
    ...finer.map((one) => (one.minGroups > 1 || one.maxGroups >= minGroups ? one.maxGroups : maxGroups)),
  );
  const fixed = representatives(groups, members, dimensions.slice(0, at));
  let failure: Selection = {
    ok: false,
    message: `no ${most} groups by ${name} have the cells and the room that the spread constraints ask for`,
  };
  for (const kept of withHeld(fixed, groups, most, demand)) {
    const least = fewestGroups(groups, targets, minGroups, most, kept);
    // One try is enough where one target decides; several targets at once may need more groups than each for itself.
    for (let count = least ?? Number.POSITIVE_INFINITY; count <= most; count = Math.min(most, count * 2)) {
      const chosen = chooseGroups(groups, targets, count, kept);
      if (chosen !== undefined) {
        const selection = narrow(
          chosen.flatMap((choice) => members.get(choice.name) as Candidate[]),
          spread,
          dimensions,
          at + 1,
          demand,
        );
        if (selection.ok) return selection;
        failure = selection;
      }
      if (count === most) break;
    }
  }
  return failure;
}

/** Groups that must be among the chosen: where room decides first with those that hold replicas, so that another one moves none. */
function withHeld(
  fixed: Set<GroupChoice>,
  groups: readonly GroupChoice[],
  most: number,
  { needed }: Demand,
): Set<GroupChoice>[] {
  if (needed <= 0) return [fixed];
  const kept = new Set([...fixed, ...groups.filter(({ held }) => held)]);
  return kept.size > fixed.size && kept.size <= most ? [kept, fixed] : [fixed];
}

/** The best group in each group of the dimensions before: none of those chosen there may be lost. */
function representatives(
  groups: readonly GroupChoice[],
  members: ReadonlyMap<string, readonly Candidate[]>,
  coarser: readonly SpreadDimension[],
): Set<GroupChoice> {
  const fixed = new Set<GroupChoice>();
  if (coarser.length === 0) return fixed;
  const ranked = [...groups].sort(byGroupRank);
  for (const { groupOf } of coarser) {
    const covered = new Set<string>();
    const cover = (group: GroupChoice): boolean => {
      const before = covered.size;
      for (const { cell } of members.get(group.name) ?? []) covered.add(groupOf(cell));
      return covered.size > before;
    };
    for (const group of fixed) cover(group);
    for (const group of ranked) if (!fixed.has(group) && cover(group)) fixed.add(group);
  }
  return fixed;
}

/**
 * PLACEMENT.md 2: divided, 1000·min(room, ⌈replicas/minGroups⌉) + mean score; else 1000·(cells able to hold all replicas)
 * + mean score.
 */
function choiceOf(
  name: string,
  cells: readonly Candidate[],
  { minGroups }: SpreadDimension,
  finer: readonly SpreadDimension[],
  { needed, replicas, divided }: Demand,
): GroupChoice {
  let space = 0;
  let able = 0;
  let scores = 0;
  let held = false;
  for (const candidate of cells) {
    const has = room(candidate);
    space += has;
    if (has >= replicas) able++;
    scores += candidate.score;
    if (candidate.held) held = true;
  }
  const mean = scores / cells.length;
  const weight =
    divided && needed > 0 ? Math.min(space, Math.ceil(replicas / minGroups)) : divided ? cells.length : able;
  return {
    name,
    held,
    score: 1000 * weight + mean,
    brings: [cells.length, space, ...finer.map((one) => distinct(cells, one))],
  };
}

/** The best cell of every group, then the best of the rest (PLACEMENT.md 2). */
function pickCells(
  candidates: readonly Candidate[],
  spread: CompiledSpread,
  dimensions: readonly SpreadDimension[],
  { needed, replicas, divided, budget }: BudgetedDemand,
): Selection {
  const { minCells, maxCells } = spread;
  if (candidates.length < minCells) {
    const fit = candidates.length === 1 ? '1 cell fits' : `${candidates.length} cells fit`;
    const message = `${fit}, the spread constraint asks for at least ${minCells}`;
    return { ok: false, message };
  }
  const skewed = divided ? [] : dimensions.filter(isSkewed);
  if (candidates.length <= maxCells && needed <= 0 && dimensions.length === 0)
    return { ok: true, selected: candidates };
  const ranked = [...candidates].sort(byRank);
  let selected = new Set<Candidate>();
  for (let i = dimensions.length - 1; i >= 0; i--)
    coverGroups(ranked, dimensions[i] as SpreadDimension, selected);
  if (selected.size > maxCells) {
    return {
      ok: false,
      message: `one cell in each group makes ${selected.size} cells, more than ${maxCells}`,
    };
  }
  if (skewed.length === 0) {
    for (const candidate of ranked) {
      if (selected.size >= maxCells) break;
      selected.add(candidate);
    }
  } else {
    fillEvenly(ranked, skewed, maxCells, selected);
    if (selected.size < minCells || !keepsSkew(selected, skewed)) {
      const levelled = levelCells(ranked, dimensions, { minCells, maxCells }, selected, budget);
      if (levelled === undefined) {
        const each = skewed.map(({ name, maxSkew }) => `${maxSkew} by ${name}`).join(' and ');
        return { ok: false, message: `no choice of cells differs by no more than ${each}` };
      }
      fillEvenly(ranked, skewed, maxCells, levelled);
      selected = levelled;
    }
  }
  if (selected.size < minCells) {
    return {
      ok: false,
      message: `maxSkew lets ${selected.size} cells in, at least ${minCells} are asked for`,
    };
  }
  const total = makeRoom(ranked, dimensions, needed, selected);
  if (total < needed) {
    return {
      ok: false,
      message: `${needed} replicas do not fit into ${selected.size} cells: room for ${total}`,
    };
  }
  const result = [...selected].sort(compareNames);
  const levelled = divided && needed > 0 ? dimensions.filter(isSkewed) : [];
  if (levelled.length > 0) {
    const message = levellingRefusal(replicas, result.map(room), atomsOf(result, levelled), levelled, budget);
    if (message !== undefined) return { ok: false, message };
  }
  for (const dimension of dimensions) {
    const count = distinct(result, dimension);
    const { name, minGroups, maxGroups } = dimension;
    if (count >= minGroups && count <= maxGroups) continue;
    return { ok: false, message: `the spread constraints were not met together: ${count} groups by ${name}` };
  }
  return { ok: true, selected: result };
}

function isSkewed({ maxSkew }: SpreadDimension): boolean {
  return maxSkew < Number.POSITIVE_INFINITY;
}

/** Takes the best cell of each group that has none yet. */
function coverGroups(
  ranked: readonly Candidate[],
  { groupOf }: SpreadDimension,
  selected: Set<Candidate>,
): void {
  const covered = new Set<string>();
  for (const { cell } of selected) covered.add(groupOf(cell));
  for (const candidate of ranked) {
    const group = groupOf(candidate.cell);
    if (covered.has(group)) continue;
    covered.add(group);
    selected.add(candidate);
  }
}

/** The best of the rest, as long as no group gets more than maxSkew cells ahead of the one with the fewest. */
function fillEvenly(
  ranked: readonly Candidate[],
  skewed: readonly SpreadDimension[],
  maxCells: number,
  selected: Set<Candidate>,
): void {
  const tallies = skewed.map((dimension) => ({
    ...dimension,
    counts: countCells(ranked, selected, dimension),
  }));
  for (let grown = true; grown; ) {
    grown = false;
    const ceilings = tallies.map(({ counts, maxSkew }) => Math.min(...counts.values()) + maxSkew);
    for (const candidate of ranked) {
      if (selected.size >= maxCells) return;
      if (selected.has(candidate)) continue;
      const { cell } = candidate;
      const isAhead = tallies.some(
        ({ counts, groupOf }, d) => (counts.get(groupOf(cell)) as number) >= (ceilings[d] as number),
      );
      if (isAhead) continue;
      selected.add(candidate);
      for (const { counts, groupOf } of tallies)
        counts.set(groupOf(cell), (counts.get(groupOf(cell)) as number) + 1);
      grown = true;
    }
  }
}

/** By group: how many cells of it are selected, 0 for groups that have none. */
function countCells(
  ranked: readonly Candidate[],
  selected: ReadonlySet<Candidate>,
  { groupOf }: SpreadDimension,
): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { cell } of ranked) counts.set(groupOf(cell), 0);
  for (const { cell } of selected) counts.set(groupOf(cell), (counts.get(groupOf(cell)) as number) + 1);
  return counts;
}

function keepsSkew(selected: ReadonlySet<Candidate>, skewed: readonly SpreadDimension[]): boolean {
  return skewed.every((dimension) =>
    isWithinSkew([...countCells([...selected], selected, dimension).values()], dimension.maxSkew),
  );
}

/** How many sizes of a selection are tried. */
const sizesMax = 32;

/**
 * As many cells as keep every maxSkew with one cell in each group at least: of those selected now as many as may stay, then the
 * best. Undefined when none was found.
 */
function levelCells(
  ranked: readonly Candidate[],
  dimensions: readonly SpreadDimension[],
  { minCells, maxCells }: { readonly minCells: number; readonly maxCells: number },
  selected: ReadonlySet<Candidate>,
  budget: LevelBudget,
): Set<Candidate> | undefined {
  const { members, groups, groupCounts } = atomsOf(ranked, dimensions);
  const atoms = members.map((list, a) => ({
    groups: groups[a] as readonly number[],
    room: list.length,
    has: list.filter((i) => selected.has(ranked[i] as Candidate)).length,
  }));
  const levels = dimensions.map(({ maxSkew }, d) => ({
    groupCount: groupCounts[d] as number,
    maxSkew,
    least: 1,
  }));
  const most = Math.min(maxCells, ranked.length);
  const least = Math.max(minCells, ...groupCounts);
  const step = Math.max(1, Math.ceil((most - least + 1) / sizesMax));
  for (let size = most; size >= least; size = size > least ? Math.max(least, size - step) : -1) {
    const { shares } = levelAtoms(atoms, levels, size, budget);
    if (shares === undefined) continue;
    const chosen = new Set<Candidate>();
    members.forEach((list, a) => {
      const cells = list.map((i) => ranked[i] as Candidate);
      const kept = [
        ...cells.filter((one) => selected.has(one)),
        ...cells.filter((one) => !selected.has(one)),
      ];
      for (const one of kept.slice(0, shares[a])) chosen.add(one);
    });
    return chosen;
  }
  return undefined;
}

/** Exchanges cells that hold nothing, from the last upward, for the roomiest outsiders. Returns the room there is then. */
function makeRoom(
  ranked: readonly Candidate[],
  dimensions: readonly SpreadDimension[],
  needed: number,
  selected: Set<Candidate>,
): number {
  let total = 0;
  for (const candidate of selected) total += room(candidate);
  if (total >= needed) return total;
  const groupKey = ({ cell }: Candidate): string => dimensions.map(({ groupOf }) => groupOf(cell)).join('\n');
  const outside = new Map<string, Candidate[]>();
  for (const candidate of ranked) {
    if (selected.has(candidate)) continue;
    const key = groupKey(candidate);
    const list = outside.get(key);
    if (list === undefined) outside.set(key, [candidate]);
    else list.push(candidate);
  }
  for (const list of outside.values()) list.sort((a, b) => room(a) - room(b) || compareNames(b, a));
  for (let i = ranked.length - 1; i >= 0 && total < needed; i--) {
    const worst = ranked[i] as Candidate;
    if (!selected.has(worst) || worst.previous > 0) continue;
    // Within the same groups, so that no group loses its last cell and none gets ahead.
    const list = outside.get(groupKey(worst));
    const best = list?.at(-1);
    if (best === undefined || room(best) <= room(worst)) continue;
    list?.pop();
    selected.delete(worst);
    selected.add(best);
    total += room(best) - room(worst);
  }
  return total;
}

/** Cells that tell no group are left out. */
function groupBy(
  candidates: readonly Candidate[],
  { groups }: SpreadDimension,
  snapshot: CellSnapshot,
): Map<string, Candidate[]> {
  const { numbers, names } = groups(snapshot);
  const lists = new Array<Candidate[] | undefined>(names.length).fill(undefined);
  const members = new Map<string, Candidate[]>();
  for (const candidate of candidates) {
    const number = numbers[candidate.index] as number;
    if (number === 0) continue;
    const list = lists[number];
    if (list !== undefined) list.push(candidate);
    else {
      const first = [candidate];
      lists[number] = first;
      members.set(names[number] as string, first);
    }
  }
  return members;
}

function distinct(candidates: readonly Candidate[], { groupOf }: SpreadDimension): number {
  const groups = new Set<string>();
  for (const { cell } of candidates) groups.add(groupOf(cell));
  return groups.size;
}

export function room(candidate: Candidate): number {
  return candidate.available + candidate.previous;
}

function byRank(a: Candidate, b: Candidate): number {
  return a.tier - b.tier || b.score - a.score || room(b) - room(a) || compareNames(a, b);
}

/** A snapshot is ordered by name, so the index tells. */
export function compareNames(a: Candidate, b: Candidate): number {
  return a.index - b.index;
}
