import type { ReturnableKind } from '#api/federation/return-contract.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ObjectRef } from '#client/client.ts';
import { clusterAnnotation } from '#client/informer.ts';

/** Logical cluster id of the workspace that the object lies in. */
export function clusterOf({ metadata }: KubeObject): string {
  return metadata.annotations?.[clusterAnnotation] ?? '';
}

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
