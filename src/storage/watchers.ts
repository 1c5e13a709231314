import type { Revision, StorageKey, Subscription } from './storage.ts';

interface Watched {
  readonly key: StorageKey;
  readonly revision: Revision;
}

interface Handler<Event> {
  events(events: readonly Event[]): void;
  end(error: Error): void;
}

class IndexedWatcher<Event> implements Subscription {
  readonly prefix: string;
  readonly handler: Handler<Event>;
  /** Revisions up to here have been delivered, or were delivered before it was indexed. */
  position: Revision;
  readonly #remove: (watcher: IndexedWatcher<Event>) => void;

  constructor(
    prefix: string,
    position: Revision,
    handler: Handler<Event>,
    remove: (watcher: IndexedWatcher<Event>) => void,
  ) {
    this.prefix = prefix;
    this.position = position;
    this.handler = handler;
    this.#remove = remove;
  }

  close(): void {
    this.#remove(this);
  }
}

/**
 * Live watchers by prefix. Publishing costs one look-up for each prefix of the event's key that could be watched (to
 * those of its slashes to which some prefix reaches, and the lengths of watched prefixes that do not end in a slash),
 * never a walk over all watchers.
 */
export class WatcherIndex<Event extends Watched> {
  readonly #byPrefix = new Map<string, Set<IndexedWatcher<Event>>>();
  /** Length of a watched prefix that does not end in a slash → how many such prefixes are watched. */
  readonly #oddLengths = new Map<number, number>();
  /** Number of slashes less one of the other watched prefixes → how many such prefixes are watched. */
  readonly #depths: number[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** The handler gets what is published with a greater revision than `position`. */
  add(prefix: string, position: Revision, handler: Handler<Event>): Subscription {
    const watcher = new IndexedWatcher(prefix, position, handler, (closing) => this.#remove(closing));
    const watchers = this.#byPrefix.get(prefix);
    if (watchers === undefined) {
      this.#byPrefix.set(prefix, new Set([watcher]));
      this.#countPrefix(prefix, 1);
    } else {
      watchers.add(watcher);
    }
    this.#count++;
    return watcher;
  }

  /** Delivers the events of one revision, given in key order. All watchers share the event objects. */
  publish(events: readonly Event[]): void {
    const first = events[0];
    if (first === undefined || this.#count === 0) return;
    if (events.length === 1) {
      this.#visit(first.key, (watcher) => this.#deliver(watcher, events, first.revision));
      return;
    }
    const shares = new Map<IndexedWatcher<Event>, Event[]>();
    for (const event of events) {
      this.#visit(event.key, (watcher) => {
        const share = shares.get(watcher);
        if (share === undefined) shares.set(watcher, [event]);
        else share.push(event);
      });
    }
    for (const [watcher, share] of shares) this.#deliver(watcher, share, first.revision);
  }

  endAll(error: Error): void {
    const all = [...this.#byPrefix.values()].flatMap((watchers) => [...watchers]);
    this.#byPrefix.clear();
    this.#oddLengths.clear();
    this.#depths.length = 0;
    this.#count = 0;
    for (const watcher of all) watcher.handler.end(error);
  }

  #visit(key: string, visit: (watcher: IndexedWatcher<Event>) => void): void {
    this.#byPrefix.get('')?.forEach(visit);
    let slash = -1;
    for (const prefixes of this.#depths) {
      slash = key.indexOf('/', slash + 1);
      if (slash === -1) break;
      if (prefixes > 0) this.#byPrefix.get(key.slice(0, slash + 1))?.forEach(visit);
    }
    if (this.#oddLengths.size === 0) return;
    for (const length of this.#oddLengths.keys()) {
      if (length > key.length) continue;
      const prefix = key.slice(0, length);
      if (isOdd(prefix)) this.#byPrefix.get(prefix)?.forEach(visit);
    }
  }

  #deliver(watcher: IndexedWatcher<Event>, events: readonly Event[], revision: Revision): void {
    if (revision <= watcher.position || !this.#has(watcher)) return;
    watcher.position = revision;
    try {
      watcher.handler.events(events);
    } catch (error) {
      if (!this.#remove(watcher)) return;
      watcher.handler.end(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #has(watcher: IndexedWatcher<Event>): boolean {
    return this.#byPrefix.get(watcher.prefix)?.has(watcher) ?? false;
  }

  #remove(watcher: IndexedWatcher<Event>): boolean {
    const watchers = this.#byPrefix.get(watcher.prefix);
    if (!watchers?.delete(watcher)) return false;
    this.#count--;
    if (watchers.size > 0) return true;
    this.#byPrefix.delete(watcher.prefix);
    this.#countPrefix(watcher.prefix, -1);
    return true;
  }

  /** Notes that a prefix is watched (1), or no more (-1). */
  #countPrefix(prefix: string, change: 1 | -1): void {
    if (prefix === '') return;
    if (isOdd(prefix)) {
      const sameLength = (this.#oddLengths.get(prefix.length) ?? 0) + change;
      if (sameLength > 0) this.#oddLengths.set(prefix.length, sameLength);
      else this.#oddLengths.delete(prefix.length);
      return;
    }
    let depth = 0;
    for (let slash = prefix.indexOf('/'); slash < prefix.length - 1; slash = prefix.indexOf('/', slash + 1))
      depth++;
    while (this.#depths.length <= depth) this.#depths.push(0);
    this.#depths[depth] = (this.#depths[depth] as number) + change;
  }
}

/** Prefixes that the walk over a key's slashes does not meet. */
function isOdd(prefix: string): boolean {
  return prefix !== '' && !prefix.endsWith('/');
}
