import { setImmediate as yieldToEventLoop } from 'node:timers/promises';
import { isStorageError } from '../errors.ts';
import type { Revision, Storage, StorageKey, Subscription } from '../storage.ts';
import { CacheState, type RingLimits } from './cache-state.ts';
import type { SlabEntry } from './slab.ts';

/** One page is worked off without yielding; 1,000 objects take a few milliseconds. */
const pageItems = 1_000;
const pageBytes = 4 * 1024 * 1024;
/** A load that is overtaken by compaction this often has a retention far too short for its store. */
const loadAttemptsMax = 5;

/**
 * The inner store's state at one revision, and the events that led to it as far as ring and log reach. Throws what the
 * inner store throws.
 */
export async function loadState(inner: Storage, limits: RingLimits): Promise<CacheState> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await loadOnce(inner, limits);
    } catch (error) {
      if (!isStorageError(error, 'compacted') || attempt === loadAttemptsMax) throw error;
    }
  }
}

async function loadOnce(inner: Storage, limits: RingLimits): Promise<CacheState> {
  const revision = await inner.currentRevision();
  const compacted = await inner.compactedRevision();
  // Only where every revision is an event can the end of the backlog be told.
  const wanted = inner.awaitSettled === undefined ? revision : revision - limits.ringEventsMax;
  const oldest = Math.min(revision, Math.max(wanted, compacted)) as Revision;
  const state = new CacheState(revision, oldest, limits);
  let startAfter: StorageKey | undefined;
  for (let more = true; more; ) {
    const page = await inner.range({
      prefix: '',
      startAfter,
      limit: pageItems,
      bytesMax: pageBytes,
      atRevision: revision,
      countRemaining: false,
    });
    for (const item of page.items) state.load(item);
    startAfter = page.items.at(-1)?.key;
    more = page.more;
    await yieldToEventLoop();
  }
  if (oldest < revision) await backfill(inner, state);
  return state;
}

function backfill(inner: Storage, state: CacheState): Promise<void> {
  const { revision, oldest } = state;
  const lastSeen = new Map<StorageKey, SlabEntry | undefined>();
  let subscription: Subscription | undefined;
  let done = false;
  return new Promise<void>((resolve, reject) => {
    inner
      .watch(
        { prefix: '', afterRevision: oldest },
        {
          events(events) {
            for (const event of events) {
              if (event.revision <= revision) state.backfill(event, lastSeen);
            }
            done = (events.at(-1)?.revision ?? 0) >= revision;
            if (done) resolve();
          },
          end: reject,
        },
      )
      .then((opened) => {
        subscription = opened;
        if (done) opened.close();
      }, reject);
  }).finally(() => subscription?.close());
}
