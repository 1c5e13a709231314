import type { ClusterAffinity, Placement, SpreadConstraint, Suspension } from '#api/policy/placement.ts';
import { type CellPredicate, compileAffinity } from './affinity.ts';
import type { CellSnapshot } from './cell.ts';
import type { BoundConstraint } from './spread.ts';

/** One inherited policy as a bound on where an object may be. */
export interface Bound {
  /** `<workspace>/<name>` of the policy. */
  readonly name: string;
  readonly selects: CellPredicate;
  /** Beside the cells of the snapshot: whether the policy lets the object be there. Memoized. */
  allows(snapshot: CellSnapshot): readonly boolean[];
  readonly spreadConstraints: readonly SpreadConstraint[];
  readonly suspension: Suspension | undefined;
}

/** All bounds of one object. Equal sets are one object, so that what is made of them can be kept by identity. */
export interface Bounds {
  /** Outermost workspace first, then by name. */
  readonly list: readonly Bound[];
  /** Beside the cells of the snapshot: whether all bounds let the object be there. Memoized. */
  allows(snapshot: CellSnapshot): readonly boolean[];
}

/** The placement of an inherited policy as a bound: the cells that its affinity, or any of its groups and tiers, names. */
export function boundOf(
  name: string,
  placement: Placement | undefined,
  suspension: Suspension | undefined,
): Bound {
  const affinities: (ClusterAffinity | undefined)[] = (placement?.clusterAffinities ?? []).flatMap((term) => [
    term,
    ...(term.overflowAffinities ?? []),
  ]);
  const predicates: CellPredicate[] =
    affinities.length > 0 ? affinities.map(compileAffinity) : [compileAffinity(placement?.clusterAffinity)];
  const selects: CellPredicate = (cell) => predicates.some((one) => one(cell));
  return {
    name,
    selects,
    allows: remembered(({ cells }) => cells.map(selects)),
    spreadConstraints: placement?.spreadConstraints ?? [],
    suspension,
  };
}

export function boundsOf(list: readonly Bound[]): Bounds {
  return {
    list,
    allows: remembered((snapshot) => {
      const each = list.map((bound) => bound.allows(snapshot));
      return snapshot.cells.map((_, i) => each.every((allowed) => allowed[i] === true));
    }),
  };
}

function remembered(
  read: (snapshot: CellSnapshot) => readonly boolean[],
): (snapshot: CellSnapshot) => readonly boolean[] {
  let last: CellSnapshot | undefined;
  let answers: readonly boolean[] = [];
  return (snapshot) => {
    if (last !== snapshot) {
      answers = read(snapshot);
      last = snapshot;
    }
    return answers;
  };
}

export function isWithin(bounds: Bounds | undefined, snapshot: CellSnapshot, index: number): boolean {
  return bounds === undefined || bounds.allows(snapshot)[index] === true;
}

/** Names of cells that no copy of the object may be in, not even for a while. */
export function forbiddenCells(bounds: Bounds | undefined, snapshot: CellSnapshot): ReadonlySet<string> {
  if (bounds === undefined) return none;
  const allowed = bounds.allows(snapshot);
  const names = new Set<string>();
  snapshot.cells.forEach(({ name }, i) => {
    if (allowed[i] !== true) names.add(name);
  });
  return names;
}

const none: ReadonlySet<string> = new Set();

/** Of a cell that is refused because of the bounds: name of the first bound that keeps the object from it. */
export function refusingPolicy(
  refusal: string | undefined,
  bounds: Bounds | undefined,
  snapshot: CellSnapshot,
  index: number,
): string | undefined {
  if (refusal !== 'ForbiddenByPolicy' || bounds === undefined) return undefined;
  return bounds.list.find((bound) => bound.allows(snapshot)[index] !== true)?.name;
}

const merged = new WeakMap<Placement, WeakMap<Bounds, Placement>>();
const emptyPlacement: Placement = {};

/**
 * The placement with the spread that the bounds ask for: over each thing the greater minGroups, the lesser maxGroups and
 * maxSkew. Replicas are bound to their minGroups as well (`filledGroups`). The placement itself where they ask for none. Equal
 * arguments give the same object.
 */
export function withinBounds(
  placement: Placement | undefined,
  bounds: Bounds | undefined,
): Placement | undefined {
  if (bounds === undefined || bounds.list.every((bound) => bound.spreadConstraints.length === 0))
    return placement;
  const source = placement ?? emptyPlacement;
  let ofPlacement = merged.get(source);
  if (ofPlacement === undefined) {
    ofPlacement = new WeakMap();
    merged.set(source, ofPlacement);
  }
  let result = ofPlacement.get(bounds);
  if (result === undefined) {
    const above = bounds.list.flatMap(({ spreadConstraints }) =>
      spreadConstraints.map((one): BoundConstraint => ({ ...one, filledGroups: one.minGroups ?? 0 })),
    );
    const constraints: BoundConstraint[] = [...(source.spreadConstraints ?? []), ...above];
    result = { ...source, spreadConstraints: mergeConstraints(constraints) };
    ofPlacement.set(bounds, result);
  }
  return result;
}

function mergeConstraints(constraints: readonly BoundConstraint[]): BoundConstraint[] {
  const byDimension = new Map<string, BoundConstraint>();
  for (const constraint of constraints) {
    const { spreadByField = '', spreadByLabel = '' } = constraint;
    const dimension = spreadByLabel === '' ? `field ${spreadByField || 'cluster'}` : `label ${spreadByLabel}`;
    const before = byDimension.get(dimension);
    byDimension.set(dimension, before === undefined ? constraint : stricter(before, constraint));
  }
  return [...byDimension.values()];
}

function stricter(a: BoundConstraint, b: BoundConstraint): BoundConstraint {
  const result: BoundConstraint = {
    ...a,
    minGroups: Math.max(a.minGroups ?? 0, b.minGroups ?? 0),
    filledGroups: Math.max(a.filledGroups ?? 0, b.filledGroups ?? 0),
  };
  const maxGroups = least(a.maxGroups, b.maxGroups);
  if (maxGroups !== undefined) result.maxGroups = maxGroups;
  const maxSkew = least(a.maxSkew, b.maxSkew);
  if (maxSkew !== undefined) result.maxSkew = maxSkew;
  return result;
}

/** Absent and 0 mean no limit. */
function least(a: number | undefined, b: number | undefined): number | undefined {
  const limits = [a, b].filter((limit) => limit !== undefined && limit > 0) as number[];
  return limits.length === 0 ? undefined : Math.min(...limits);
}
