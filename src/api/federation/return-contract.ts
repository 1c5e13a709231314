import type { JsonObject } from '#apimachinery/json.ts';
import { labelSelectorOf } from '#apimachinery/label-selector.ts';
import type { KubeObject } from '#apimachinery/object.ts';

/** What may come back from an edge into the project it belongs to (docs/copies.md, What comes back). */
export const returnableKinds = [
  { group: '', version: 'v1', resource: 'configmaps', kind: 'ConfigMap' },
  { group: '', version: 'v1', resource: 'endpoints', kind: 'Endpoints' },
  { group: '', version: 'v1', resource: 'secrets', kind: 'Secret' },
  { group: '', version: 'v1', resource: 'services', kind: 'Service' },
  { group: 'discovery.k8s.io', version: 'v1', resource: 'endpointslices', kind: 'EndpointSlice' },
] as const;

export type ReturnableKind = (typeof returnableKinds)[number];

/** On an object in a project: the cell that it came back from. Nothing without it is ever written over or deleted. */
export const returnedFromLabel = 'federation.cellplane.io/returned-from';

export const returnAnnotations = {
  /** On the project object: `<id of the cell's workspace>|<namespace there>/<name of the ReturnedObject>`. */
  source: 'federation.cellplane.io/returned-as',
  /** On the project object and the ReturnedObject: what the edge object was at, `<uid>/<hash of its content>`. */
  edgeState: 'federation.cellplane.io/edge-state',
} as const;

export const returnedObjectBytesMax = 256 * 1024;

export interface ReturnSelector extends JsonObject {
  kind: string;
  /** Absent: any. */
  names?: string[];
  labelSelector?: JsonObject;
}

export function returnableKindOf(kind: string): ReturnableKind | undefined {
  return returnableKinds.find((one) => one.kind === kind);
}

export function isReturnable(group: string, resource: string): boolean {
  return returnableKinds.some((one) => one.group === group && one.resource === resource);
}

/** Whether one of the selectors opens the way for an object of this kind. They have been validated when they were written. */
export function selectsReturn(
  selectors: readonly ReturnSelector[],
  kind: string,
  { name = '', labels = {} }: KubeObject['metadata'],
): boolean {
  return selectors.some(
    (one) =>
      one.kind === kind &&
      (one.names === undefined || one.names.includes(name)) &&
      (one.labelSelector === undefined || labelSelectorOf(one.labelSelector).matches(labels)),
  );
}

/** Every cluster has them, or they grant authority: they stay where they are. */
export function staysAtEdge(kind: string, object: KubeObject): boolean {
  if (kind === 'ConfigMap') return object.metadata.name === 'kube-root-ca.crt';
  if (kind !== 'Secret') return false;
  const type = String(object['type'] ?? '');
  return type === 'kubernetes.io/service-account-token' || type.startsWith('bootstrap.kubernetes.io/');
}
