import type { OwnerReference } from '#apimachinery/object.ts';
import type { StorageKey } from '#storage/storage.ts';

interface Dependent {
  readonly clusterId: string;
  readonly owners: readonly OwnerReference[];
}

const nobody: ReadonlySet<StorageKey> = new Set();

/**
 * Who depends on whom, by the owner's uid within its workspace: ownership never crosses workspaces, so that a uid
 * borrowed from another one finds nothing there. Holds only objects that have ownerReferences.
 */
export class OwnerIndex {
  readonly #dependents = new Map<string, Map<string, Set<StorageKey>>>();
  readonly #byKey = new Map<StorageKey, Dependent>();

  get size(): number {
    return this.#byKey.size;
  }

  /** Replaces what was known of the object; without owners it is forgotten. */
  set(key: StorageKey, clusterId: string, owners: readonly OwnerReference[]): void {
    this.delete(key);
    if (owners.length === 0) return;
    this.#byKey.set(key, { clusterId, owners });
    let byOwner = this.#dependents.get(clusterId);
    if (byOwner === undefined) {
      byOwner = new Map();
      this.#dependents.set(clusterId, byOwner);
    }
    for (const { uid } of owners) {
      const keys = byOwner.get(uid);
      if (keys === undefined) byOwner.set(uid, new Set([key]));
      else keys.add(key);
    }
  }

  delete(key: StorageKey): void {
    const dependent = this.#byKey.get(key);
    if (dependent === undefined) return;
    this.#byKey.delete(key);
    const byOwner = this.#dependents.get(dependent.clusterId);
    for (const { uid } of dependent.owners) {
      const keys = byOwner?.get(uid);
      keys?.delete(key);
      if (keys?.size === 0) byOwner?.delete(uid);
    }
    if (byOwner?.size === 0) this.#dependents.delete(dependent.clusterId);
  }

  has(key: StorageKey): boolean {
    return this.#byKey.has(key);
  }

  /** Whether anything in the workspace has an owner at all. */
  hasCluster(clusterId: string): boolean {
    return this.#dependents.has(clusterId);
  }

  dependentsOf(clusterId: string, uid: string): ReadonlySet<StorageKey> {
    return this.#dependents.get(clusterId)?.get(uid) ?? nobody;
  }

  clear(): void {
    this.#dependents.clear();
    this.#byKey.clear();
  }
}
