import { ApiError, badRequest } from '#apimachinery/api-error.ts';

/**
 * 422 for a patch that is well-formed but does not fit the document: with Kubernetes' generic text and nothing else
 * (KUBERNETES.md P1; NewGenericServerResponse). What went wrong is for whoever catches it.
 */
export function unprocessablePatch(detail: string | PatchTestFailed): ApiError {
  return new ApiError('Invalid', 'the server rejected our request due to an error in our request', {
    details: {},
    cause: typeof detail === 'string' ? new Error(detail) : detail,
  });
}

/** What an `unprocessablePatch` stands for when a `test` operation found something else. */
export class PatchTestFailed extends Error {
  override readonly name = 'PatchTestFailed';
}

/** 413 (KUBERNETES.md P1, O4). */
export function patchTooLarge(detail: string): ApiError {
  return new ApiError('RequestEntityTooLarge', `Request entity too large: ${detail}`);
}

/**
 * No patch may write the key `__proto__`: an assignment to it would change the prototype of the object being built
 * instead of adding a member.
 */
export function refuseUnsafeKey(key: string): void {
  if (key === '__proto__') throw badRequest('the field name "__proto__" is not allowed');
}
