import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import type { WatchedResource } from './copies/copy-index.ts';
import type { KeyParts } from './object-key.ts';

/** The newest state of a project object; undefined when there is none. */
export async function readObject(
  client: KubeClient,
  { cluster, namespace, name }: KeyParts,
  { group, version, resource }: WatchedResource,
  signal: AbortSignal,
): Promise<KubeObject | undefined> {
  const ref = {
    cluster,
    gvr: { group, version, resource },
    namespace: namespace === '' ? undefined : namespace,
    name,
  };
  try {
    return await client.get(ref, { signal });
  } catch (error) {
    if (isApiError(error, 'NotFound')) return undefined;
    throw error;
  }
}
