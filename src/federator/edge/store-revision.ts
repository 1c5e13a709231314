/**
 * Notices that an edge's store stands at an earlier revision than it did: it was put back to a backup, or another server
 * answers at its address. kube-apiserver says nothing to a watch that is begun there at a revision that it has yet to reach: it
 * leaves out all events before that one (k8s.io/apiserver/pkg/storage/cacher/cache_watcher.go), for days perhaps.
 */
export class StoreRevision {
  #highest: bigint | undefined;

  /** Whether the store stood at a later revision before. What is no number tells nothing. */
  hasGoneBack(revision: string): boolean {
    if (!/^\d{1,20}$/.test(revision)) return false;
    const at = BigInt(revision);
    const hasGoneBack = this.#highest !== undefined && at < this.#highest;
    this.#highest = at;
    return hasGoneBack;
  }
}
