import type { ClusterAffinity, LabelRequirementSpec } from '#api/policy/placement.ts';
import { everything, type LabelSelector, labelSelectorOf, nothing } from '#apimachinery/label-selector.ts';
import type { CellInfo } from './cell.ts';

export type CellPredicate = (cell: CellInfo) => boolean;

const everyCell: CellPredicate = () => true;

/**
 * Compiles policy.karmada.io ClusterAffinity: exclude, clusterNames, labelSelector and fieldSelector, all of which must
 * hold; absent selects every cell. A zone expression holds `In` when all zones of the cell are listed and it has one, and
 * `NotIn` when none is. A malformed selector matches no cell (validation refuses it before).
 */
export function compileAffinity(affinity: ClusterAffinity | undefined): CellPredicate {
  if (affinity === undefined) return everyCell;
  const excluded = new Set(affinity.exclude ?? []);
  const named =
    affinity.clusterNames === undefined || affinity.clusterNames.length === 0
      ? undefined
      : new Set(affinity.clusterNames);
  const labels = compileLabels(affinity.labelSelector);
  const fields = (affinity.fieldSelector?.matchExpressions ?? []).map(compileField);
  return (cell) => {
    if (excluded.has(cell.name)) return false;
    if (named !== undefined && !named.has(cell.name)) return false;
    if (!labels.empty && !labels.matches(cell.labels)) return false;
    for (const holds of fields) if (!holds(cell)) return false;
    return true;
  };
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
};
