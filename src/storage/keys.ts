import type { StorageKey } from './storage.ts';

/**
 * `/<group>/<resource>/<cluster id>/<namespace>/<name>`; the core group is written `core`, a cluster-scoped object has
 * an empty namespace. One range serves one resource of one workspace, one prefix all workspaces of a resource.
 * No part may hold a slash or a control character; API validation makes sure of that before a key is built, save that
 * RBAC names may hold any printable character but `/` and `%` (KUBERNETES.md O4), which is fine here.
 */
export interface KeyParts {
  readonly group: string;
  readonly resource: string;
  readonly clusterId: string;
  /** Empty for cluster-scoped objects. */
  readonly namespace: string;
  readonly name: string;
}

export function objectKey({ group, resource, clusterId, namespace, name }: KeyParts): StorageKey {
  return `/${group === '' ? 'core' : group}/${resource}/${clusterId}/${namespace}/${name}` as StorageKey;
}

/** The prefix of one resource over all workspaces, one workspace, or one namespace, as far as the parts are given. */
export function rangePrefix(
  stored: { readonly group: string; readonly resource: string },
  clusterId?: string,
  namespace?: string,
): string {
  const base = `/${stored.group === '' ? 'core' : stored.group}/${stored.resource}/`;
  if (clusterId === undefined) return base;
  if (namespace === undefined || namespace === '') return `${base}${clusterId}/`;
  return `${base}${clusterId}/${namespace}/`;
}

/** Takes a key that `objectKey` made apart again; throws a RangeError for any other. */
export function parseObjectKey(key: string): KeyParts {
  const parts = key.split('/');
  if (parts.length !== 6 || parts[0] !== '') throw new RangeError(`not an object key: ${key}`);
  const [, group, resource, clusterId, namespace, name] = parts as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  return { group: group === 'core' ? '' : group, resource, clusterId, namespace, name };
}
