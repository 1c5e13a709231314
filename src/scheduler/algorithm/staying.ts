import type { Candidate } from './candidate.ts';
import type { DecisionInput, RefusalCode, Target } from './decision.ts';

/** What no time and no room mends: the policy names other cells, or the platform lets the object be elsewhere only. */
const lasting: ReadonlySet<RefusalCode> = new Set([
  'AffinityNotMatched',
  'ForbiddenByPolicy',
  'ProjectNotAdmitted',
  'KindNotAllowed',
  'CellDeleting',
]);

/** Whether some cell that the policy names may take the object once the cell is well, free or open again. */
export function mayFitLater(refusals: readonly (RefusalCode | undefined)[]): boolean {
  return refusals.some((refusal) => refusal !== undefined && !lasting.has(refusal));
}

/**
 * What lies in cells that the affinity excludes (now), where there is no place yet in those that it names: it stays until
 * there is. So it does in Karmada where room or spread do not suffice (pkg/scheduler/scheduler.go: an error other than a
 * FitError leaves spec.clusters as it was); here also where the named cells are merely unwell or closed. What the platform
 * forbids stays nowhere. Marks the cells as not refused.
 */
export function excludedThatStay(
  { snapshot, previous, project, template }: DecisionInput,
  refusals: (RefusalCode | undefined)[],
): Target[] {
  if (previous.length === 0) return [];
  const held = new Map(previous.map((target) => [target.name, target]));
  const staying: Target[] = [];
  snapshot.cells.forEach((cell, index) => {
    const target = held.get(cell.name);
    if (target === undefined || refusals[index] !== 'AffinityNotMatched') return;
    if (cell.deleting || !cell.admitsProject(project)) return;
    if (template.privileged && !cell.allows(template.group, template.kind)) return;
    refusals[index] = undefined;
    staying.push(target);
  });
  return staying;
}

/** What stays of the previous decision, in its order. */
export function keptIn(
  feasible: readonly Candidate[],
  excluded: readonly Target[],
  previous: readonly Target[],
): Target[] {
  const names = new Set([...feasible.map(({ cell }) => cell.name), ...excluded.map(({ name }) => name)]);
  return previous.filter(({ name }) => names.has(name));
}

export function toldOf(excluded: readonly Target[]): string {
  if (excluded.length === 0) return '';
  const cells = excluded.length === 1 ? '1 cell' : `${excluded.length} cells`;
  return `; it stays in ${cells} that the affinity excludes until there is a place in others`;
}
