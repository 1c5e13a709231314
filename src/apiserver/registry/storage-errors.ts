import { ApiError } from '#apimachinery/api-error.ts';
import { StorageError } from '#storage/errors.ts';

/**
 * Turns what the store throws into what a client may see; anything else is returned unchanged. The one place where
 * storage codes become API reasons. `compacted` and `future` depend on what was asked for and are handled by the verbs.
 */
export function fromStorageError(error: unknown): unknown {
  if (!(error instanceof StorageError)) return error;
  switch (error.code) {
    case 'compacted':
    case 'slow-watcher':
      return new ApiError('Expired', 'The resourceVersion asked for is too old.', { cause: error });
    case 'future':
    case 'timeout':
      return new ApiError('Timeout', 'The store did not answer in time.', {
        details: { retryAfterSeconds: 1 },
        cause: error,
      });
    case 'unavailable':
    case 'closed':
    case 'locked':
    case 'unusable':
      return new ApiError('ServiceUnavailable', 'The store is not available; nothing was written.', {
        details: { retryAfterSeconds: 1 },
        cause: error,
      });
    case 'outcome-unknown':
      return new ApiError('Timeout', 'The write may or may not have happened; read before trying again.', {
        details: { causes: [{ reason: 'OutcomeUnknown' }] },
        cause: error,
      });
    case 'too-large':
      return new ApiError('RequestEntityTooLarge', error.message, { cause: error });
    case 'corrupt':
      return new ApiError('InternalError', 'Internal error occurred: stored data is damaged', {
        cause: error,
      });
    default: {
      const code: never = error.code;
      throw new Error(`unknown storage error code ${String(code)}`);
    }
  }
}
