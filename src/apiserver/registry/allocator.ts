import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import type { Guard, Operation } from '#storage/storage.ts';
import type { Target } from './target.ts';

export interface Allocation {
  /** The object with what was allocated; the one given is not changed, so that another try starts from it again. */
  readonly object: KubeObject;
  readonly guards: readonly Guard[];
  readonly operations: readonly Operation[];
}

/**
 * Hands out values that must be unique in a workspace (service addresses, node ports): each is a key of its own, put
 * under the guard "absent" in the transaction that stores the object, so that no scan and no repair loop is needed.
 */
export interface Allocator {
  handles(definition: ResourceDefinition): boolean;
  /** Before validation: carries over what the old object has and the new one does not mention. In place. */
  prepareForUpdate(object: KubeObject, old: KubeObject): void;
  /** Throws 422 for values that the user chose and cannot have. `attempt` counts from 0 within one write. */
  allocate(request: {
    readonly storage: CachedStorage;
    readonly target: Target;
    readonly object: KubeObject;
    readonly old: KubeObject | undefined;
    readonly dryRun: boolean;
    readonly attempt: number;
  }): Allocation;
  /** What to write together with the object's removal, where that depends on other keys' state. */
  releaseGuarded?(request: {
    readonly storage: CachedStorage;
    readonly target: Target;
    readonly object: KubeObject;
  }): { readonly guards: readonly Guard[]; readonly operations: readonly Operation[] };
  /** What to delete together with the object. */
  release(request: {
    readonly storage: CachedStorage;
    readonly target: Target;
    readonly object: KubeObject;
  }): readonly Operation[];
}
