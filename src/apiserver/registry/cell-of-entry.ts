import type { Cell } from '#api/federation/cell.ts';
import type { CacheEntry } from '#storage/cached-storage.ts';
import { objectOf } from './stored-object.ts';

const parsed = new WeakMap<CacheEntry, Cell>();

/**
 * The Cell of an entry, parsed once for all who ask about the same event: a Cell lists what its edge serves, which makes it
 * one of the larger objects, and each report of its federator changes it. Not to be changed. Throws what `objectOf` does.
 */
export function cellOfEntry(entry: CacheEntry): Cell {
  let cell = parsed.get(entry);
  if (cell === undefined) {
    cell = objectOf(entry) as Cell;
    parsed.set(entry, cell);
  }
  return cell;
}
