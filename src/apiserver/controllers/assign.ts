import { rendezvous } from './rendezvous.ts';

export interface AssignableCell {
  readonly name: string;
  readonly uid: string;
  /** The federator's name when pinned to one. */
  readonly pinnedTo: string | undefined;
  /** Which federators a selector admits; undefined = all. */
  readonly admits: ((labels: { readonly [key: string]: string }) => boolean) | undefined;
  /** Who holds it now. */
  readonly holder: string | undefined;
}

export interface AssignableFederator {
  readonly name: string;
  readonly labels: { readonly [key: string]: string };
  readonly live: boolean;
  /** Live for so long that it may take cells from others that hold them well: one that flaps takes none. */
  readonly settled: boolean;
  readonly unschedulable: boolean;
  /** Most cells; undefined = any number. */
  readonly cellsMax: number | undefined;
}

/**
 * Who shall hold each cell: the federator that it is pinned to; else, of those that live and are admitted, the first in
 * rendezvous order that has room. A cell for which there is nobody keeps its holder, who may come back. Deterministic.
 */
export function assign(
  cells: readonly AssignableCell[],
  federators: readonly AssignableFederator[],
): Map<string, string | undefined> {
  const byName = new Map(federators.map((federator) => [federator.name, federator]));
  const load = new Map<string, number>();
  const assigned = new Map<string, string | undefined>();
  const give = (cell: AssignableCell, federator: string | undefined) => {
    assigned.set(cell.name, federator);
    if (federator !== undefined) load.set(federator, (load.get(federator) ?? 0) + 1);
  };
  const hasRoom = ({ name, cellsMax }: AssignableFederator) =>
    cellsMax === undefined || (load.get(name) ?? 0) < cellsMax;

  const ordered = [...cells].sort((a, b) => (a.uid < b.uid ? -1 : 1));
  for (const cell of ordered) {
    if (cell.pinnedTo === undefined) continue;
    give(cell, byName.has(cell.pinnedTo) ? cell.pinnedTo : cell.holder);
  }
  for (const cell of ordered) {
    if (cell.pinnedTo !== undefined) continue;
    const eligible = federators.filter(
      (one) => one.live && !one.unschedulable && (cell.admits === undefined || cell.admits(one.labels)),
    );
    const isHeldWell = eligible.some(({ name }) => name === cell.holder);
    const chosen = rendezvous(
      cell.uid,
      eligible.map(({ name }) => name),
    ).find((name) => {
      const candidate = byName.get(name) as AssignableFederator;
      return hasRoom(candidate) && (!isHeldWell || candidate.settled || name === cell.holder);
    });
    give(cell, chosen ?? cell.holder);
  }
  return assigned;
}
