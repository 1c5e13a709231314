import { definitionFromCrd } from '#api/apiextensions/definition-from-crd.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { CollectionRef, KubeClient } from '#client/client.ts';
import { listPages } from '#client/list-pages.ts';

const pageSize = 500;
const deletesAtOnce = 16;

/** Where a CRD's instances are reached: the storage version where it is served, else the preferred one. */
export function instancesOf(crd: KubeObject, clusterId: string): CollectionRef | undefined {
  const { group, resource, storageVersion, versions } = definitionFromCrd(crd);
  const served = versions.filter((version) => version.served);
  const version = served.find((one) => one.version === storageVersion) ?? served[0];
  return version === undefined
    ? undefined
    : { cluster: clusterId, gvr: { group, version: version.version, resource } };
}

/**
 * Asks for the deletion of all objects of a collection, in all namespaces, each by uid, save those that are going
 * already. Returns how many objects there were: 0 means that the collection is empty.
 */
export async function deleteInstances(
  client: KubeClient,
  collection: CollectionRef,
  signal: AbortSignal,
): Promise<number> {
  let found = 0;
  const options = { metadataOnly: true, limit: pageSize, signal };
  for await (const page of listPages(client, collection, options)) {
    found += page.items.length;
    await deletePage(client, collection, page.items, signal);
  }
  return found;
}

async function deletePage(
  client: KubeClient,
  collection: CollectionRef,
  items: readonly KubeObject[],
  signal: AbortSignal,
): Promise<void> {
  let next = 0;
  const worker = async () => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) {
      await deleteOne(client, collection, item, signal);
    }
  };
  await Promise.all(Array.from({ length: Math.min(deletesAtOnce, items.length) }, worker));
}

async function deleteOne(
  client: KubeClient,
  collection: CollectionRef,
  { metadata }: KubeObject,
  signal: AbortSignal,
): Promise<void> {
  if (metadata.deletionTimestamp !== undefined) return;
  try {
    await client.delete(
      { ...collection, namespace: metadata.namespace, name: metadata.name ?? '' },
      { preconditions: { uid: metadata.uid }, propagationPolicy: 'Background', signal },
    );
  } catch (error) {
    // Gone, or another of its name: the next look will tell.
    if (!isApiError(error, 'NotFound', 'Conflict')) throw error;
  }
}
