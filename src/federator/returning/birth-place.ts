import type { ReturnableKind } from '#api/federation/return-contract.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient, ObjectRef } from '#client/client.ts';
import type { ServedKinds } from '../edge/edge-kinds.ts';
import type { Birth } from './births.ts';

/** An edge as far as births are looked for at it. */
export interface BirthPlace {
  /** Guarded. */
  readonly client: KubeClient;
  readonly kinds: ServedKinds;
}

/** The object itself, of which its watch keeps little. Undefined when it has gone: its event is on the way. */
export async function readBirth(
  { client: edgeClient }: BirthPlace,
  { group, version, resource }: ReturnableKind,
  { metadata: { namespace }, edgeName }: Birth,
  signal: AbortSignal,
): Promise<KubeObject | undefined> {
  const ref: ObjectRef = {
    cluster: undefined,
    gvr: { group, version, resource },
    namespace,
    name: edgeName,
  };
  try {
    return await edgeClient.get(ref, { signal });
  } catch (error) {
    if (isApiError(error, 'NotFound')) return undefined;
    throw error;
  }
}
