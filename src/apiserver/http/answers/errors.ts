import { ApiError } from '#apimachinery/api-error.ts';
import type { Logger } from '#client/logger.ts';
import { fromStorageError } from '../../registry/storage-errors.ts';

/**
 * The one place where what was thrown becomes what a client sees (KUBERNETES.md E1, E2): ApiErrors as they are, storage
 * errors by code, anything else as 500, logged once with its stack and told without it.
 */
export function toApiError(error: unknown, logger: Logger, fields: object): ApiError {
  const translated = fromStorageError(error);
  if (translated instanceof ApiError) {
    if (translated.code >= 500)
      logger.warn({ ...fields, code: translated.code, err: error }, 'request failed');
    return translated;
  }
  logger.error({ ...fields, err: error }, 'request failed by a fault of the server');
  return new ApiError(
    'InternalError',
    'Internal error occurred: the server met a condition that it does not know',
    {
      cause: error,
    },
  );
}
