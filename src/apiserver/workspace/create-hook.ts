import type { KubeObject } from '#apimachinery/object.ts';
import type { Operation, StorageKey } from '#storage/storage.ts';
import type { ResourceContext } from '../request/context.ts';

/**
 * Further writes that belong to the creation of an object and are made in its transaction, or not at all. Called after
 * admission and validation, not for dry runs; `object` has its uid and name and must not be changed. Refuses by throwing
 * an ApiError. Registered by `<resource>.<group>`.
 */
export type CreateHook = (
  context: ResourceContext,
  object: KubeObject,
  key: StorageKey,
) => readonly Operation[];
