import { ApiError, isApiError } from '#apimachinery/api-error.ts';

/**
 * Header in which a request names the incarnation of the store (`/.well-known/cellplane`) that what it asks rests on. A server
 * whose store is another one by now, put back to a backup, does nothing and answers 410. Others ignore it (docs/federators.md).
 */
export const incarnationHeader = 'cellplane-incarnation';

const otherStoreCause = 'OtherStoreIncarnation';

export function otherStoreError(): ApiError {
  return new ApiError(
    'Gone',
    'the request is for another incarnation of the store: it was put back to a backup since; read everything anew',
    { details: { causes: [{ reason: otherStoreCause, field: incarnationHeader }] } },
  );
}

export function isOtherStore(error: unknown): boolean {
  return (
    isApiError(error, 'Gone') &&
    error.details?.causes?.some(({ reason }) => reason === otherStoreCause) === true
  );
}
