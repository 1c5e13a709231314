import type { ResourceBinding } from '#api/work/resource-binding.ts';
import { clusterAnnotation } from '#client/informer.ts';
import type { ReplicaRequest } from '../algorithm/capacity.ts';
import type { DecisionInput } from '../algorithm/decision.ts';
import { previousTargets } from '../binding.ts';
import { boundPartsOf, keyOf, type ProjectObjectKey } from '../object-key.ts';
import { Commitments, type Committed, underWayOf } from './commitments.ts';

/** A binding with replicas under way, and what one of them asks for. */
export interface PendingBinding {
  readonly binding: ResourceBinding;
  readonly request: ReplicaRequest;
}

/** What decisions take that cells do not tell of yet, and how many objects each cell has: as a scheduler knows it. */
export type ToldCommitments = Required<Pick<DecisionInput, 'loadOf'>> & {
  readonly assumedIn: (cell: string) => ReadonlyMap<string, number> | undefined;
};

/** Whether the binding's decision is young enough, and the cells have so little of it, that its replicas count as under way. */
export function isUnderWay({ spec, status }: ResourceBinding, nowMs: number): boolean {
  if (spec.replicas === undefined) return false;
  return underWayOf(spec, status, nowMs).some(({ replicas = 0 }) => replicas > 0);
}

/**
 * For a decision about `own`: the commitments of a scheduler that has just begun, by bindings alone (`Commitments.restore`).
 * `pending`: of those bindings with replicas under way that were divided by room.
 */
export function toldCommitments(
  own: ResourceBinding,
  bindings: readonly ResourceBinding[],
  pending: Iterable<PendingBinding>,
  nowMs: number,
): ToldCommitments {
  const commitments = new Commitments(() => true);
  for (const binding of bindings) {
    commitments.place(keyOfBound(binding), placedBy(binding), undefined, [], [], nowMs);
  }
  for (const { binding, request } of pending)
    commitments.restore(keyOfBound(binding), underWayOf(binding.spec, binding.status, nowMs), request, nowMs);
  const ownKey = keyOfBound(own);
  const held = bindings.find((binding) => keyOfBound(binding) === ownKey);
  const placed = held === undefined ? undefined : placedBy(held);
  return { loadOf: commitments.loadBeside(placed), assumedIn: (cell) => commitments.assumedIn(cell, nowMs) };
}

function placedBy(binding: ResourceBinding): Committed {
  return { targets: previousTargets(binding), assumes: false };
}

function keyOfBound(binding: ResourceBinding): ProjectObjectKey {
  return keyOf(boundPartsOf(binding, binding.metadata.annotations?.[clusterAnnotation] ?? ''));
}
