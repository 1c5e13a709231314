import { ApiError, type StatusCause } from '#apimachinery/api-error.ts';
import { difference, type FieldSet, forEachPath, isEmptySet } from './field-set.ts';
import { identity, type Manager } from './managed-fields.ts';
import { printPath } from './path-element.ts';

/** Fields that an apply would change and that another manager owns. */
export interface Conflict {
  readonly manager: Manager;
  readonly fields: FieldSet;
}

/** The conflicts that remain when those over `allowed` are set aside. */
export function conflictsExcept(conflicts: readonly Conflict[], allowed: FieldSet): Conflict[] {
  return conflicts
    .map(({ manager, fields }) => ({ manager, fields: difference(fields, allowed) }))
    .filter(({ fields }) => !isEmptySet(fields));
}

/** 409 with one cause per field (KUBERNETES.md P5). */
export function applyConflict(conflicts: readonly Conflict[]): ApiError {
  const ordered = [...conflicts].sort((a, b) => (identity(a.manager) < identity(b.manager) ? -1 : 1));
  const causes: StatusCause[] = [];
  const lines: string[] = [];
  for (const { manager, fields } of ordered) {
    const name = printManager(manager);
    lines.push(`conflicts with ${name}:`);
    forEachPath(fields, (path) => {
      const field = printPath(path);
      lines.push(`- ${field}`);
      causes.push({ reason: 'FieldManagerConflict', message: `conflict with ${name}`, field });
    });
  }
  const [only] = causes;
  const message =
    causes.length === 1
      ? `Apply failed with 1 conflict: ${only?.message}: ${only?.field}`
      : `Apply failed with ${causes.length} conflicts: ${lines.join('\n')}`;
  return new ApiError('Conflict', message, { details: { causes } });
}

/** `"kubectl" with subresource "status" using apps/v1`; appliers have no version. */
function printManager(manager: Manager): string {
  let text = JSON.stringify(manager.manager);
  if (manager.subresource !== '') text += ` with subresource ${JSON.stringify(manager.subresource)}`;
  return manager.operation === 'Update' ? `${text} using ${manager.apiVersion}` : text;
}
