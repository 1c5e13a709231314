import { ApiError } from '#apimachinery/api-error.ts';
import { isJsonObject } from '#apimachinery/json.ts';
import type { KubeList, KubeObject } from '#apimachinery/object.ts';
import type { CollectionRef, ObjectRef } from '#client/client.ts';

/**
 * What an edge answers is checked before anything is read from it: an edge may be broken, or lie. Each of these returns its
 * argument or throws ApiError `InternalError`.
 */
export function checkedObject(object: KubeObject, ref: ObjectRef): KubeObject {
  const { metadata } = checkedShape(object);
  if (metadata.name !== ref.name || (metadata.namespace ?? '') !== (ref.namespace ?? '')) {
    throw nonsense(`another object than ${placeOf(ref)}`);
  }
  return object;
}

export function checkedList(list: KubeList, collection: CollectionRef): KubeList {
  if (!isJsonObject(list) || !Array.isArray(list.items) || !isJsonObject(list.metadata)) {
    throw nonsense('something that is no list');
  }
  for (const item of list.items) checkedItem(item, collection);
  return list;
}

/** An object of a list or a watch. */
export function checkedItem(object: KubeObject, { namespace }: CollectionRef): KubeObject {
  const { metadata } = checkedShape(object);
  if (typeof metadata.name !== 'string' || metadata.name === '') throw nonsense('an object without a name');
  if (namespace !== undefined && metadata.namespace !== namespace) {
    throw nonsense('an object of another namespace');
  }
  return object;
}

function checkedShape(object: KubeObject): KubeObject {
  if (!isJsonObject(object) || !isJsonObject(object.metadata)) throw nonsense('something that is no object');
  const { namespace, resourceVersion, labels, annotations, managedFields, finalizers } = object.metadata;
  if (!isTextOrAbsent(namespace) || !isTextOrAbsent(resourceVersion))
    throw nonsense('an object that is malformed');
  if (!isTextMapOrAbsent(labels) || !isTextMapOrAbsent(annotations)) {
    throw nonsense('labels or annotations that are malformed');
  }
  if (managedFields !== undefined && !(Array.isArray(managedFields) && managedFields.every(isJsonObject))) {
    throw nonsense('managedFields that are malformed');
  }
  if (finalizers !== undefined && !Array.isArray(finalizers)) throw nonsense('finalizers that are malformed');
  return object;
}

function isTextOrAbsent(value: unknown): boolean {
  return value === undefined || typeof value === 'string';
}

function isTextMapOrAbsent(value: unknown): boolean {
  if (value === undefined) return true;
  if (!isJsonObject(value)) return false;
  for (const key in value) if (typeof value[key] !== 'string') return false;
  return true;
}

function placeOf({ gvr, namespace, name }: ObjectRef): string {
  return `${gvr.resource} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
}

function nonsense(what: string): ApiError {
  return new ApiError('InternalError', `the edge answered with ${what}`);
}
