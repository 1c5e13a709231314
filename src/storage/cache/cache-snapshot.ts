import type { CacheEntry, CacheSnapshot } from '../cached-storage.ts';
import { compareKeys, prefixEnd } from '../key-order.ts';
import type { Revision, StorageKey } from '../storage.ts';
import type { OrderedTree } from './ordered-tree.ts';

/**
 * A view over the trees of one or several buckets. `trees` hold disjoint, rising ranges of keys; `stray` (keys of no
 * resource) may lie between them and is merged in.
 */
export class TreeSnapshot implements CacheSnapshot {
  readonly revision: Revision;
  readonly #prefix: string;
  readonly #trees: readonly OrderedTree[];
  readonly #stray: OrderedTree | undefined;
  /** True when the only tree holds nothing but this prefix: its size is the count. */
  readonly #whole: boolean;

  constructor(options: {
    readonly revision: Revision;
    readonly prefix: string;
    readonly trees: readonly OrderedTree[];
    readonly stray: OrderedTree | undefined;
    readonly whole: boolean;
  }) {
    this.revision = options.revision;
    this.#prefix = options.prefix;
    this.#trees = options.trees;
    this.#stray = options.stray;
    this.#whole = options.whole;
  }

  entries(startAfter?: StorageKey): IterableIterator<CacheEntry> {
    const only = this.#trees.length === 1 && this.#stray === undefined ? this.#trees[0] : undefined;
    if (only !== undefined) return walk(only, this.#prefix, startAfter);
    const ordered = this.#walkTrees(startAfter);
    if (this.#stray === undefined || this.#stray.size === 0) return ordered;
    return merge(ordered, walk(this.#stray, this.#prefix, startAfter));
  }

  count(startAfter?: StorageKey): number {
    if (this.#whole && startAfter === undefined) return this.#trees[0]?.size ?? 0;
    let count = this.#stray === undefined ? 0 : countIn(this.#stray, this.#prefix, startAfter);
    for (const tree of this.#trees) count += countIn(tree, this.#prefix, startAfter);
    return count;
  }

  *#walkTrees(startAfter: StorageKey | undefined): Generator<CacheEntry> {
    for (const tree of this.#trees) yield* walk(tree, this.#prefix, startAfter);
  }
}

/** A view of a range of which nothing is there: told without a walk, since nearly every write looks at some. */
export class EmptySnapshot implements CacheSnapshot {
  readonly revision: Revision;

  constructor(revision: Revision) {
    this.revision = revision;
  }

  entries(): IterableIterator<CacheEntry> {
    return [].values();
  }

  count(): number {
    return 0;
  }
}

function lowest(prefix: string, startAfter: StorageKey | undefined): StorageKey {
  return startAfter !== undefined && compareKeys(startAfter, prefix) > 0
    ? startAfter
    : (prefix as StorageKey);
}

function* walk(tree: OrderedTree, prefix: string, startAfter: StorageKey | undefined): Generator<CacheEntry> {
  for (const [key, entry] of tree.entries(lowest(prefix, startAfter), [])) {
    if (key === startAfter) continue;
    if (!key.startsWith(prefix)) return;
    yield entry;
  }
}

function* merge(left: Iterator<CacheEntry>, right: Iterator<CacheEntry>): Generator<CacheEntry> {
  let leftNext = left.next();
  let rightNext = right.next();
  while (!leftNext.done || !rightNext.done) {
    if (rightNext.done || (!leftNext.done && compareKeys(leftNext.value.key, rightNext.value.key) < 0)) {
      yield leftNext.value;
      leftNext = left.next();
    } else {
      yield rightNext.value;
      rightNext = right.next();
    }
  }
}

function countIn(tree: OrderedTree, prefix: string, startAfter: StorageKey | undefined): number {
  const last = tree.maxKey();
  if (last === undefined) return 0;
  const low = lowest(prefix, startAfter);
  const end = prefixEnd(prefix);
  const withStart =
    end === undefined
      ? tree.forRange(low, last, true)
      : compareKeys(low, end) < 0
        ? tree.forRange(low, end as StorageKey, false)
        : 0;
  return low === startAfter && low.startsWith(prefix) && tree.has(low) ? withStart - 1 : withStart;
}
