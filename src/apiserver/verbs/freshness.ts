import { ApiError } from '#apimachinery/api-error.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import { StorageError } from '#storage/errors.ts';
import type { Revision } from '#storage/storage.ts';
import { fromStorageError } from '../registry/storage-errors.ts';

/** How long a request for a revision that is not reached yet is kept waiting (L3). */
export const futureRevisionWaitMs = 3_000;

/**
 * Waits until `revision` is reached; undefined when it is already. Rejects with 504 `ResourceVersionTooLarge` (L3), which says
 * when to try again unless just that revision is asked for (etcd3 store.go).
 */
export function awaitRevision(
  storage: CachedStorage,
  revision: number,
  isExact = false,
): Promise<void> | undefined {
  if (storage.revision >= revision) return undefined;
  const tooLarge = () => tooLargeRevision(revision, storage.revision, isExact);
  if (revision > Number.MAX_SAFE_INTEGER) return Promise.reject(tooLarge());
  return storage.awaitRevision(revision as Revision, futureRevisionWaitMs).catch((error: unknown) => {
    if (error instanceof StorageError && error.code === 'timeout') throw tooLarge();
    throw fromStorageError(error);
  });
}

function tooLargeRevision(asked: number, current: number, isExact: boolean): ApiError {
  const text = 'Too large resource version';
  return new ApiError('Timeout', `Timeout: ${text}: ${asked}, current: ${current}`, {
    details: {
      causes: [{ reason: 'ResourceVersionTooLarge', message: text }],
      ...(isExact ? {} : { retryAfterSeconds: 1 }),
    },
  });
}

/** 410 as a watch and an exact list answer for a revision that is compacted (L3, W2). */
export function tooOld(asked: number, oldest: number): ApiError {
  return new ApiError('Expired', `too old resource version: ${asked} (${oldest})`);
}
