import { setImmediate as yieldToEventLoop } from 'node:timers/promises';
import { isStorageError, StorageError } from '../errors.ts';
import type { Revision, Storage, StorageEvent, StorageKey, StoredPage } from '../storage.ts';
import { CacheState, type RingLimits } from './cache-state.ts';
import type { StagedWrites } from './staged-writes.ts';

/** One page is worked off without yielding; 1,000 objects take a few milliseconds. */
const pageItems = 1_000;
const pageBytes = 4 * 1024 * 1024;
/** A load that is overtaken by compaction this often has a retention far too short for its store. */
const loadAttemptsMax = 5;

/**
 * The inner store's state, and, where the store can be read in the order of writing, the events that led to it as far as
 * ring and log reach: so what was watched before a restart can be watched on. Throws what the inner store throws.
 */
export async function loadState(inner: Storage, limits: RingLimits): Promise<CacheState> {
  if (inner.readAll !== undefined) return readAll(inner.readAll(), limits);
  for (let attempt = 1; ; attempt++) {
    try {
      return await rangeAll(inner, limits);
    } catch (error) {
      if (!isStorageError(error, 'compacted') || attempt === loadAttemptsMax) throw error;
    }
  }
}

/** What the pages of a store's `readAll` amount to. Throws `corrupt` when that is not what they say it is. */
export async function readAll(pages: AsyncIterable<StoredPage>, limits: RingLimits): Promise<CacheState> {
  let state: CacheState | undefined;
  let staged: StagedWrites | undefined;
  let last: StoredPage | undefined;
  let writesLeft = 0;
  for await (const page of pages) {
    state ??= new CacheState(page.compacted, limits);
    staged ??= state.stage();
    staged.push(page.events);
    writesLeft += page.events.length;
    last = page;
    await yieldToEventLoop();
  }
  if (state === undefined || staged === undefined || last === undefined) {
    throw new RangeError('readAll gave no page');
  }
  // What would leave the ring again before the end need not go through it.
  for (const writes of staged.take()) {
    for (const write of writes) {
      if (writesLeft-- <= limits.ringEventsMax && write.revision > last.compacted) state.applyStaged(write);
      else state.loadStaged(write);
    }
    await yieldToEventLoop();
  }
  state.endStaging();
  if (state.size !== last.count || state.revision !== last.revision) {
    throw new StorageError('corrupt', 'what was read does not amount to the state', {
      keys: state.size,
      keysExpected: last.count,
      revision: state.revision,
      revisionExpected: last.revision,
    });
  }
  return state;
}

async function rangeAll(inner: Storage, limits: RingLimits): Promise<CacheState> {
  const revision: Revision = await inner.currentRevision();
  const state = new CacheState(revision, limits);
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
  return state;
}

/** Index after the last event of the revision that `start` belongs to. */
export function endOfRevision(events: readonly StorageEvent[], start: number): number {
  const revision = events[start]?.revision;
  let end = start + 1;
  while (end < events.length && events[end]?.revision === revision) end++;
  return end;
}
