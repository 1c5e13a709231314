import { clusterOf } from '#api/core-kcp/cluster-annotation.ts';
import type { Cell } from '#api/federation/cell.ts';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import type { ReplicaRequest } from '../algorithm/capacity.ts';
import type { DecisionInput } from '../algorithm/decision.ts';
import type { NodeDemand } from '../algorithm/node-demand.ts';
import { previousTargets } from '../bindings/binding.ts';
import { isEstimated, isRoomWatched, type RoomWord, roomWordOf } from '../cells/cell-info.ts';
import { boundPartsOf, keyOf, type ProjectObjectKey } from '../object-key.ts';
import { Commitments, type OfNodes, underWayOf } from './commitments.ts';
import type { Committed } from './committed.ts';

/** What one replica of a binding asks for. */
export interface AskingBinding {
  readonly binding: ResourceBinding;
  readonly request: ReplicaRequest;
  readonly nodes?: NodeDemand | undefined;
  /** Its replicas were divided by room. */
  readonly assumes: boolean;
}

/** What decisions take that cells do not tell of, and how many objects each cell has: as a scheduler knows it. */
export type ToldCommitments = Required<Pick<DecisionInput, 'loadOf'>> & {
  readonly assumedIn: (cell: string) => ReadonlyMap<string, number> | undefined;
  readonly assumedOn: (cell: string, ofNodes: OfNodes) => ReadonlyMap<string, number> | undefined;
  readonly underWayOn: (cell: string, ofNodes: OfNodes) => ReadonlyMap<string, number> | undefined;
};

/** Of cells by their names: what they say of their room. */
export class CellsRoom {
  readonly #cells: ReadonlyMap<string, Cell>;

  constructor(cells: readonly Cell[]) {
    this.#cells = new Map(cells.map((cell) => [cell.metadata.name ?? '', cell]));
  }

  readonly isWatched = (cell: string): boolean => isRoomWatched(this.#cells.get(cell));

  readonly wordOf = (cell: string): RoomWord => roomWordOf(this.#cells.get(cell));

  readonly isEstimated = (cell: string): boolean => isEstimated(this.#cells.get(cell));

  /** Cells of which the bindings alone tell what is taken. */
  get counted(): ReadonlySet<string> {
    return new Set([...this.#cells.keys()].filter((cell) => this.wordOf(cell) === 'whole'));
  }
}

/** Whether the binding's decision is young enough, and the cells have so little of it, that its replicas count as under way. */
export function isUnderWay({ spec, status }: ResourceBinding, room: CellsRoom, nowMs: number): boolean {
  if (spec.replicas === undefined) return false;
  return underWayOf(spec, status, nowMs, room.isWatched).some(({ replicas = 0 }) => replicas > 0);
}

/**
 * For a decision about `own`: the commitments of a scheduler that has just begun, by bindings alone (`Commitments.restore`).
 * `asking`: of those bindings with replicas under way, and those in cells that do not say what is taken.
 */
export function toldCommitments(
  own: ResourceBinding,
  bindings: readonly ResourceBinding[],
  asking: Iterable<AskingBinding>,
  room: CellsRoom,
  nowMs: number,
): ToldCommitments {
  const requests = new Map<ProjectObjectKey, AskingBinding>();
  for (const one of asking) requests.set(keyOfBound(one.binding), one);
  const commitments = new Commitments(room.wordOf, undefined, room.isEstimated);
  for (const cell of room.counted) commitments.look(cell, () => []);
  for (const binding of bindings) {
    const key = keyOfBound(binding);
    const asked = requests.get(key);
    commitments.place(key, placedBy(binding, asked), undefined, [], nowMs);
    if (asked?.assumes !== true) continue;
    const underWay = underWayOf(binding.spec, binding.status, nowMs, room.isWatched);
    commitments.restore(key, underWay, asked, nowMs);
  }
  const ownKey = keyOfBound(own);
  const held = bindings.find((binding) => keyOfBound(binding) === ownKey);
  const placed = held === undefined ? undefined : placedBy(held);
  return {
    loadOf: commitments.loadBeside(placed),
    assumedIn: (cell) => commitments.assumedIn(cell, nowMs),
    assumedOn: (cell, ofNodes) => commitments.assumedOn(cell, nowMs, ofNodes),
    underWayOn: (cell, ofNodes) => commitments.underWayOn(cell, nowMs, ofNodes),
  };
}

function placedBy(binding: ResourceBinding, asked?: AskingBinding): Committed {
  const { request = [], nodes } = asked ?? {};
  return { targets: previousTargets(binding), request, nodes, assumes: false };
}

function keyOfBound(binding: ResourceBinding): ProjectObjectKey {
  return keyOf(boundPartsOf(binding, clusterOf(binding)));
}
