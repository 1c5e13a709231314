import { LRUCache } from 'lru-cache';
import type { Cell } from '#api/federation/cell.ts';
import type { CacheEntry } from '#storage/cached-storage.ts';
import type { StorageKey } from '#storage/storage.ts';
import { objectOf } from './stored-object.ts';

/** Cells of which the last that was asked for is kept; of others it is parsed for each who asks. */
const cellsMax = 256;

/** By key, not by entry: entries of many revisions are kept for watchers, and a Cell takes many times its bytes. */
const parsed = new LRUCache<StorageKey, { readonly entry: CacheEntry; readonly cell: Cell }>({
  max: cellsMax,
});

/**
 * The Cell of an entry, parsed once for all who ask about the same event: a Cell lists what its edge serves, which makes it
 * one of the larger objects, and each report of its federator changes it. Not to be changed. Throws what `objectOf` does.
 */
export function cellOfEntry(entry: CacheEntry): Cell {
  const known = parsed.get(entry.key);
  if (known?.entry === entry) return known.cell;
  const cell = objectOf(entry) as Cell;
  parsed.set(entry.key, { entry, cell });
  return cell;
}
