import { isApiError } from '#apimachinery/api-error.ts';
import { isJsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient, ObjectRef } from '#client/client.ts';
import { edgeFieldManager } from './edge-object.ts';

export interface Claim {
  readonly controlPlaneId: string;
  readonly cellName: string;
  readonly cellUid: string;
}

/** Where a cell's edge says whose it is. */
export const claimNamespace = 'cellplane-system';
export const claimName = 'cellplane-claim';

const namespaceRef: ObjectRef = {
  cluster: undefined,
  gvr: { group: '', version: 'v1', resource: 'namespaces' },
  name: claimNamespace,
};
const claimRef: ObjectRef = {
  cluster: undefined,
  gvr: { group: '', version: 'v1', resource: 'configmaps' },
  namespace: claimNamespace,
  name: claimName,
};

/**
 * Writes our claim at an edge that has none, and returns the claim that stands there: a caller whose own it is not must
 * not touch the edge (DESIGN.md: a foreign claim is refused).
 */
export async function claimEdge(edgeClient: KubeClient, wanted: Claim, signal: AbortSignal): Promise<Claim> {
  const present = await readClaim(edgeClient, signal);
  if (present !== undefined) return present;
  await ignoring('AlreadyExists', () =>
    edgeClient.create(
      { cluster: undefined, gvr: namespaceRef.gvr },
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: claimNamespace } },
      { signal, fieldManager: edgeFieldManager },
    ),
  );
  await ignoring('AlreadyExists', () =>
    edgeClient.create(
      claimRef,
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: claimName, namespace: claimNamespace },
        data: { controlPlaneId: wanted.controlPlaneId, cellName: wanted.cellName, cellUid: wanted.cellUid },
      },
      { signal, fieldManager: edgeFieldManager },
    ),
  );
  return (await readClaim(edgeClient, signal)) ?? wanted;
}

export function sameClaim(a: Claim, b: Claim): boolean {
  return a.controlPlaneId === b.controlPlaneId && a.cellUid === b.cellUid;
}

async function readClaim(edgeClient: KubeClient, signal: AbortSignal): Promise<Claim | undefined> {
  let object: KubeObject;
  try {
    object = await edgeClient.get(claimRef, { signal });
  } catch (error) {
    if (isApiError(error, 'NotFound')) return undefined;
    throw error;
  }
  const data = isJsonObject(object['data']) ? object['data'] : {};
  const text = (key: string) => (typeof data[key] === 'string' ? data[key] : '');
  return { controlPlaneId: text('controlPlaneId'), cellName: text('cellName'), cellUid: text('cellUid') };
}

async function ignoring(reason: 'AlreadyExists', call: () => Promise<unknown>): Promise<void> {
  try {
    await call();
  } catch (error) {
    if (!isApiError(error, reason)) throw error;
  }
}
