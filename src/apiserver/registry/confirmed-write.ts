import { isApiError } from '#apimachinery/api-error.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import type { StorageKey } from '#storage/storage.ts';

/** Runs of a write that was refused on a state that turned out to be old. */
const staleRunsMax = 5;

/**
 * A write is prepared from what the cache holds. On a store that other servers write too that may be old, so that an
 * answer which no transaction has confirmed (a refusal, nothing to change) is given only if the cache, brought up to
 * date, still holds the same; else the write is done again.
 */
export async function confirmed<Outcome>(
  storage: CachedStorage,
  key: StorageKey,
  warnings: string[] | undefined,
  isTransacted: (outcome: Outcome) => boolean,
  write: (run: number) => Promise<Outcome>,
): Promise<Outcome> {
  if (storage.awaitSettled !== undefined) return write(0);
  for (let run = 0; ; run++) {
    const seen = storage.peek(key)?.revision;
    const result = await write(run).then(
      (outcome) => ({ outcome }),
      (error: unknown) => ({ error }),
    );
    const isConfirmed = 'outcome' in result ? isTransacted(result.outcome) : !isRefusal(result.error);
    if (!isConfirmed && run < staleRunsMax) {
      await storage.awaitFresh();
      if (storage.peek(key)?.revision !== seen) continue;
    }
    if (run > 0 && warnings !== undefined) warnings.splice(0, warnings.length, ...new Set(warnings));
    if ('error' in result) throw result.error;
    return result.outcome;
  }
}

/** What a newer state could have decided otherwise. */
export function isRefusal(error: unknown): boolean {
  return isApiError(error, 'NotFound', 'Conflict', 'AlreadyExists', 'Invalid', 'Forbidden');
}
