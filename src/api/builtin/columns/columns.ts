import type { Column } from '#apimachinery/resource-definition.ts';
import { conversionOf } from '../conversion/conversion.ts';
import { createdAt, name } from './column.ts';
import { coreColumns } from './core-columns.ts';
import { otherColumns } from './other-columns.ts';
import { workloadColumns } from './workload-columns.ts';

/** Kubernetes' default for kinds without a printer of their own (roles, limitranges, CRDs, …). */
const defaultColumns: readonly Column[] = [name, createdAt];

/**
 * The columns of a built-in resource at a version. Cells are computed by the server, ages included; kubectl prints them
 * as they come (KUBERNETES.md N3). They are written for the storage version: other shapes are converted first.
 */
export function columnsOf(group: string, version: string, resource: string): readonly Column[] {
  // Both event groups print the core form.
  const key = group === '' || group === 'events.k8s.io' ? resource : `${resource}.${group}`;
  const columns =
    (Object.hasOwn(coreColumns, key) ? coreColumns[key] : undefined) ??
    workloadColumns[key] ??
    otherColumns[key] ??
    defaultColumns;
  const { toStorage } = conversionOf(group, version, resource);
  if (toStorage === undefined) return columns;
  return columns.map((column) => ({
    ...column,
    value: (object, now) => column.value(toStorage(object), now),
  }));
}
