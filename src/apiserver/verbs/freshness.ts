import { ApiError } from '#apimachinery/api-error.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import { StorageError } from '#storage/errors.ts';
import type { Revision } from '#storage/storage.ts';
import { fromStorageError } from '../registry/storage-errors.ts';

/** How long a request for a revision that is not reached yet is kept waiting (L3). */
export const futureRevisionWaitMs = 3_000;

/** Waits until `revision` is reached; undefined when it is already. Rejects with 504 `ResourceVersionTooLarge` (L3). */
export function awaitRevision(storage: CachedStorage, revision: number): Promise<void> | undefined {
  if (storage.revision >= revision) return undefined;
  if (revision > Number.MAX_SAFE_INTEGER) return Promise.reject(tooLarge(revision, storage.revision));
  return storage.awaitRevision(revision as Revision, futureRevisionWaitMs).catch((error: unknown) => {
    if (error instanceof StorageError && error.code === 'timeout') throw tooLarge(revision, storage.revision);
    throw fromStorageError(error);
  });
}

function tooLarge(asked: number, current: number): ApiError {
  const text = 'Too large resource version';
  return new ApiError('Timeout', `Timeout: ${text}: ${asked}, current: ${current}`, {
    details: { causes: [{ reason: 'ResourceVersionTooLarge', message: text }], retryAfterSeconds: 1 },
  });
}

/** 410 as a watch and an exact list answer for a revision that is compacted (L3, W2). */
export function tooOld(asked: number, oldest: number): ApiError {
  return new ApiError('Expired', `too old resource version: ${asked} (${oldest})`);
}
