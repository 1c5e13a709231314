import { bindingName } from '#api/work/binding-name.ts';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import { parseApiVersion } from '#apimachinery/gvk.ts';
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

/** Of what a binding is for. `cluster`: the project that the binding lies in. */
export function boundPartsOf({ spec: { resource } }: ResourceBinding, cluster: string): KeyParts {
  const { group = '' } = parseApiVersion(resource.apiVersion) ?? {};
  const { namespace = '', name } = resource;
  return { group, resource: resource.resource, cluster, namespace, name };
}

export function keyOf(parts: KeyParts): ProjectObjectKey {
  return SplitKey.keyOf(parts) ?? keyTextOf(parts);
}

/** Name of the object's binding. */
export function bindingNameOf(parts: KeyParts): string {
  return SplitKey.bindingNameOf(parts) ?? bindingName(parts.group, parts.resource, parts.name);
}

/** The object's key in a watch over all workspaces (`ObjectKey` of informers). */
export function watchedKeyOf(parts: KeyParts): string {
  return SplitKey.watchedKeyOf(parts) ?? watchedTextOf(parts);
}

function keyTextOf({ group, resource, cluster, namespace, name }: KeyParts): ProjectObjectKey {
  return `${resource}.${group}|${cluster}|${namespace}|${name}`;
}

function watchedTextOf({ cluster, namespace, name }: KeyParts): string {
  return `${cluster}|${namespace}/${name}`;
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
  return new SplitKey(key);
}

/**
 * A key taken apart. It remembers the names that are made of its parts: one look at an object asks for them a dozen times,
 * and a text made anew is put together, hashed and compared with each.
 */
class SplitKey implements KeyParts {
  readonly group: string;
  readonly resource: string;
  readonly cluster: string;
  readonly namespace: string;
  readonly name: string;
  readonly #key: ProjectObjectKey;
  #watchedKey: string | undefined;
  #bindingName: string | undefined;

  constructor(key: ProjectObjectKey) {
    const first = key.indexOf('|');
    const second = key.indexOf('|', first + 1);
    const third = key.indexOf('|', second + 1);
    const dot = key.indexOf('.');
    this.resource = key.slice(0, dot);
    this.group = key.slice(dot + 1, first);
    this.cluster = key.slice(first + 1, second);
    this.namespace = key.slice(second + 1, third);
    this.name = key.slice(third + 1);
    this.#key = key;
  }

  /** These are undefined for parts that are no key taken apart. */
  static keyOf(parts: KeyParts): ProjectObjectKey | undefined {
    return #key in parts ? parts.#key : undefined;
  }

  static watchedKeyOf(parts: KeyParts): string | undefined {
    if (!(#key in parts)) return undefined;
    parts.#watchedKey ??= watchedTextOf(parts);
    return parts.#watchedKey;
  }

  static bindingNameOf(parts: KeyParts): string | undefined {
    if (!(#key in parts)) return undefined;
    parts.#bindingName ??= bindingName(parts.group, parts.resource, parts.name);
    return parts.#bindingName;
  }
}
