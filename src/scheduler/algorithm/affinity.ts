import type { ClusterAffinity, LabelRequirementSpec } from '#api/policy/placement.ts';
import { everything, type LabelSelector, labelSelectorOf, nothing } from '#apimachinery/label-selector.ts';
import type { CellInfo } from './cell.ts';
import { cellExpression } from './cell-expressions.ts';

export type CellPredicate = (cell: CellInfo) => boolean;

const everyCell: CellPredicate = () => true;

const compiled = new WeakMap<ClusterAffinity, CellPredicate>();

/**
 * Compiles policy.karmada.io ClusterAffinity: exclude, clusterNames, labelSelector, fieldSelector and celSelector, all of
 * which must hold; absent selects every cell. A zone expression holds `In` when all zones of the cell are listed and it has
 * one, and `NotIn` when none is. A malformed selector matches no cell (validation refuses it before). Compiled once per
 * affinity object: policies in a cache are immutable.
 */
export function compileAffinity(affinity: ClusterAffinity | undefined): CellPredicate {
  if (affinity === undefined) return everyCell;
  let predicate = compiled.get(affinity);
  if (predicate === undefined) {
    predicate = compile(affinity);
    compiled.set(affinity, predicate);
  }
  return predicate;
}

function compile({
  exclude = [],
  clusterNames = [],
  labelSelector,
  fieldSelector,
  celSelector,
}: ClusterAffinity): CellPredicate {
  const isExcluded = compileNames(exclude);
  const isNamed = clusterNames.length === 0 ? undefined : compileNames(clusterNames);
  const labels = compileLabels(labelSelector);
  const rest = [
    ...(fieldSelector?.matchExpressions ?? []).map(compileField),
    ...(celSelector?.celExpressions ?? []).map(cellExpression),
  ];
  return (cell) => {
    if (isExcluded(cell.name)) return false;
    if (isNamed !== undefined && !isNamed(cell.name)) return false;
    if (!labels.empty && !labels.matches(cell.labels)) return false;
    for (const holds of rest) if (!holds(cell)) return false;
    return true;
  };
}

/** Names of cells, in which `*` stands for any characters (ours: no cell has one in its name). */
function compileNames(names: readonly string[]): (name: string) => boolean {
  const exact = new Set(names.filter((name) => !name.includes('*')));
  const patterns = names.filter((name) => name.includes('*')).map((name) => name.split('*'));
  if (patterns.length === 0) return (name) => exact.has(name);
  return (name) => exact.has(name) || patterns.some((parts) => matchesPattern(name, parts));
}

/** Whether the text is the parts in order with anything between them; linear in the text for each part. */
function matchesPattern(name: string, parts: readonly string[]): boolean {
  const first = parts[0] as string;
  const last = parts.at(-1) as string;
  if (name.length < first.length + last.length || !name.startsWith(first) || !name.endsWith(last))
    return false;
  let from = first.length;
  const end = name.length - last.length;
  for (const part of parts.slice(1, -1)) {
    const at = name.indexOf(part, from);
    if (at < 0 || at + part.length > end) return false;
    from = at + part.length;
  }
  return true;
}

function compileLabels(selector: ClusterAffinity['labelSelector']): LabelSelector {
  if (selector === undefined) return everything;
  try {
    return labelSelectorOf(selector);
  } catch {
    return nothing;
  }
}

function compileField({ key, operator, values = [] }: LabelRequirementSpec): CellPredicate {
  const wanted = new Set(values);
  const read = Object.hasOwn(fieldReaders, key) ? fieldReaders[key] : undefined;
  if (read === undefined) return () => false;
  if (operator === 'In') {
    return (cell) => {
      const actual = read(cell);
      return actual.length > 0 && actual.every((value) => wanted.has(value));
    };
  }
  if (operator === 'NotIn') return (cell) => !read(cell).some((value) => wanted.has(value));
  return () => false;
}

const fieldReaders: { readonly [key: string]: ((cell: CellInfo) => readonly string[]) | undefined } = {
  provider: (cell) => (cell.provider === '' ? [] : [cell.provider]),
  region: (cell) => (cell.region === '' ? [] : [cell.region]),
  zone: (cell) => cell.zones,
  pop: (cell) => (cell.pop === '' ? [] : [cell.pop]),
  dataCenter: (cell) => (cell.dataCenter === '' ? [] : [cell.dataCenter]),
};
