import { randomUUID } from 'node:crypto';
import { formatApiVersion } from '#apimachinery/gvk.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject, ObjectMeta } from '#apimachinery/object.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import { objectKey } from '#storage/keys.ts';
import type { Guard, Operation, Revision, StorageKey } from '#storage/storage.ts';
import { encodeStored } from '../registry/encode-stored.ts';
import { withClusterAnnotation } from '../registry/target.ts';

/** An object that the system itself puts into a workspace, beside admission, as part of a larger transaction. */
export interface Seed {
  readonly definition: ResourceDefinition;
  readonly clusterId: string;
  /** False at an edge, whose objects do not tell their workspace. */
  readonly clusterAnnotation: boolean;
  readonly metadata: ObjectMeta & { readonly name: string };
  /** All but type and metadata, in the storage version. */
  readonly content: JsonObject;
}

export function seedKey({ definition, clusterId, metadata }: Seed): StorageKey {
  const { group, resource } = definition.storedAs;
  return objectKey({ group, resource, clusterId, namespace: metadata.namespace ?? '', name: metadata.name });
}

/** The write that makes the object; `now` is an RFC 3339 time. */
export function seedOperation(seed: Seed, now: string): Operation {
  const { definition, clusterId, metadata, content } = seed;
  const object: KubeObject = {
    apiVersion: formatApiVersion({ group: definition.storedAs.group, version: definition.storageVersion }),
    kind: definition.kind,
    metadata: {
      ...metadata,
      uid: randomUUID(),
      creationTimestamp: now,
      ...(definition.strategy.generation === 'none' ? {} : { generation: 1 }),
    },
    ...content,
  };
  const stored = seed.clusterAnnotation ? withClusterAnnotation(object, clusterId) : object;
  return { type: 'put', key: seedKey(seed), value: encodeStored(stored, definition) };
}

const triesMax = 8;

/**
 * Writes those of the objects (and other puts) that do not exist, in one transaction, each guarded by its absence;
 * existing ones stay as they are. Safe to be run by several servers at once.
 */
export async function plantSeeds(
  storage: CachedStorage,
  seeds: readonly Seed[],
  now: string,
  others: readonly Operation[] = [],
): Promise<void> {
  const isMissing = (key: StorageKey) => storage.peek(key) === undefined;
  for (let tries = 0; tries < triesMax; tries++) {
    const operations = [
      ...seeds.filter((seed) => isMissing(seedKey(seed))).map((seed) => seedOperation(seed, now)),
      ...others.filter(({ key }) => isMissing(key)),
    ];
    if (operations.length === 0) return;
    const guards: Guard[] = operations.map(({ key }) => ({ key, revision: 0 as Revision }));
    const result = await storage.transact({ guards, operations });
    if (result.committed) return;
    await storage.awaitFresh();
  }
  throw new Error('the objects of a workspace could not be written: others keep writing them');
}
