import { ApiError } from '#apimachinery/api-error.ts';
import type { CacheEntry } from '#storage/cached-storage.ts';
import type { StorageKey, TransactionResult } from '#storage/storage.ts';
import { entryOf } from './stored-object.ts';

/** Tries to get what others want too (addresses, a place in a quota) for one write, and the wait between two of them. */
const allocationTriesMax = 400;
const contentionDelayMsMax = 20;

/** What came instead of a write. */
export interface Lost {
  readonly current: CacheEntry | undefined;
  /** The guard on another key failed: an address was taken, or somebody else was counted first. */
  readonly elsewhere: boolean;
}

/** Whose guard failed, and the state to go on from. */
export function lostTo(result: TransactionResult & { readonly committed: false }, key: StorageKey): Lost {
  const elsewhere = result.failedGuard.key !== key;
  return { current: elsewhere ? undefined : currentOf(result), elsewhere };
}

function currentOf(result: TransactionResult & { readonly committed: false }): CacheEntry | undefined {
  return result.current === undefined ? undefined : entryOf(result.current);
}

/** Before another try at something that many want at once: spreads them out, and gives up at last. */
export async function contended(attempt: number): Promise<void> {
  if (attempt >= allocationTriesMax) throw tryAgain();
  if (attempt < 2) return;
  const delayMs = Math.random() * Math.min(attempt, contentionDelayMsMax);
  await new Promise<void>((resolve) => setTimeout(resolve, delayMs));
}

function tryAgain(): ApiError {
  return new ApiError('ServerTimeout', 'No free address or port was found in time; try again.', {
    details: { retryAfterSeconds: 1 },
  });
}
