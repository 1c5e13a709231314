import { templateRequests } from '#api/builtin/template-requests.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { quantityNumber } from '#apimachinery/quantity.ts';
import type { ReplicaRequest } from '../algorithm/capacity.ts';
import type { Target } from '../algorithm/decision.ts';
import { divideByWebster } from '../algorithm/webster.ts';
import { thirdPartyKind } from '../interpreter/third-party.ts';
import { resourceKey } from './kinds.ts';
import { podSpecPaths } from './reference-table.ts';

/** Built-in kinds with replicas: the field of `spec` that counts them. */
const replicaFields: { readonly [resource: string]: string | undefined } = {
  replicationcontrollers: 'replicas',
  'deployments.apps': 'replicas',
  'replicasets.apps': 'replicas',
  'statefulsets.apps': 'replicas',
  'jobs.batch': 'parallelism',
};

export interface ReplicaKind {
  readonly group: string;
  readonly resource: string;
  /** Whether it is a custom kind with a scale subresource over `spec.replicas`. */
  readonly scalable: boolean;
}

/** The field of `spec` that counts replicas; undefined for kinds without. */
export function replicaFieldOf({ group, resource, scalable }: ReplicaKind): string | undefined {
  const key = resourceKey(group, resource);
  return Object.hasOwn(replicaFields, key)
    ? replicaFields[key]
    : (thirdPartyKind(key)?.replicas ?? (scalable ? 'replicas' : undefined));
}

/** How many replicas an object asks for; undefined for kinds without. A Pod is one. */
export function replicasOf(object: KubeObject, kind: ReplicaKind): number | undefined {
  if (kind.group === '' && kind.resource === 'pods') return 1;
  const field = replicaFieldOf(kind);
  if (field === undefined || !isJsonObject(object['spec'])) return undefined;
  const value = object['spec'][field];
  if (value === undefined || value === null) return 1;
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : undefined;
}

/**
 * Sets a cell's share in place. A Job's completions are shared out in proportion to its parallelism, so that all cells
 * together complete what was asked for.
 */
export function reviseReplicas(
  object: KubeObject,
  kind: ReplicaKind,
  cellName: string,
  targets: readonly Target[],
  divided: boolean,
): void {
  const field = replicaFieldOf(kind);
  const own = targets.find(({ name }) => name === cellName);
  const spec = object['spec'];
  if (field === undefined || own?.replicas === undefined || !isJsonObject(spec)) return;
  spec[field] = own.replicas;
  if (field !== 'parallelism' || !divided || typeof spec['completions'] !== 'number') return;
  const parties = targets.map(({ name, replicas }) => ({ name, weight: replicas ?? 0 }));
  const share = divideByWebster(spec['completions'], parties)[targets.indexOf(own)] as number;
  spec['completions'] = share;
  if (share < own.replicas) spec['parallelism'] = share;
}

/** The object's pod template's spec, or a Pod's own; undefined for kinds without pods. */
export function podSpecOf(
  object: KubeObject,
  { group, resource }: { readonly group: string; readonly resource: string },
): JsonObject | undefined {
  const path = podSpecPaths[resourceKey(group, resource)];
  if (path === undefined) return undefined;
  let pod: JsonValue | undefined = object;
  for (const key of path.split('.')) pod = isJsonObject(pod) ? pod[key] : undefined;
  return isJsonObject(pod) ? pod : undefined;
}

/** What one replica asks for at most at any time, as Kubernetes' scheduler and quotas count it. */
export function requestOf(object: KubeObject, kind: ReplicaKind): ReplicaRequest {
  const pod = podSpecOf(object, kind);
  if (pod === undefined) return [];
  const request: [string, number][] = [];
  for (const [resource, quantity] of templateRequests(pod))
    request.push([resource, quantityNumber(quantity)]);
  return request;
}
