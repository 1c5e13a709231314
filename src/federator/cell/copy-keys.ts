import type { Copy, CopyTarget } from '#api/federation/copy.ts';
import type { GroupVersionResource } from '#apimachinery/gvk.ts';
import type { KubeObject } from '#apimachinery/object.ts';

/** `<group>/<version>/<resource>|<namespace>/<name>`: one object of a cell, on both sides. */
export type CopyKey = string;

export interface CopyPlace extends GroupVersionResource {
  readonly namespace: string;
  readonly name: string;
}

export function copyKeyOf(place: CopyPlace): CopyKey {
  return `${place.group}/${place.version}/${place.resource}|${place.namespace}/${place.name}`;
}

/** Takes a key that copyKeyOf made apart again. */
export function parseCopyKey(key: CopyKey): CopyPlace {
  const bar = key.indexOf('|');
  const [group = '', version = '', resource = ''] = key.slice(0, bar).split('/');
  const slash = key.indexOf('/', bar);
  return { group, version, resource, namespace: key.slice(bar + 1, slash), name: key.slice(slash + 1) };
}

export function targetOf(copy: KubeObject): CopyTarget {
  return (copy as Copy).target;
}

export function placeOf(copy: KubeObject): CopyPlace {
  const { group, version, resource, name } = targetOf(copy);
  return { group, version, resource, name, namespace: copy.metadata.namespace ?? '' };
}
