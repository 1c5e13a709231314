import { type Cell, cellAllowsKind, type Taint } from '#api/federation/cell.ts';
import type { CellInfo, CellSnapshot } from '../algorithm/cell.ts';
import type { CellView } from '../projection/render.ts';
import { cellInfoOf, schedulingDigest } from './cell-info.ts';

interface Entry {
  readonly cell: Cell;
  readonly info: CellInfo;
  readonly digest: string;
  readonly hasWorkspace: boolean;
  /** `<key>:<effect>` → when a taint was first seen that does not tell, in milliseconds. */
  readonly taintsSeenMs: ReadonlyMap<string, number>;
}

/** How a cell changed; `now` or `old` is undefined where it was not or is no more. */
export interface CellChange {
  readonly now: CellInfo | undefined;
  readonly old: CellInfo | undefined;
  /** Something other than free capacity changed. */
  readonly rules: boolean;
  /** Of that, its labels alone. */
  readonly labelsOnly: boolean;
  /** Other pods than before wait there for a node. */
  readonly unschedulable: boolean;
}

/** The cells as decisions see them. A change of one cell makes a new snapshot and leaves the others' entries as they are. */
export class CellStore {
  readonly #entries = new Map<string, Entry>();
  readonly #hasWorkspace: (cell: string) => boolean;
  readonly #now: () => number;
  readonly #scores = new Map<string, NonNullable<CellInfo['scores']>>();
  #snapshot: CellSnapshot | undefined;
  #version = 0;

  constructor(hasWorkspace: (cell: string) => boolean, now: () => number) {
    this.#hasWorkspace = hasWorkspace;
    this.#now = now;
  }

  snapshot(): CellSnapshot {
    if (this.#snapshot === undefined) {
      const cells = Array.from(this.#entries.values(), ({ info }) => info);
      cells.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
      this.#snapshot = { version: ++this.#version, cells };
    }
    return this.#snapshot;
  }

  get(name: string): Cell | undefined {
    return this.#entries.get(name)?.cell;
  }

  info(name: string): CellInfo | undefined {
    return this.#entries.get(name)?.info;
  }

  /**
   * Whether copies may be withdrawn from a cell because decisions changed. Not from one that goes: deleting a Cell deletes
   * nothing at its edge, and `deletionPolicy: Withdraw` is the server's to carry out.
   */
  mayWithdrawFrom(name: string): boolean {
    const cell = this.#entries.get(name)?.cell;
    return cell !== undefined && cell.metadata.deletionTimestamp === undefined;
  }

  put(cell: Cell): CellChange | undefined {
    const name = cell.metadata.name ?? '';
    const old = this.#entries.get(name);
    const hasWorkspace = this.#hasWorkspace(name);
    const digest = schedulingDigest(cell, hasWorkspace);
    const taintsSeenMs = new Map<string, number>();
    const firstSeenMs = ({ key, effect }: Taint): number => {
      const seenMs = old?.taintsSeenMs.get(`${key}:${effect}`) ?? this.#now();
      taintsSeenMs.set(`${key}:${effect}`, seenMs);
      return seenMs;
    };
    const info = cellInfoOf(cell, hasWorkspace, firstSeenMs, this.#scores.get(name));
    const rules = old === undefined || old.digest !== digest;
    const unschedulable = !sameUnschedulable(old?.info.unschedulable, info.unschedulable);
    if (!rules && old !== undefined && sameRoom(old.info, info)) {
      const { cost, latencyMs, scores } = old.info;
      const change = unschedulable
        ? { now: info, old: old.info, rules, labelsOnly: false, unschedulable }
        : undefined;
      if (cost === info.cost && latencyMs === info.latencyMs && scores === info.scores) {
        // Pods that wait are no business of the snapshot's: what is remembered of it stays right.
        this.#entries.set(name, { ...old, cell, info: unschedulable ? info : old.info });
        return change;
      }
      // What only orders cells moves nothing by itself; the next decisions go by it.
      this.#entries.set(name, { cell, info, digest, hasWorkspace, taintsSeenMs });
      this.#snapshot = undefined;
      return change;
    }
    this.#entries.set(name, { cell, info, digest, hasWorkspace, taintsSeenMs });
    this.#snapshot = undefined;
    const labelsOnly =
      rules &&
      old !== undefined &&
      schedulingDigest(old.cell, old.hasWorkspace, false) === schedulingDigest(cell, hasWorkspace, false);
    return { now: info, old: old?.info, rules, labelsOnly, unschedulable };
  }

  /** What controllers outside say of a cell now; undefined: nothing. */
  setScores(name: string, scores: NonNullable<CellInfo['scores']> | undefined): void {
    if (scores === undefined) this.#scores.delete(name);
    else this.#scores.set(name, scores);
    this.refresh(name);
  }

  /** To be called when the cell's workspace came or went. */
  refresh(name: string): CellChange | undefined {
    const entry = this.#entries.get(name);
    return entry === undefined ? undefined : this.put(entry.cell);
  }

  remove(name: string): CellChange | undefined {
    const old = this.#entries.get(name);
    if (old === undefined) return undefined;
    this.#entries.delete(name);
    this.#snapshot = undefined;
    return { now: undefined, old: old.info, rules: true, labelsOnly: false, unschedulable: false };
  }

  /** What rendering for this cell needs; undefined when there is no such cell. */
  view(name: string, projectNamespaces: () => readonly string[]): CellView | undefined {
    const entry = this.#entries.get(name);
    if (entry === undefined) return undefined;
    const { cell, info } = entry;
    return {
      info,
      allowsPodSecurity: cellAllowsKind(cell, '', 'Namespace'),
      allowsClusterRole: (role) => cell.spec?.allow?.clusterRoles?.includes(role) ?? false,
      projectNamespaces,
    };
  }
}

function sameRoom(a: CellInfo, b: CellInfo): boolean {
  if (!sameAmounts(a.free, b.free) || a.nodeKinds?.text !== b.nodeKinds?.text) return false;
  if (a.nodeRoom === undefined || b.nodeRoom === undefined) return a.nodeRoom === b.nodeRoom;
  if (a.nodeRoom.length !== b.nodeRoom.length) return false;
  return a.nodeRoom.every(({ nodes, free, kind }, i) => {
    const other = b.nodeRoom?.[i];
    return nodes === other?.nodes && kind === other.kind && sameAmounts(free, other.free);
  });
}

function sameUnschedulable(a: CellInfo['unschedulable'], b: CellInfo['unschedulable']): boolean {
  return a?.hasOthers === b?.hasOthers && sameAmounts(a?.byWorkload, b?.byWorkload);
}

function sameAmounts(a: CellInfo['free'], b: CellInfo['free']): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a.size !== b.size) return false;
  for (const [resource, amount] of a) if (b.get(resource) !== amount) return false;
  return true;
}
