import type { ResourceBinding } from '#api/work/resource-binding.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { Target } from '../algorithm/decision.ts';
import { demandOfClaim } from '../algorithm/node-demand.ts';
import { underWayOf } from '../deciding/commitments.ts';
import type { Committed } from '../deciding/committed.ts';
import { slimMetadata } from '../watches/slim-metadata.ts';
import { previousTargets, requestOf } from './binding.ts';

/** What a binding takes in cells, to those who did not decide it. */
export interface ToldAmounts {
  readonly committed: Committed;
  /** Of its replicas, those that cells cannot tell of yet. */
  readonly underWay: readonly Target[];
}

/** A binding as far as its watch keeps it where several schedulers share the work. */
export type ToldBinding = KubeObject & { readonly told: ToldAmounts };

export function toldBinding(
  object: KubeObject,
  nowMs: number,
  isWatched: (cell: string) => boolean,
): ToldBinding {
  const binding = object as ResourceBinding;
  // Of which kind its division was, is not said: what is under way is on its way however it was divided.
  const committed = {
    targets: previousTargets(binding),
    request: requestOf(binding),
    nodes: demandOfClaim(binding.spec.replicaRequirements?.nodeClaim),
    assumes: false,
  };
  const underWay =
    binding.spec.replicas === undefined ? [] : underWayOf(binding.spec, binding.status, nowMs, isWatched);
  const told: ToldAmounts = { committed, underWay: underWay.filter(({ replicas = 0 }) => replicas > 0) };
  return Object.assign(slimMetadata(object), { told });
}
