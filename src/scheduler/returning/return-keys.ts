import { clusterOf } from '#api/core-kcp/cluster-annotation.ts';
import type { ReturnableKind } from '#api/federation/return-contract.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ObjectRef } from '#client/client.ts';

/** `<cluster id>|<namespace>|<name>`. */
export function addressOf(object: KubeObject): string {
  return `${placeOf(object)}|${object.metadata.name ?? ''}`;
}

/** `<cluster id>|<namespace>`, as the informers index by `namespace`. */
export function placeOf(object: KubeObject): string {
  return `${clusterOf(object)}|${object.metadata.namespace ?? ''}`;
}

/** A key of the controller's queue. */
export function keyOf(task: 'policy' | 'request' | 'object' | 'status', object: KubeObject): string {
  return `${task}|${addressOf(object)}`;
}

export function refInProject({ group, version, resource }: ReturnableKind, object: KubeObject): ObjectRef {
  const { namespace, name = '' } = object.metadata;
  return { cluster: clusterOf(object), gvr: { group, version, resource }, namespace, name };
}
