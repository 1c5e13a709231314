import sortedBTree from 'sorted-btree';
import { compareKeys } from '../key-order.ts';
import type { StorageKey } from '../storage.ts';
import type { SlabEntry } from './slab.ts';

/** Entries in key order; `clone()` costs nothing, the next write to either side copies one path. */
export type OrderedTree = InstanceType<typeof sortedBTree.default<StorageKey, SlabEntry>>;

export function newOrderedTree(): OrderedTree {
  return new sortedBTree.default<StorageKey, SlabEntry>(undefined, compareKeys);
}
