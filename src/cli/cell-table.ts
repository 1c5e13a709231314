import { conditionOf } from '#api/conditions.ts';
import type { Cell } from '#api/federation/cell.ts';
import { cellTaints } from '#api/federation/cell-taints.ts';
import { formatTable } from './table.ts';

/** What `cellplane cell list` prints: each cell, and what ails it first. */
export function cellTable(cells: readonly Cell[]): string {
  const header = ['NAME', 'READY', 'SYNCED', 'FEDERATOR', 'POP', 'REGION', 'OBJECTS', 'LAG', 'MESSAGE'];
  return `${formatTable(header, cells.map(rowOf))}\n`;
}

function rowOf(cell: Cell): string[] {
  const { conditions, objects = {}, syncLag = '', federator = '' } = cell.status ?? {};
  const ready = conditionOf(conditions, 'Ready');
  const synced = conditionOf(conditions, 'Synced');
  const held = conditionOf(conditions, 'DeletionHeld');
  const bad =
    [ready, synced].find((condition) => condition !== undefined && condition.status !== 'True') ??
    // It answers, and yet something is wrong.
    [conditionOf(conditions, 'Reachable')].find((condition) => condition?.reason !== 'Reachable') ??
    (held?.status === 'True' ? { ...held, reason: held.type } : undefined);
  const { synced: done = 0, pending = 0, failed = 0 } = objects;
  return [
    cell.metadata.name ?? '',
    ready?.status ?? 'Unknown',
    synced?.status ?? 'Unknown',
    federator === '' ? '<none>' : federator,
    cell.spec?.pop ?? '',
    cell.spec?.region ?? '',
    `${done} synced, ${pending} pending, ${failed} failed`,
    // Nobody has looked since: what stands there is what was told last.
    synced?.status === 'Unknown' && synced.reason === ready?.reason ? 'unknown' : syncLag,
    [...asked(cell), ...(bad === undefined ? [] : [`${bad.reason ?? ''}: ${bad.message ?? ''}`])].join('; '),
  ];
}

/** What somebody has asked for, and which no condition tells: why a cell that is well gets nothing, or loses what it has. */
function asked({ metadata, spec = {} }: Cell): string[] {
  const taints = new Set(spec.taints?.map(({ key }) => key));
  const isDraining = taints.has(cellTaints.drain);
  return [
    ...(metadata.deletionTimestamp === undefined ? [] : ['being removed']),
    ...(isDraining ? ['draining'] : []),
    ...(!isDraining && taints.has(cellTaints.cordon) ? ['cordoned'] : []),
  ];
}
