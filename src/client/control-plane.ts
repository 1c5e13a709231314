import { ApiError } from '#apimachinery/api-error.ts';
import { isJsonObject } from '#apimachinery/json.ts';
import type { KubeClient } from './client.ts';

/** Which store the federation API server stands on. */
export interface ControlPlane {
  readonly controlPlaneId: string;
  /** New at every restore of the store: what is absent at another one proves nothing. */
  readonly incarnationId: string;
}

/** Asks the server. Throws ApiError, also when it does not say. */
export async function readControlPlane(
  federationClient: KubeClient,
  signal: AbortSignal,
): Promise<ControlPlane> {
  const answer = await federationClient.raw(
    { cluster: undefined, method: 'GET', path: '/.well-known/cellplane' },
    { signal },
  );
  const { controlPlaneId, incarnationId } = isJsonObject(answer) ? answer : {};
  if (typeof controlPlaneId !== 'string' || controlPlaneId === '' || typeof incarnationId !== 'string') {
    throw new ApiError('InternalError', 'the federation API server does not tell its control plane');
  }
  return { controlPlaneId, incarnationId };
}
