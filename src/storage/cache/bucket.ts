import type { Revision, StorageKey } from '../storage.ts';
import { Deque, firstAfter } from './deque.ts';
import { newOrderedTree, type OrderedTree } from './ordered-tree.ts';
import type { SlabEntry, SlabEvent } from './slab.ts';

/** Views kept a bucket beside the newest; the oldest go first. Each holds only the tree nodes that changed since. */
const viewsMax = 64;
/** A view is taken every so many events, so that a state within the ring is never further than this from one. */
const checkpointEvents = 4096;

interface View {
  readonly tree: OrderedTree;
  /** The tree is the bucket's state from this revision … */
  readonly from: Revision;
  /** … to before this one; undefined while nothing has changed since. */
  until: Revision | undefined;
}

/**
 * The objects of one resource (`/<group>/<resource>/`): the ordered tree, its recent events (the ring's, in the same
 * order), and views of recent states. Worked example: events at 5, 8 and 9. A snapshot at 7 wants the state from 5 to
 * before 8: if no view covers it, the nearest later view (or the tree itself) is cloned and 9 and 8 are undone on it.
 */
export class Bucket {
  readonly prefix: string;
  readonly events = new Deque<SlabEvent>();
  readonly #tree = newOrderedTree();
  #changedAt = 0 as Revision;
  /** Rising by `from`; only the last may be open. */
  #views: View[] = [];
  #eventsSinceView = 0;

  constructor(prefix: string) {
    this.prefix = prefix;
  }

  get size(): number {
    return this.#tree.size;
  }

  isEmptyAt(revision: Revision): boolean {
    return this.#tree.size === 0 && revision >= this.#changedAt;
  }

  /** Puts an entry without an event, while loading. */
  load(entry: SlabEntry): void {
    this.#tree.set(entry.key, entry);
  }

  /** Takes an entry away without an event, while loading. */
  unload(key: StorageKey): void {
    this.#tree.delete(key);
  }

  apply(event: SlabEvent): void {
    // Several events of one revision must not be split by a checkpoint.
    if (event.revision !== this.#changedAt) {
      if (this.#eventsSinceView >= checkpointEvents) this.#openView();
      const last = this.#views.at(-1);
      if (last !== undefined && last.until === undefined) last.until = event.revision;
      this.#changedAt = event.revision;
    }
    this.#eventsSinceView++;
    if (event.entry === undefined) this.#tree.delete(event.key);
    else this.#tree.set(event.key, event.entry);
    this.events.push(event);
  }

  /** The state at `revision`, which the caller has checked to lie within the ring. Never to be changed. */
  viewAt(revision: Revision): OrderedTree {
    if (revision >= this.#changedAt) return this.#openView().tree;
    let base: { readonly tree: OrderedTree; readonly from: Revision } = {
      tree: this.#tree,
      from: this.#changedAt,
    };
    for (let index = this.#views.length - 1; index >= 0; index--) {
      const view = this.#views[index] as View;
      if (view.until !== undefined && view.until <= revision) break;
      if (view.from <= revision) return view.tree;
      base = view;
    }
    return this.#undo(base, revision);
  }

  /** Forgets views that only revisions before `oldest` could ask for. */
  trimViews(oldest: Revision): void {
    const first = this.#views[0];
    if (first?.until === undefined || first.until > oldest) return;
    this.#views = this.#views.filter((view) => view.until === undefined || view.until > oldest);
  }

  #openView(): View {
    const last = this.#views.at(-1);
    if (last !== undefined && last.until === undefined) return last;
    const view: View = { tree: this.#tree.clone(), from: this.#changedAt, until: undefined };
    this.#views.push(view);
    if (this.#views.length > viewsMax) this.#views.shift();
    this.#eventsSinceView = 0;
    return view;
  }

  #undo(base: { readonly tree: OrderedTree; readonly from: Revision }, revision: Revision): OrderedTree {
    const tree = base.tree.clone();
    let from: Revision = 0 as Revision;
    let until: Revision = base.from;
    for (let index = firstAfter(this.events, base.from) - 1; index >= 0; index--) {
      const event = this.events.at(index);
      if (event.revision <= revision) {
        from = event.revision;
        break;
      }
      until = event.revision;
      if (event.previous === undefined) tree.delete(event.key);
      else tree.set(event.key, event.previous);
    }
    const place = this.#views.findLastIndex((view) => view.from < until) + 1;
    this.#views.splice(place, 0, { tree, from, until });
    if (this.#views.length > viewsMax) this.#views.shift();
    return tree;
  }
}
