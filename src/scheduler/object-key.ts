import type { Origin } from './projection/origin.ts';

/**
 * The queue's key for a project object: `<resource>.<group>|<cluster id>|<namespace>|<name>`. The name comes last, as
 * RBAC names may hold any character but `/` and `%`.
 */
export type ProjectObjectKey = string;

export interface KeyParts {
  readonly group: string;
  readonly resource: string;
  readonly cluster: string;
  readonly namespace: string;
  readonly name: string;
}

export function keyOf({ group, resource, cluster, namespace, name }: KeyParts): ProjectObjectKey {
  return `${resource}.${group}|${cluster}|${namespace}|${name}`;
}

export function originKeyOf(origin: Origin): ProjectObjectKey {
  return keyOf(origin);
}

/** The cluster id of a key, without taking the rest apart. */
export function clusterOf(key: ProjectObjectKey): string {
  const first = key.indexOf('|');
  return key.slice(first + 1, key.indexOf('|', first + 1));
}

export function splitKey(key: ProjectObjectKey): KeyParts {
  const first = key.indexOf('|');
  const second = key.indexOf('|', first + 1);
  const third = key.indexOf('|', second + 1);
  const dot = key.indexOf('.');
  return {
    resource: key.slice(0, dot),
    group: key.slice(dot + 1, first),
    cluster: key.slice(first + 1, second),
    namespace: key.slice(second + 1, third),
    name: key.slice(third + 1),
  };
}
