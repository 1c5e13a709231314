import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeClient, ObjectRef } from './client.ts';
import { isThere } from './is-there.ts';

/**
 * Deletes the object of that uid; one that is gone, or another of its name, is left. Throws Conflict when it is there still, as the
 * deletion lost to other writes: whoever takes that for another's uid has not deleted it.
 */
export async function deleteExactly(
  client: KubeClient,
  ref: ObjectRef,
  uid: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  try {
    await client.delete(ref, { signal, ...(uid === undefined ? {} : { preconditions: { uid } }) });
  } catch (error) {
    if (isApiError(error, 'NotFound')) return;
    if (!isApiError(error, 'Conflict') || (await isThere(client, ref, uid, signal))) throw error;
  }
}
