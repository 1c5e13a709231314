import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient, ObjectRef } from '#client/client.ts';

export const configMaps = { group: '', version: 'v1', resource: 'configmaps' } as const;
export const namespaces = { group: '', version: 'v1', resource: 'namespaces' } as const;
export const deployments = { group: 'apps', version: 'v1', resource: 'deployments' } as const;

export function edgeRef(gvr: ObjectRef['gvr'], name: string, namespace?: string): ObjectRef {
  return { cluster: undefined, gvr, namespace, name };
}

/** Undefined when it is not there. */
export async function find(client: KubeClient, ref: ObjectRef): Promise<KubeObject | undefined> {
  try {
    return await client.get(ref);
  } catch (error) {
    if (isApiError(error, 'NotFound')) return undefined;
    throw error;
  }
}
