import type { SpreadConstraint } from '#api/policy/placement.ts';
import type { CellInfo, CellSnapshot } from './cell.ts';

/** A spread over groups of cells: those that share a region, a zone, the value of a label. */
export interface SpreadDimension {
  /** What it is called in messages: `region`, or the label's key. */
  readonly name: string;
  /** The group that a cell belongs to; empty when it tells none. */
  readonly groupOf: (cell: CellInfo) => string;
  /** The same beside the cells of a snapshot, as numbers: 0 for cells that tell none. Memoized. */
  readonly groups: (snapshot: CellSnapshot) => GroupNumbers;
  readonly minGroups: number;
  /** Infinity when not limited. */
  readonly maxGroups: number;
  /** How far groups may differ in replicas, or in cells where replicas are not divided; Infinity when not limited. */
  readonly maxSkew: number;
}

/** As a policy says it or, with `filledGroups`, as an inherited one asks for it. */
export interface BoundConstraint extends SpreadConstraint {
  /** How many groups have to have replicas, where these are divided. */
  filledGroups?: number;
}

/** Groups of which some have to have replicas. */
export interface FilledDimension {
  /** What the groups are called in messages. */
  readonly name: string;
  readonly groupOf: (cell: CellInfo) => string;
  readonly minGroups: number;
  /** That inherited policies ask for; 0: none. */
  readonly filledGroups: number;
}

export interface GroupNumbers {
  readonly numbers: Int32Array;
  /** By number; the first is empty. */
  readonly names: readonly string[];
}

export interface CompiledSpread {
  /** Over cells themselves. */
  readonly minCells: number;
  /** Infinity when not limited. */
  readonly maxCells: number;
  readonly dimensions: readonly SpreadDimension[];
  /** All that have more than one group to use, cells among them. */
  readonly asked: readonly FilledDimension[];
  /** Of these what inherited policies ask for. */
  readonly filled: readonly FilledDimension[];
}

const fieldGroups: { readonly [field: string]: ((cell: CellInfo) => string) | undefined } = {
  provider: (cell) => cell.provider,
  region: (cell) => cell.region,
  pop: (cell) => cell.pop,
  dataCenter: (cell) => cell.dataCenter,
  // A cell that lies in several zones is lost with none of them alone: it makes a group of its own kind.
  zone: ({ zones }) => (zones.length <= 1 ? (zones[0] ?? '') : [...zones].sort().join(',')),
};

/** Undefined when there is no constraint. Of several over the same thing the first counts (validation refuses them). */
export function compileSpread(
  constraints: readonly BoundConstraint[] | undefined,
): CompiledSpread | undefined {
  if (constraints === undefined || constraints.length === 0) return undefined;
  let cells: BoundConstraint | undefined;
  const asked: FilledDimension[] = [];
  const ask = (name: string, groupOf: (cell: CellInfo) => string, constraint: BoundConstraint): void => {
    const { minGroups = 0, filledGroups = 0 } = constraint;
    if (minGroups > 1) asked.push({ name, groupOf, minGroups, filledGroups });
  };
  const dimensions = new Map<string, SpreadDimension>();
  for (const constraint of constraints) {
    const { spreadByField = '', spreadByLabel = '' } = constraint;
    if (spreadByLabel === '' && (spreadByField === '' || spreadByField === 'cluster')) {
      if (cells === undefined) ask('cells', ({ name }) => name, constraint);
      cells ??= constraint;
      continue;
    }
    const name = spreadByLabel === '' ? spreadByField : spreadByLabel;
    const key = spreadByLabel === '' ? `field ${name}` : `label ${name}`;
    const groupOf =
      spreadByLabel === ''
        ? (fieldGroups[spreadByField] ?? noGroup)
        : (cell: CellInfo) => (Object.hasOwn(cell.labels, name) ? (cell.labels[name] ?? '') : '');
    if (dimensions.has(key)) continue;
    ask(`groups by ${name}`, groupOf, constraint);
    dimensions.set(key, {
      name,
      groupOf,
      groups: numbered(groupOf),
      minGroups: Math.max(1, constraint.minGroups ?? 1),
      maxGroups: limit(constraint.maxGroups),
      maxSkew: limit(constraint.maxSkew),
    });
  }
  return {
    minCells: cells?.minGroups ?? 0,
    maxCells: limit(cells?.maxGroups),
    dimensions: [...dimensions.values()],
    asked,
    filled: asked.filter(({ filledGroups }) => filledGroups > 1),
  };
}

function numbered(groupOf: (cell: CellInfo) => string): SpreadDimension['groups'] {
  let last: CellSnapshot | undefined;
  let result: GroupNumbers = { numbers: new Int32Array(0), names: [] };
  return (snapshot) => {
    if (last === snapshot) return result;
    const numbers = new Int32Array(snapshot.cells.length);
    const names = [''];
    const known = new Map([['', 0]]);
    snapshot.cells.forEach((cell, i) => {
      const name = groupOf(cell);
      let number = known.get(name);
      if (number === undefined) {
        number = names.push(name) - 1;
        known.set(name, number);
      }
      numbers[i] = number;
    });
    last = snapshot;
    result = { numbers, names };
    return result;
  };
}

const noGroup = (): string => '';

/** Absent and 0 mean no limit. */
function limit(value: number | undefined): number {
  return value === undefined || value <= 0 ? Number.POSITIVE_INFINITY : value;
}
