import type { Condition } from '#api/conditions.ts';
import { isJsonObject, type JsonValue } from '#apimachinery/json.ts';

/** Conditions that are good news when False; one cell's True makes the whole True. */
const negativeTypes: ReadonlySet<string> = new Set([
  'ReplicaFailure',
  'Failed',
  'FailureTarget',
  'Suspended',
  'Conflicted',
  'Degraded',
  'Stalled',
]);

export interface CellConditions {
  readonly cell: string;
  readonly conditions: JsonValue | undefined;
}

/**
 * One list of conditions for all cells: a good condition is True when it is True in every cell that has it, and Unknown while
 * `silent` cells, which are to have the object, say nothing at all; a bad one is True when it is True in any. Reason and message are those of a cell that decided, named where there are several cells; the
 * transition time is the latest among those that decided. Ordered by type; deterministic.
 */
export function mergeConditions(
  cells: readonly CellConditions[],
  now: string,
  silent: readonly string[] = [],
): Condition[] {
  const byType = new Map<string, { cell: string; condition: Condition }[]>();
  for (const { cell, conditions } of cells) {
    if (!Array.isArray(conditions)) continue;
    for (const condition of conditions) {
      if (!isJsonObject(condition) || typeof condition['type'] !== 'string') continue;
      const list = byType.get(condition['type']) ?? [];
      list.push({ cell, condition: condition as Condition });
      byType.set(condition['type'], list);
    }
  }
  const several = cells.length + silent.length > 1;
  return [...byType]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([type, list]) => untilAllTell(mergeOne(type, list, several, now), silent));
}

/** What is good news so far is no more than that while others have not been heard. */
function untilAllTell(merged: Condition, silent: readonly string[]): Condition {
  const [first] = silent;
  if (first === undefined || merged.status !== 'True' || negativeTypes.has(merged.type)) return merged;
  const others = silent.length > 1 ? ` and ${silent.length - 1} more` : '';
  return {
    ...merged,
    status: 'Unknown',
    reason: 'NotAllCellsReport',
    message: `cell ${first}${others}: nothing was reported yet`,
  };
}

function mergeOne(
  type: string,
  list: readonly { cell: string; condition: Condition }[],
  several: boolean,
  now: string,
): Condition {
  const order = negativeTypes.has(type) ? ['True', 'Unknown', 'False'] : ['False', 'Unknown', 'True'];
  const status = (order.find((one) => list.some(({ condition }) => condition.status === one)) ??
    'Unknown') as Condition['status'];
  const deciding = list.filter(({ condition }) => condition.status === status);
  const first = deciding[0];
  const unanimous = deciding.length === list.length;
  const message = first?.condition.message ?? '';
  const times = deciding
    .map(({ condition }) => condition.lastTransitionTime ?? '')
    .filter((time) => time !== '');
  const merged: Condition = {
    type,
    status,
    lastTransitionTime: times.length === 0 ? now : (times.sort().at(-1) as string),
    reason: first?.condition.reason ?? '',
    message:
      several && !unanimous && first !== undefined
        ? cellMessage(first.cell, deciding.length, message)
        : message,
  };
  const updates = deciding
    .map(({ condition }) => condition['lastUpdateTime'])
    .filter((time) => typeof time === 'string');
  if (updates.length > 0) merged['lastUpdateTime'] = updates.sort().at(-1) as string;
  return merged;
}

function cellMessage(cell: string, count: number, message: string): string {
  const others = count > 1 ? ` and ${count - 1} more` : '';
  return `cell ${cell}${others}: ${message}`;
}
