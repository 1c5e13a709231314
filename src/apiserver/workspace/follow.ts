import type { Clock, TimerHandle } from '#apimachinery/clock.ts';
import type { CachedStorage, CacheEntry, CacheEvent } from '#storage/cached-storage.ts';
import { isStorageError } from '#storage/errors.ts';

export interface Follower {
  /** The whole state under the prefix, lazily; whatever was known before is void. */
  reset(entries: Iterable<CacheEntry>): void;
  /** What came after, in order. */
  events(events: readonly CacheEvent[]): void;
}

const retryMs = 200;

/**
 * Keeps a follower at the state under a prefix: the current entries first, then every event, and the entries anew when
 * the watch was broken off (the store was reopened, events were compacted). Synchronous: when this returns the follower
 * is up to date, and it is again whenever the store has acknowledged a write; where a watch ends because the cache was read
 * anew, before anybody who awaits that cache is told: what the follower does not know is refused as unknown.
 */
export function follow(
  storage: CachedStorage,
  prefix: string,
  follower: Follower,
  clock: Clock,
): { close(): void } {
  let watch: { close(): void } | undefined;
  let timer: TimerHandle | undefined;
  let closed = false;

  const start = () => {
    const snapshot = storage.snapshot(prefix);
    follower.reset(snapshot.entries());
    watch = storage.watchCache(prefix, snapshot.revision, {
      events: (events) => follower.events(events),
      end: (error) => {
        watch = undefined;
        if (!isStorageError(error, 'closed')) restart();
      },
    });
  };
  const restart = () => {
    if (closed) return;
    try {
      start();
    } catch (error) {
      if (!isStorageError(error, 'closed')) timer = clock.setTimeout(restart, retryMs).unref();
    }
  };

  start();
  return {
    close: () => {
      closed = true;
      timer?.cancel();
      watch?.close();
    },
  };
}
