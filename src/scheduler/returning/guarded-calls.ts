import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient, ObjectRef } from '#client/client.ts';

/** Undefined when there is none. */
export async function findObject(
  client: KubeClient,
  ref: ObjectRef,
  signal: AbortSignal,
): Promise<KubeObject | undefined> {
  try {
    return await client.get(ref, { signal });
  } catch (error) {
    if (isApiError(error, 'NotFound')) return undefined;
    throw error;
  }
}

/** Deletes the object of that uid; one that is gone, or another of its name, is left. */
export async function deleteExactly(
  client: KubeClient,
  ref: ObjectRef,
  uid: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  try {
    await client.delete(ref, { preconditions: { uid }, signal });
  } catch (error) {
    if (!isApiError(error, 'NotFound', 'Conflict')) throw error;
  }
}
