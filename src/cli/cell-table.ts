import { conditionOf } from '#api/conditions.ts';
import type { Cell } from '#api/federation/cell.ts';
import { type CellScheduling, cellScheduling } from '#api/federation/cell-scheduling.ts';
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
  const asked = askedFor[cellScheduling(cell)];
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
    [
      ...(asked === undefined ? [] : [asked]),
      ...(bad === undefined ? [] : [`${bad.reason ?? ''}: ${bad.message ?? ''}`]),
    ].join('; '),
  ];
}

const askedFor: { readonly [scheduling in CellScheduling]: string | undefined } = {
  Open: undefined,
  Cordoned: 'cordoned',
  Draining: 'draining',
  Removing: 'being removed',
};
