import type { ClusterAffinity, Location, Placement, Toleration } from '#api/policy/placement.ts';
import type { TimeWindow } from '#api/policy/time-window.ts';
import { type CellPredicate, compileAffinity } from './affinity.ts';
import type { CellInfo, CellSnapshot } from './cell.ts';
import { type CompiledSpread, compileSpread } from './spread.ts';

/** Data sets that a cell holds stand in its labels: `data.cellplane.io/<name>`. */
export const dataLabelPrefix = 'data.cellplane.io/';

export type Division =
  | { readonly type: 'Duplicated' }
  | {
      readonly type: 'Static';
      /**
       * Beside the cells of the snapshot: the highest weight of the rules that match each, 0 when none does. Memoized.
       */
      weights(snapshot: CellSnapshot): readonly number[];
    }
  | {
      readonly type: 'Planned';
      readonly weights: readonly PlannedWeight[];
      readonly rebalance: boolean;
    }
  | { readonly type: 'Dynamic' }
  | { readonly type: 'Aggregated' };

/** A static weight with what KubeFed's planner looks at besides. */
export interface PlannedWeight {
  readonly matches: CellPredicate;
  readonly weight: number;
  readonly minReplicas: number;
  /** Infinity when not limited. */
  readonly maxReplicas: number;
  readonly priority: number;
}

export interface AffinityGroup {
  /** Undefined for the single `clusterAffinity`. */
  readonly name: string | undefined;
  /** The primary cells and those of every overflow tier. */
  readonly selects: CellPredicate;
  readonly tiered: boolean;
  /** 0 for primary cells, then by overflow tier; -1: not selected. */
  readonly tierOf: (cell: CellInfo) => number;
  /** Beside the cells of the snapshot: 0 for primary cells, then by overflow tier; -1: not selected. Memoized. */
  tiers(snapshot: CellSnapshot): readonly number[];
}

/** A Placement made ready for many decisions. Behaves as a pure function of the placement. */
export interface CompiledPlacement {
  readonly groups: readonly AffinityGroup[];
  readonly tolerations: readonly Toleration[];
  /** Undefined without spread constraints. */
  readonly spread: CompiledSpread | undefined;
  readonly division: Division;
  /** All that the placement looks at in a cell's labels, as text: two that are alike in it are one to it. */
  readonly sees: (cell: CellInfo) => string;
  /** What distances are counted from. */
  readonly near: Location | undefined;
  /** Data sets that are best in the cell already. */
  readonly data: readonly string[];
  /** When cells are used; empty: always. */
  readonly activeHours: readonly TimeWindow[];
}

const compiled = new WeakMap<Placement, CompiledPlacement>();
const emptyPlacement: Placement = {};

/** Compiled once per placement object: policies in a cache are immutable. */
export function compilePlacement(placement: Placement | undefined): CompiledPlacement {
  const source = placement ?? emptyPlacement;
  let result = compiled.get(source);
  if (result === undefined) {
    result = compile(source);
    compiled.set(source, result);
  }
  return result;
}

function compile(placement: Placement): CompiledPlacement {
  const groups = compileGroups(placement);
  const spread = compileSpread(placement.spreadConstraints);
  const weights = (placement.replicaScheduling?.weightPreference?.staticWeightList ?? []).map(
    ({ targetCluster }) => compileAffinity(targetCluster),
  );
  const data = placement.data ?? [];
  return {
    groups,
    tolerations: placement.clusterTolerations ?? [],
    spread,
    division: compileDivision(placement),
    sees: (cell) =>
      JSON.stringify([
        groups.map(({ tierOf }) => tierOf(cell)),
        weights.map((matches) => matches(cell)),
        spread?.dimensions.map(({ groupOf }) => groupOf(cell)),
        data.map((name) => Object.hasOwn(cell.labels, `${dataLabelPrefix}${name}`)),
      ]),
    near: placement.near,
    data,
    activeHours: placement.activeHours ?? [],
  };
}

function compileGroups({ clusterAffinity, clusterAffinities }: Placement): AffinityGroup[] {
  if (clusterAffinities === undefined || clusterAffinities.length === 0) {
    return [affinityGroup(undefined, clusterAffinity)];
  }
  return clusterAffinities.map((term) => affinityGroup(term.affinityName, term, term.overflowAffinities));
}

function affinityGroup(
  name: string | undefined,
  affinity: ClusterAffinity | undefined,
  overflow: readonly ClusterAffinity[] = [],
): AffinityGroup {
  const predicates = [affinity, ...overflow].map(compileAffinity);
  const tierOf = (cell: CellInfo): number => predicates.findIndex((selects) => selects(cell));
  return {
    name,
    selects: (cell) => tierOf(cell) >= 0,
    tiered: overflow.length > 0,
    tierOf,
    tiers: memoized(tierOf),
  };
}

function memoized(read: (cell: CellInfo) => number): (snapshot: CellSnapshot) => readonly number[] {
  let last: CellSnapshot | undefined;
  let answers: number[] = [];
  return (snapshot) => {
    if (last !== snapshot) {
      answers = snapshot.cells.map(read);
      last = snapshot;
    }
    return answers;
  };
}

/** PLACEMENT.md 1 and 2: absent = Duplicated; Weighted without preference = equal static weights. */
function compileDivision({ replicaScheduling }: Placement): Division {
  if (replicaScheduling?.replicaSchedulingType !== 'Divided') return { type: 'Duplicated' };
  if (replicaScheduling.replicaDivisionPreference === 'Aggregated') return { type: 'Aggregated' };
  const preference = replicaScheduling.weightPreference;
  if ((preference?.dynamicWeight ?? '') !== '') return { type: 'Dynamic' };
  const list = preference?.staticWeightList ?? [];
  const weights = list.map(
    ({ targetCluster, weight, minReplicas = 0, maxReplicas = Number.POSITIVE_INFINITY, priority = 0 }) => ({
      matches: compileAffinity(targetCluster),
      weight,
      minReplicas,
      maxReplicas,
      priority,
    }),
  );
  const planned = list.some(
    ({ minReplicas = 0, maxReplicas, priority }) =>
      minReplicas > 0 || maxReplicas !== undefined || priority !== undefined,
  );
  if (!planned) {
    const weightOf = (cell: CellInfo): number => {
      let highest = 0;
      for (const { matches, weight } of weights) if (weight > highest && matches(cell)) highest = weight;
      return highest;
    };
    return { type: 'Static', weights: memoized(weightOf) };
  }
  return { type: 'Planned', weights, rebalance: replicaScheduling.rebalance === true };
}

/**
 * The weights of these candidates; where no rule matches any of them what the cells say of themselves, which is 1 unless somebody
 * wrote it (PLACEMENT.md 2: all weigh 1).
 */
export function staticWeights(
  candidates: readonly { readonly weight: number; readonly cell: Pick<CellInfo, 'weight'> }[],
): number[] {
  if (candidates.some(({ weight }) => weight > 0)) return candidates.map(({ weight }) => weight);
  const weighs = candidates.some(({ cell }) => cell.weight > 0);
  return candidates.map(({ cell }) => (weighs ? cell.weight : 1));
}

/** The rule for a cell: of those that match it the one of the greatest weight; undefined when none does. */
export function plannedWeight(
  { weights }: Extract<Division, { type: 'Planned' }>,
  cell: CellInfo,
): PlannedWeight | undefined {
  let best: PlannedWeight | undefined;
  for (const rule of weights) {
    if (rule.weight > (best?.weight ?? -1) && rule.matches(cell)) best = rule;
  }
  return best;
}
