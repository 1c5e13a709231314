import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeClient, ObjectRef } from './client.ts';

/**
 * Whether the object of that uid is still there. For whom a write was refused with Conflict: that tells of another's uid (C3, X2 of
 * KUBERNETES.md), or of another write, which passes.
 */
export async function isThere(
  client: KubeClient,
  ref: ObjectRef,
  uid: string | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    return (await client.get(ref, { metadataOnly: true, signal })).metadata.uid === uid;
  } catch (error) {
    if (isApiError(error, 'NotFound')) return false;
    throw error;
  }
}
