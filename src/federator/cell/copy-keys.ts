import type { Copy, CopyTarget } from '#api/federation/copy.ts';
import type { GroupVersionResource } from '#apimachinery/gvk.ts';
import type { KubeObject } from '#apimachinery/object.ts';

/** `<group>/<resource>|<namespace>/<name>`: one object of a cell, on both sides, in whatever versions they have it. */
export type CopyKey = string;

/** What a key says. */
export interface ObjectPlace {
  readonly group: string;
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
}

/** With the version in which the cell's workspace has it. */
export interface CopyPlace extends ObjectPlace, GroupVersionResource {}

export function copyKeyOf({ group, resource, namespace, name }: ObjectPlace): CopyKey {
  return `${group}/${resource}|${namespace}/${name}`;
}

/** Takes a key that copyKeyOf made apart again. */
export function parseCopyKey(key: CopyKey): ObjectPlace {
  const bar = key.indexOf('|');
  const [group = '', resource = ''] = key.slice(0, bar).split('/');
  const slash = key.indexOf('/', bar);
  return { group, resource, namespace: key.slice(bar + 1, slash), name: key.slice(slash + 1) };
}

export function targetOf(copy: KubeObject): CopyTarget {
  return (copy as Copy).target;
}

export function placeOf(copy: KubeObject): CopyPlace {
  const { group, version, resource, name } = targetOf(copy);
  return { group, version, resource, name, namespace: copy.metadata.namespace ?? '' };
}
