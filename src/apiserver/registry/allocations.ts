import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import type { CachedStorage, CacheEntry } from '#storage/cached-storage.ts';
import type { Guard, Operation } from '#storage/storage.ts';
import type { Allocation, Allocator } from './allocator.ts';
import { objectOf } from './stored-object.ts';
import { isInert, type Target } from './target.ts';

const nothing: Omit<Allocation, 'object'> = { guards: [], operations: [] };
const noAllocators: readonly Allocator[] = [];

/** What a write asks of its kind's allocators. */
interface AllocationRequest {
  readonly object: KubeObject;
  readonly old: KubeObject | undefined;
  readonly dryRun: boolean;
  /** From 0, within one write. */
  readonly attempt: number;
}

/** The allocators as one: what each wants of a write goes into the same transaction. Inert kinds have none. */
export class Allocations {
  readonly #storage: CachedStorage;
  readonly #allocators: readonly Allocator[];
  readonly #byDefinition = new WeakMap<ResourceDefinition, readonly Allocator[]>();

  constructor(storage: CachedStorage, allocators: readonly Allocator[]) {
    this.#storage = storage;
    this.#allocators = allocators;
  }

  /** Carries over, in place, what was allocated to the old object and the new one does not mention. */
  prepareForUpdate(target: Target, object: KubeObject, old: KubeObject): void {
    for (const allocator of this.#of(target)) allocator.prepareForUpdate(object, old);
  }

  /** All allocators in turn, each on what the one before made of the object. Throws 422 as they do. */
  allocate(target: Target, { object, old, dryRun, attempt }: AllocationRequest): Allocation {
    const guards: Guard[] = [];
    const operations: Operation[] = [];
    let allocated = object;
    for (const allocator of this.#of(target)) {
      const storage = this.#storage;
      const one = allocator.allocate({ storage, target, object: allocated, old, dryRun, attempt });
      allocated = one.object;
      guards.push(...one.guards);
      operations.push(...one.operations);
    }
    return { object: allocated, guards, operations };
  }

  /** What goes with an object, and what that depends on. */
  release(target: Target, entry: CacheEntry): Omit<Allocation, 'object'> {
    const allocators = this.#of(target);
    if (allocators.length === 0) return nothing;
    const guards: Guard[] = [];
    const operations: Operation[] = [];
    let parsed: KubeObject | undefined;
    const request = {
      storage: this.#storage,
      target,
      // Parsed only for an allocator that looks at it.
      get object(): KubeObject {
        parsed ??= objectOf(entry);
        return parsed;
      },
    };
    for (const allocator of allocators) {
      operations.push(...allocator.release(request));
      const guarded = allocator.releaseGuarded?.(request);
      if (guarded === undefined) continue;
      guards.push(...guarded.guards);
      operations.push(...guarded.operations);
    }
    return { guards, operations };
  }

  /** Found once a definition; there are few of either. */
  #of(target: Target): readonly Allocator[] {
    const { definition } = target.served;
    if (this.#allocators.length === 0 || isInert(target.workspace, definition)) return noAllocators;
    let found = this.#byDefinition.get(definition);
    if (found === undefined) {
      found = this.#allocators.filter((one) => one.handles(definition));
      this.#byDefinition.set(definition, found);
    }
    return found;
  }
}
