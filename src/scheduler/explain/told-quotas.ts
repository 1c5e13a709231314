import type { FederatedResourceQuota } from '#api/policy/federated-resource-quota.ts';
import type { ReplicaRequest } from '../algorithm/capacity.ts';
import type { Target } from '../algorithm/decision.ts';
import { amountsIn, amountsOf, exceeded, roomWithin, sumOf } from '../deciding/quota-amounts.ts';

/** What the quotas of a namespace say of one object, by their own status. */
export interface ToldQuotas {
  /** Further replicas that may be placed, in all cells together; Infinity where none is limited. */
  readonly room: number;
  /** Further replicas in one cell; Infinity where it is not limited. */
  readonly roomIn: (cell: string) => number;
  /** Why targets would take too much; undefined when they do not. */
  readonly refusal: (targets: readonly Target[]) => string | undefined;
}

/** `before`: what the object takes now, which the quotas' status counts. Pure. */
export function toldQuotas(
  quotas: readonly FederatedResourceQuota[],
  before: readonly Target[],
  request: ReplicaRequest,
): ToldQuotas {
  const takes = amountsOf(before, request);
  const all = quotas.map(({ metadata, spec, status }) => ({
    name: metadata.name ?? '',
    hard: amountsIn(spec.overall),
    used: amountsIn(status?.overallUsed),
    cells: new Map(
      (spec.staticAssignments ?? []).map(({ clusterName, hard }) => {
        const told = status?.aggregatedStatus?.find((one) => one.clusterName === clusterName);
        return [clusterName, { hard: amountsIn(hard), used: amountsIn(told?.used) }];
      }),
    ),
  }));
  const least = (rooms: readonly number[]): number => Math.min(Number.POSITIVE_INFINITY, ...rooms);
  return {
    room: least(all.map(({ hard, used }) => roomWithin(hard, used, request))),
    roomIn: (cell) =>
      least(all.map(({ cells }) => roomWithin(cells.get(cell)?.hard, cells.get(cell)?.used, request))),
    refusal(targets) {
      const after = amountsOf(targets, request);
      for (const { name, hard, used, cells } of all) {
        const over = exceeded(hard, used, sumOf(takes), sumOf(after));
        if (over !== undefined) return `FederatedResourceQuota ${name}: ${over}`;
        for (const [cell, ofCell] of cells) {
          const inCell = exceeded(ofCell.hard, ofCell.used, takes.get(cell), after.get(cell));
          if (inCell !== undefined) return `FederatedResourceQuota ${name}, cell ${cell}: ${inCell}`;
        }
      }
      return undefined;
    },
  };
}
