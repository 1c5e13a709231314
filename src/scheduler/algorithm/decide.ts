import type { Placement } from '#api/policy/placement.ts';
import { isWithin } from './bounds.ts';
import type { Candidate } from './candidate.ts';
import { fitsIn, replicasThatFit, replicasThatFitBeside, unboundedReplicas } from './capacity.ts';
import { type CellInfo, toleratedUntilMs } from './cell.ts';
import {
  type AffinityGroup,
  type CompiledPlacement,
  compilePlacement,
  plannedWeight,
  staticWeights,
} from './compile.ts';
import type { Considered, Decision, DecisionInput, RefusalCode, Target } from './decision.ts';
import { divideReplicas } from './divide.ts';
import { unfilledGroups } from './fill-groups.ts';
import type { FilterContext, FilterPlugin } from './filter-plugin.ts';
import { filtersFor } from './filters.ts';
import { pointsOf, scoreCandidates } from './profile.ts';
import { type Demand, room, type Selection, selectCells } from './select.ts';
import { excludedThatStay, keptIn, mayFitLater, toldOf } from './staying.ts';

/**
 * Where a template goes: filter, score, select, divide. Pure and deterministic; does no I/O. Sticky: what is placed stays
 * while no explicit rule (affinity, project admission, kind allowance, NoExecute, deletion) speaks against it.
 *
 * `clusterAffinities` are tried in order, from the group that the previous decision used on; the first that can take the
 * template is used.
 */
export function decide(input: DecisionInput, placement: Placement | undefined): Decision {
  const { mostIn, previousAffinity } = input;
  if (mostIn === undefined || mostIn.size === 0) return decideFreely(input, placement);
  const limited = decideFreely(input, placement);
  const moves =
    previousAffinity !== undefined && limited.affinity !== previousAffinity && input.fresh !== true;
  if (limited.outcome === 'Scheduled' && !moves) {
    const cells = [...mostIn].map(([name, replicas]) => `${replicas} in ${name}`).sort();
    return {
      ...limited,
      message: `${limited.message}, at most ${cells.slice(0, toldMax).join(', ')}: more did not run`,
    };
  }
  const free = decideFreely({ ...input, mostIn: undefined }, placement);
  return { ...free, message: `${free.message}; replicas that do not run have no other place` };
}

const nothing: readonly Target[] = [];

/** Cells named in a message. */
const toldMax = 5;

/** Without regard to where replicas do not run, but for `input.mostIn`. */
function decideFreely(input: DecisionInput, placement: Placement | undefined): Decision {
  if (input.fresh !== true) return decideGroups(input, placement);
  const fresh = decideGroups({ ...input, previousAffinity: undefined }, placement);
  if (fresh.outcome === 'Scheduled') return fresh;
  const steady = decideGroups({ ...input, fresh: false }, placement);
  return { ...steady, message: `${steady.message}; afresh: ${fresh.message}` };
}

/** Nothing is decided: what is placed stays where it is, unless an inherited policy forbids it to be there. */
export function suspendedDecision(
  input: DecisionInput,
  held: Pick<Decision, 'outcome' | 'message'> = {
    outcome: 'Suspended',
    message: 'the policy suspends scheduling',
  },
): Decision {
  const { bounds, snapshot } = input;
  const refusals = snapshot.cells.map((_, index): RefusalCode | undefined =>
    isWithin(bounds, snapshot, index) ? undefined : 'ForbiddenByPolicy',
  );
  const forbidden = new Set(
    snapshot.cells.flatMap(({ name }, i) => (refusals[i] === undefined ? [] : [name])),
  );
  return {
    ...held,
    targets: input.previous.filter(({ name }) => !forbidden.has(name)),
    refusals,
    affinity: input.previousAffinity,
    recheckAtMs: undefined,
  };
}

function decideGroups(input: DecisionInput, placement: Placement | undefined): Decision {
  const compiled = compilePlacement(placement);
  const [onlyGroup] = compiled.groups;
  if (compiled.groups.length === 1 && onlyGroup !== undefined)
    return decideInGroup(input, compiled, onlyGroup);
  const used = compiled.groups.findIndex(({ name }) => name === input.previousAffinity);
  const order =
    used < 0 ? compiled.groups : [...compiled.groups.slice(used), ...compiled.groups.slice(0, used)];
  let best: Decision | undefined;
  let inUse: Decision['refusals'] | undefined;
  let recheckAtMs: number | undefined;
  for (const group of order) {
    const decision = decideInGroup(input, compiled, group);
    if (decision.outcome === 'Scheduled')
      return used < 0 || group === compiled.groups[used] ? decision : { ...decision, formerRefusals: inUse };
    inUse ??= decision.refusals;
    recheckAtMs = Math.min(
      recheckAtMs ?? Number.POSITIVE_INFINITY,
      decision.recheckAtMs ?? Number.POSITIVE_INFINITY,
    );
    // A group that names no cell takes nothing away while another may have room one day.
    const keepsMore = best?.targets.length === 0 && decision.targets.length > 0;
    if (best === undefined || keepsMore)
      best = { ...decision, affinity: best?.affinity ?? decision.affinity };
  }
  return {
    ...(best as Decision),
    recheckAtMs: recheckAtMs === Number.POSITIVE_INFINITY ? undefined : recheckAtMs,
  };
}

function decideInGroup(input: DecisionInput, placement: CompiledPlacement, group: AffinityGroup): Decision {
  const { cells } = input.snapshot;
  const refusals = new Array<RefusalCode | undefined>(cells.length).fill(undefined);
  const placed = new Map(input.previous.map(({ name, replicas }) => [name, replicas ?? 0]));
  const previous: ReadonlyMap<string, number> = input.fresh === true ? new Map() : placed;
  let recheckAtMs: number | undefined;
  const context: FilterContext = {
    input,
    placement,
    held: new Set(previous.keys()),
    own: (cell) => (input.fresh === true ? (placed.get(cell) ?? 0) : 0),
    recheckAt(ms) {
      recheckAtMs = recheckAtMs === undefined ? ms : Math.min(recheckAtMs, ms);
    },
  };
  const considered = filterCells(context, group, refusals, previous);
  const feasible = considered.candidates;
  const conclude = (outcome: Decision['outcome'], message: string, targets: readonly Target[]): Decision => {
    return { outcome, message, targets, refusals, considered, affinity: group.name, recheckAtMs };
  };
  if (feasible.length === 0) {
    const summary = summarize(cells.length, refusals);
    const kept = mayFitLater(refusals) ? excludedThatStay(input, refusals) : nothing;
    return conclude('NoClusterFit', `${summary}${toldOf(kept)}`, kept);
  }
  const stay = (message: string): Decision => {
    const excluded = excludedThatStay(input, refusals);
    return conclude(
      'Unschedulable',
      `${message}${toldOf(excluded)}`,
      keptIn(feasible, excluded, input.previous),
    );
  };

  const { template } = input;
  const candidates = dropUnweighted(feasible, placement, refusals, template.replicas);
  const selection = select(candidates, placement, refusals, {
    snapshot: input.snapshot,
    needed: isDynamic(placement) ? (template.replicas ?? 0) : 0,
    replicas: template.replicas ?? 0,
    divided: placement.division.type !== 'Duplicated' && template.replicas !== undefined,
  });
  if (!selection.ok) return stay(selection.message);

  if (template.replicas === undefined) {
    const targets = selection.selected.map(({ cell }) => ({ name: cell.name, replicas: undefined }));
    return conclude('Scheduled', placedIn(targets), targets);
  }
  const chosen =
    template.replicas === 0 ? restingPlaces(selection.selected, previous, refusals) : selection.selected;
  const division = divideReplicas(template.replicas, chosen, placement, template);
  if (!division.ok) {
    for (const { index } of chosen) refusals[index] = 'NoCapacity';
    for (const { cell, index } of chosen) if (previous.has(cell.name)) refusals[index] = undefined;
    return stay(division.message);
  }
  const targets: Target[] = [];
  for (let i = 0; i < chosen.length; i++) {
    const { cell, index } = chosen[i] as Candidate;
    const replicas = division.replicas[i] as number;
    if (replicas > 0 || template.replicas === 0) targets.push({ name: cell.name, replicas });
    else refusals[index] = 'NoReplicasLeft';
  }
  const lacking = unfilledGroups(division.replicas, chosen, placement.spread);
  return conclude('Scheduled', `${placedIn(targets)}${lacking}`, targets);
}

function placedIn({ length }: readonly Target[]): string {
  return length === 1 ? 'placed in 1 cell' : `placed in ${length} cells`;
}

/**
 * Where inherited policies ask for replicas in several groups, and room says how many each cell gets, cells without any are no
 * help: they are chosen only where it does not go without.
 */
function select(
  candidates: readonly Candidate[],
  placement: CompiledPlacement,
  refusals: (RefusalCode | undefined)[],
  demand: Demand,
): Selection {
  const byRoom = isDynamic(placement) || placement.division.type === 'Planned';
  if (byRoom && demand.replicas > 0 && (placement.spread?.filled.length ?? 0) > 0) {
    const roomy = candidates.filter((candidate) => room(candidate) > 0);
    const selection = selectCells(roomy, placement, demand);
    if (selection.ok) {
      markUnselected(roomy, selection.selected, placement, refusals);
      const full = candidates.filter((candidate) => room(candidate) <= 0);
      for (const { index } of full) refusals[index] = 'NoCapacity';
      return selection;
    }
  }
  const selection = selectCells(candidates, placement, demand);
  if (selection.ok) markUnselected(candidates, selection.selected, placement, refusals);
  return selection;
}

function isDynamic({ division }: CompiledPlacement): boolean {
  return division.type === 'Dynamic' || division.type === 'Aggregated';
}

function filterCells(
  context: FilterContext,
  group: AffinityGroup,
  refusals: (RefusalCode | undefined)[],
  previous: ReadonlyMap<string, number>,
): Considered {
  const { input, placement } = context;
  const { cells } = input.snapshot;
  const tiers = group.tiers(input.snapshot);
  const byRoom = isDynamic(placement) || placement.division.type === 'Planned';
  const { mostIn } = input;
  // Only a spread constraint makes a choice among cells that pass: by score, then room (PLACEMENT.md 2, Selection).
  const isChoice = placement.spread !== undefined;
  const counted = byRoom || (isChoice && input.template.replicas !== undefined);
  const { division } = placement;
  const weights = division.type === 'Static' ? division.weights(input.snapshot) : undefined;
  const allowed = input.bounds?.allows(input.snapshot);
  const filters = filtersFor(context);
  const fits = counted ? fitsIn(input.snapshot, input.template.request, input.template.nodes) : undefined;
  const feasible: Candidate[] = [];
  for (let index = 0; index < cells.length; index++) {
    const cell = cells[index] as CellInfo;
    const tier = tiers[index] as number;
    let refusal: RefusalCode | undefined;
    if (allowed !== undefined && allowed[index] !== true) refusal = 'ForbiddenByPolicy';
    else refusal = tier >= 0 ? firstRefusal(filters, cell, context) : 'AffinityNotMatched';
    if (refusal !== undefined) {
      refusals[index] = refusal;
      continue;
    }
    const weight = weights?.[index] ?? 0;
    const told = fits === undefined ? 0 : availableIn(cell, index, fits, context);
    const held = previous.get(cell.name);
    const most = mostIn?.get(cell.name);
    const kept = most === undefined ? (held ?? 0) : Math.min(held ?? 0, most);
    const available = most === undefined ? told : Math.min(told, most - kept);
    feasible.push({
      cell,
      index,
      score: 0,
      weight,
      tier,
      held: held !== undefined,
      previous: kept,
      available,
    });
  }
  if (isChoice) scoreCandidates(feasible, context, input.profile);
  return {
    candidates: feasible,
    detailsOf: (candidates) => ({
      scores: pointsOf(candidates, feasible, context, input.profile),
      available: roomOf(candidates, fits, context),
    }),
  };
}

/** What people are told changes nothing: room that the decision does not look at is counted for them alone. */
function roomOf(
  candidates: readonly Candidate[],
  counted: Int32Array | undefined,
  context: FilterContext,
): Map<string, number> {
  const { snapshot, template } = context.input;
  const room = new Map<string, number>();
  if (template.replicas === undefined) return room; // it takes none
  const fits = counted ?? fitsIn(snapshot, template.request, template.nodes);
  for (const { cell, index, available } of candidates)
    room.set(cell.name, counted === undefined ? availableIn(cell, index, fits, context) : available);
  return room;
}

function firstRefusal(
  filters: readonly FilterPlugin[],
  cell: CellInfo,
  context: FilterContext,
): RefusalCode | undefined {
  for (let i = 0; i < filters.length; i++) {
    const refusal = (filters[i] as FilterPlugin).filter(cell, context);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

/**
 * A cell that tells no capacity counts as able to hold all that is asked for, and no more, so that its weight is
 * comparable. One that must get no new work (not ready, suspended, NoSchedule) but holds some has no further room.
 */
function availableIn(
  cell: CellInfo,
  index: number,
  fits: Int32Array,
  { input, placement, held, own }: FilterContext,
): number {
  const { template } = input;
  if (held.has(cell.name) && refusesNewWork(cell, placement)) return 0;
  const assumed = input.assumedIn?.(cell.name);
  let told = fits[index] as number;
  if (told < 0) {
    told = replicasThatFit(cell, template.request, template.nodes);
    fits[index] = told;
  }
  if (assumed !== undefined) {
    const onNodes = input.assumedOnNodes?.(cell);
    told = replicasThatFitBeside(cell, template.request, told, assumed, onNodes);
  }
  const fit = Math.min(told, input.roomIn?.(cell.name) ?? unboundedReplicas);
  return fit >= unboundedReplicas ? Math.max(template.replicas ?? 0, 0) : fit + own(cell.name);
}

function refusesNewWork(cell: CellInfo, { tolerations }: CompiledPlacement): boolean {
  if (!cell.ready || cell.suspended) return true;
  return cell.taints.some((taint) => {
    return taint.effect === 'NoSchedule' && toleratedUntilMs(tolerations, taint) === undefined;
  });
}

/** Static weights speak before the spread constraint, so that a cell without weight does not take a place in it. */
function dropUnweighted(
  feasible: readonly Candidate[],
  { division }: CompiledPlacement,
  refusals: (RefusalCode | undefined)[],
  replicas: number | undefined,
): readonly Candidate[] {
  if (replicas === undefined || (division.type !== 'Static' && division.type !== 'Planned')) return feasible;
  const weights =
    division.type === 'Static'
      ? staticWeights(feasible)
      : feasible.map(({ cell }) => plannedWeight(division, cell)?.weight ?? 0);
  return feasible.filter(({ index }, i) => {
    if ((weights[i] as number) > 0) return true;
    refusals[index] = 'NoWeight';
    return false;
  });
}

function markUnselected(
  candidates: readonly Candidate[],
  selected: readonly Candidate[],
  { spread }: CompiledPlacement,
  refusals: (RefusalCode | undefined)[],
): void {
  if (selected.length === candidates.length) return;
  const chosen = new Set(selected);
  for (const candidate of candidates) {
    if (chosen.has(candidate)) continue;
    const located = spread?.dimensions.every(({ groupOf }) => groupOf(candidate.cell) !== '') ?? true;
    refusals[candidate.index] = located ? 'MaxGroupsReached' : 'TopologyUnknown';
  }
}

/** Scaled to zero, a template rests where it was; one that was nowhere is shown to all selected cells. */
function restingPlaces(
  selected: readonly Candidate[],
  previous: ReadonlyMap<string, number>,
  refusals: (RefusalCode | undefined)[],
): readonly Candidate[] {
  const resting = selected.filter(({ cell }) => previous.has(cell.name));
  if (resting.length === 0) return selected;
  for (const { cell, index } of selected) if (!previous.has(cell.name)) refusals[index] = 'NoReplicasLeft';
  return resting;
}

/** `0 of 3 cells fit: AffinityNotMatched 2, CellNotReady 1`. */
function summarize(total: number, refusals: readonly (RefusalCode | undefined)[]): string {
  const counts = new Map<RefusalCode, number>();
  for (const refusal of refusals)
    if (refusal !== undefined) counts.set(refusal, (counts.get(refusal) ?? 0) + 1);
  const list = [...counts].sort(([, a], [, b]) => b - a).map(([code, count]) => `${code} ${count}`);
  return `0 of ${total} cells fit${list.length === 0 ? '' : `: ${list.join(', ')}`}`;
}
