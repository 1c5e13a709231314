import { createHash } from 'node:crypto';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import type { CacheEntry } from '#storage/cached-storage.ts';
import { objectKey } from '#storage/keys.ts';
import type { Revision } from '#storage/storage.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { encodeStored } from './encode-stored.ts';
import { headerOf } from './stored-object.ts';

/**
 * Objects that every workspace has without storing them: bootstrap roles and their bindings (DESIGN.md, API server). A
 * workspace's own object of the same name stands in front; the first write to a shared one stores it there.
 */
export interface SharedObjects {
  /** Undefined for most resources: asked on every read, so it must be a map lookup. */
  of(
    workspace: Workspace,
    storedAs: { readonly group: string; readonly resource: string },
  ): SharedSet | undefined;
}

/** The shared objects of one resource. */
export interface SharedSet {
  get(workspace: Workspace, namespace: string, name: string): CacheEntry | undefined;
  /** In key order. */
  list(workspace: Workspace): readonly CacheEntry[];
}

/** The revision that shared objects show: older than any write. */
export const sharedRevision = 1 as Revision;

interface SharedItem {
  readonly namespace: string;
  readonly name: string;
  readonly value: Buffer;
  readonly memo: unknown;
}

/** A fixed set of objects, the same for all workspaces that `appliesTo` accepts. */
export class FixedSharedObjects implements SharedObjects {
  readonly #sets = new Map<string, FixedSharedSet>();
  readonly #appliesTo: (workspace: Workspace) => boolean;

  /**
   * `objects` stand in their storage version, without uid and creationTimestamp: these are made here, the same in every
   * process (`createdAt`: RFC 3339).
   */
  constructor(
    objects: Iterable<{ readonly definition: ResourceDefinition; readonly objects: readonly KubeObject[] }>,
    options: { readonly createdAt: string; readonly appliesTo?: (workspace: Workspace) => boolean },
  ) {
    this.#appliesTo = options.appliesTo ?? (() => true);
    for (const { definition, objects: ofOne } of objects) {
      const { group, resource } = definition.storedAs;
      this.#sets.set(`${group}/${resource}`, new FixedSharedSet(definition, ofOne, options.createdAt));
    }
  }

  of(
    workspace: Workspace,
    storedAs: { readonly group: string; readonly resource: string },
  ): SharedSet | undefined {
    const set = this.#sets.get(`${storedAs.group}/${storedAs.resource}`);
    return set !== undefined && this.#appliesTo(workspace) ? set : undefined;
  }
}

class FixedSharedSet implements SharedSet {
  readonly #definition: ResourceDefinition;
  readonly #items: readonly SharedItem[];
  readonly #byName: ReadonlyMap<string, SharedItem>;

  constructor(definition: ResourceDefinition, objects: readonly KubeObject[], createdAt: string) {
    this.#definition = definition;
    const items = objects.map((object) => sharedItem(object, definition, createdAt));
    items.sort((a, b) => compare(a.namespace, b.namespace) || compare(a.name, b.name));
    this.#items = items;
    this.#byName = new Map(items.map((item) => [`${item.namespace}/${item.name}`, item]));
  }

  get(workspace: Workspace, namespace: string, name: string): CacheEntry | undefined {
    const item = this.#byName.get(`${namespace}/${name}`);
    return item === undefined ? undefined : this.#entry(workspace, item);
  }

  list(workspace: Workspace): readonly CacheEntry[] {
    return this.#items.map((item) => this.#entry(workspace, item));
  }

  #entry(workspace: Workspace, item: SharedItem): CacheEntry {
    const { group, resource } = this.#definition.storedAs;
    const key = objectKey({
      group,
      resource,
      clusterId: workspace.id,
      namespace: item.namespace,
      name: item.name,
    });
    return { key, value: item.value, revision: sharedRevision, memo: item.memo };
  }
}

function sharedItem(object: KubeObject, definition: ResourceDefinition, createdAt: string): SharedItem {
  const { namespace = '', name = '' } = object.metadata;
  const uid = sharedUid(definition, namespace, name);
  const metadata = { ...object.metadata, uid, creationTimestamp: createdAt };
  const value = encodeStored({ ...object, metadata }, definition);
  const entry: CacheEntry = {
    key: objectKey({ group: '', resource: '', clusterId: '', namespace, name }),
    value,
    revision: sharedRevision,
    memo: undefined,
  };
  return { namespace, name, value, memo: headerOf(entry) };
}

/** The uid of a shared object, in every process and workspace the same. */
export function sharedUid(
  { group, resource }: { readonly group: string; readonly resource: string },
  namespace: string,
  name: string,
): string {
  return derivedUid(`${group}/${resource}/${namespace}/${name}`);
}

/** A version-8 UUID (RFC 9562, 5.8) from what the object is. */
function derivedUid(identity: string): string {
  const hash = createHash('sha256').update(identity).digest();
  hash[6] = (hash[6]! & 0x0f) | 0x80;
  hash[8] = (hash[8]! & 0x3f) | 0x80;
  const hex = hash.toString('hex', 0, 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
