import type { Revision, StorageKey } from '../storage.ts';
import type { CommittedGroup } from './group-commit.ts';

/** More are not held; until those are pruned, where an absent key stands is then read. */
export const tombstonesMax = 100_000;

/** Where the deleted keys stand whose pointers are still there: in memory, so that a create need not look for one. */
export class Tombstones {
  /** By rising revision. */
  readonly #revisions = new Map<StorageKey, Revision>();
  /** Of deletes up to this revision some may be missing here. */
  #forgottenUpTo: Revision;

  /** `head`: the store may hold deletes up to it that nobody has told. */
  constructor(head: Revision) {
    this.#forgottenUpTo = head;
  }

  /** Undefined when the key is not held: it has no pointer, if `isComplete`. */
  revisionOf(key: StorageKey): Revision | undefined {
    return this.#revisions.get(key);
  }

  /** Whether all are held: the pointers of deletes up to `pruned` are gone. */
  isComplete(pruned: Revision): boolean {
    return this.#forgottenUpTo <= pruned;
  }

  take({ head, revisions }: Pick<CommittedGroup, 'head' | 'revisions'>): void {
    for (const events of revisions) {
      for (const { type, key, revision } of events) {
        if (type === 'put') {
          if (this.#revisions.size > 0) this.#revisions.delete(key);
        } else this.add(key, revision);
      }
    }
    for (const [key, revision] of this.#revisions) {
      if (revision > head.pruned) break;
      this.#revisions.delete(key);
    }
  }

  /** In rising order, but for those of one revision. */
  add(key: StorageKey, revision: Revision): void {
    this.#revisions.delete(key);
    this.#revisions.set(key, revision);
    if (this.#revisions.size <= tombstonesMax) return;
    this.#revisions.clear();
    this.#forgottenUpTo = revision;
  }
}
