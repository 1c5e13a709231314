import { type ResourceAmounts, requestedResource } from '#api/policy/federated-resource-quota.ts';
import { parseQuantity, quantityNumber } from '#apimachinery/quantity.ts';
import type { ReplicaRequest } from '../algorithm/capacity.ts';
import type { Target } from '../algorithm/decision.ts';

/** Resource → amount in whole units. */
export type Amounts = ReadonlyMap<string, number>;

/** What a quota names, of what replicas ask for; of several names for one resource the least. */
export function amountsIn(amounts: ResourceAmounts | undefined): Map<string, number> {
  const parsed = new Map<string, number>();
  for (const [name, amount] of Object.entries(amounts ?? {})) {
    const resource = requestedResource(name);
    if (resource === undefined) continue;
    const limit = quantityNumber(parseQuantity(amount));
    parsed.set(resource, Math.min(limit, parsed.get(resource) ?? Number.POSITIVE_INFINITY));
  }
  return parsed;
}

/** Cell → resource → amount; kinds without replicas take nothing. */
export function amountsOf(
  targets: readonly Target[],
  request: ReplicaRequest,
): Map<string, Map<string, number>> {
  const byCell = new Map<string, Map<string, number>>();
  for (const { name, replicas = 0 } of targets) {
    if (replicas === 0) continue;
    const amounts = new Map<string, number>();
    addReplicas(amounts, replicas, request);
    byCell.set(name, amounts);
  }
  return byCell;
}

/** Changes `amounts`. */
export function add(amounts: Map<string, number>, resource: string, amount: number): void {
  const sum = (amounts.get(resource) ?? 0) + amount;
  // What is left of 0.1 + 0.2 - 0.3 is nothing.
  if (Math.abs(sum) < 1e-9) amounts.delete(resource);
  else amounts.set(resource, sum);
}

/** Changes `amounts` by what so many replicas take, each of them a pod. */
export function addReplicas(amounts: Map<string, number>, replicas: number, request: ReplicaRequest): void {
  add(amounts, 'pods', replicas);
  for (const [resource, amount] of request)
    if (resource !== 'pods') add(amounts, resource, amount * replicas);
}

/** Over all cells. */
export function sumOf(byCell: ReadonlyMap<string, Amounts> | undefined): Map<string, number> {
  const sum = new Map<string, number>();
  for (const amounts of byCell?.values() ?? [])
    for (const [resource, amount] of amounts) add(sum, resource, amount);
  return sum;
}

/** What is asked for beyond the limit; growth alone is refused, so that a lowered limit takes nothing away. */
export function exceeded(
  limits: Amounts,
  used: Amounts | undefined,
  before: Amounts | undefined,
  after: Amounts | undefined,
): string | undefined {
  for (const [resource, limit] of limits) {
    const old = before?.get(resource) ?? 0;
    const wanted = after?.get(resource) ?? 0;
    if (wanted <= old + 1e-9) continue;
    const others = (used?.get(resource) ?? 0) - old;
    if (others + wanted <= limit * (1 + 1e-12) + 1e-9) continue;
    return `${resource}: ${round(wanted)} asked for, ${round(limit - others)} left of ${round(limit)}`;
  }
  return undefined;
}

function round(amount: number): number {
  return Math.round(amount * 1_000) / 1_000;
}

/** Further replicas that a limit leaves room for; Infinity where it limits nothing that they ask for. */
export function roomWithin(
  hard: Amounts | undefined,
  used: Amounts | undefined,
  request: ReplicaRequest,
): number {
  let room = Number.POSITIVE_INFINITY;
  for (const [resource, amount] of [['pods', 1] as const, ...request]) {
    const limit = hard?.get(resource);
    if (limit === undefined || amount <= 0) continue;
    room = Math.min(room, Math.max(0, Math.floor((limit - (used?.get(resource) ?? 0)) / amount + 1e-9)));
  }
  return room;
}
