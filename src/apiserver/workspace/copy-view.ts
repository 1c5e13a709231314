import { copyDefinition, copyName } from '#api/federation/copy.ts';
import { copyLabels } from '#api/federation/copy-contract.ts';
import type {
  CachedStorage,
  CacheEntry,
  CacheEvent,
  CacheSnapshot,
  CacheWatchHandler,
} from '#storage/cached-storage.ts';
import { StorageError } from '#storage/errors.ts';
import { type KeyParts, objectKey, parseObjectKey } from '#storage/keys.ts';
import type { Revision, StorageKey, Subscription, WatchHandler, WatchOptions } from '#storage/storage.ts';
import type { StoreEvents } from '../controllers/store-events.ts';
import { clusterOf, internalPrefix } from '../registry/key-parts.ts';
import { hasLabels, headerOf } from '../registry/stored-object.ts';
import { encodeCopy } from './copy-encoding.ts';
import { cacheEventOf, ReadOnlyView } from './read-only-view.ts';

/**
 * All copies of every kind as if they were stored as Copy objects: what lists and watches of `copies` read instead of
 * the store. Nothing is kept; a Copy is made from its original when it is shown. One subscription to the store's events
 * serves all watchers, by cluster.
 */
export class CopyView extends ReadOnlyView {
  readonly #events: StoreEvents;
  readonly #watchers = new Map<string, Set<CopyWatcher>>();
  readonly #unlisten: () => void;

  constructor(storage: CachedStorage, events: StoreEvents) {
    super(storage);
    this.#events = events;
    this.#unlisten = events.listen(undefined, {
      event: (event) => this.#publish(event),
      reset: () => this.#endAll(new StorageError('compacted', 'events were lost')),
    });
  }

  /** `prefix` is that of the copies of one cluster, or of one namespace in it. */
  snapshot(prefix: string, atRevision?: Revision): CacheSnapshot {
    const { clusterId, namespace } = placeOfPrefix(prefix);
    const revision = atRevision ?? this.storage.revision;
    const within = namespace === '' ? `${clusterId}/` : `${clusterId}/${namespace}/`;
    const parts = [...this.#events.resourcePrefixes()]
      .filter((resourcePrefix) => !resourcePrefix.startsWith(internalPrefix))
      .sort()
      .map(
        (resourcePrefix): Part => ({
          resourcePrefix,
          // The whole resource's snapshot is shared with whoever else asked for this revision; a part of it is only a range.
          snapshot: this.storage.snapshot(resourcePrefix, revision),
          prefix: resourcePrefix + within,
        }),
      );
    return {
      revision,
      *entries(startAfter) {
        for (const original of originalsIn(parts, startAfter)) yield new CopyEntry(original, false);
      },
      count(startAfter) {
        let count = 0;
        for (const _ of originalsIn(parts, startAfter)) count++;
        return count;
      },
    };
  }

  watchCache(prefix: string, afterRevision: Revision, handler: CacheWatchHandler): { close(): void } {
    const { clusterId, namespace } = placeOfPrefix(prefix);
    const watcher: CopyWatcher = { namespace, handler };
    if (afterRevision !== this.storage.revision) this.#deliverBacklog(clusterId, afterRevision, watcher);
    const watchers = this.#watchers.get(clusterId) ?? new Set();
    this.#watchers.set(clusterId, watchers);
    watchers.add(watcher);
    return {
      close: () => {
        watchers.delete(watcher);
        if (watchers.size === 0 && this.#watchers.get(clusterId) === watchers)
          this.#watchers.delete(clusterId);
      },
    };
  }

  /** From a revision that the cache's ring no longer reaches: by the store's log. */
  watch(options: WatchOptions, handler: WatchHandler): Promise<Subscription> {
    const { clusterId, namespace } = placeOfPrefix(options.prefix);
    return this.storage.watch(
      { prefix: '/', afterRevision: options.afterRevision },
      {
        events: (events) => {
          const copies = events.flatMap((event) => {
            if (clusterOf(event.key) !== clusterId) return [];
            const mapped = copyEventOf(cacheEventOf(event));
            if (mapped === undefined || !isIn(mapped, namespace)) return [];
            const { type, key, value, revision, previous } = mapped;
            return [{ type, key, value, revision, previous }];
          });
          if (copies.length > 0) handler.events(copies);
        },
        end: (error) => handler.end(error),
      },
    );
  }

  /** Ends all watches. */
  override async close(): Promise<void> {
    this.#unlisten();
    this.#endAll(new StorageError('closed', 'the server stops'));
  }

  /** The backlog is delivered while the watch is opened; from then on the shared one goes on. */
  #deliverBacklog(clusterId: string, afterRevision: Revision, { namespace, handler }: CopyWatcher): void {
    const backlog = this.storage.watchCache('/', afterRevision, {
      events: (events) => {
        const copies: CacheEvent[] = [];
        for (const event of events) {
          if (clusterOf(event.key) !== clusterId) continue;
          const mapped = copyEventOf(event);
          if (mapped !== undefined && isIn(mapped, namespace)) copies.push(mapped);
        }
        if (copies.length > 0) handler.events(copies);
      },
      end: () => {},
    });
    backlog.close();
  }

  #publish(event: CacheEvent): void {
    if (this.#watchers.size === 0) return;
    const watchers = this.#watchers.get(clusterOf(event.key));
    if (watchers === undefined || event.key.startsWith(internalPrefix)) return;
    const mapped = copyEventOf(event);
    if (mapped === undefined) return;
    mapped.isForOne = watchers.size === 1;
    const delivered = [mapped];
    for (const { namespace, handler } of [...watchers]) {
      if (isIn(mapped, namespace)) handler.events(delivered);
    }
  }

  #endAll(error: Error): void {
    const all = [...this.#watchers.values()].flatMap((watchers) => [...watchers]);
    this.#watchers.clear();
    for (const { handler } of all) handler.end(error);
  }
}

interface CopyWatcher {
  /** Empty = all, cluster-scoped copies too. */
  readonly namespace: string;
  readonly handler: CacheWatchHandler;
}

const { storedAs } = copyDefinition;

function placeOfPrefix(prefix: string): { readonly clusterId: string; readonly namespace: string } {
  const [, , , clusterId = '', namespace = ''] = prefix.split('/');
  if (clusterId === '') throw new StorageError('unavailable', 'copies are served one workspace at a time');
  return { clusterId, namespace };
}

/** What of one resource lies in the place that is asked for. */
interface Part {
  readonly resourcePrefix: string;
  readonly snapshot: CacheSnapshot;
  readonly prefix: string;
}

/** The objects that are copies, by resource and key; those after the one that this Copy is made from. */
function* originalsIn(parts: readonly Part[], startAfter: StorageKey | undefined): Generator<CacheEntry> {
  const after = startAfter === undefined ? undefined : originOf(startAfter);
  for (const { resourcePrefix, snapshot, prefix } of parts) {
    if (after !== undefined && resourcePrefix < after.resourcePrefix) continue;
    const from = after?.resourcePrefix === resourcePrefix ? after.key : (prefix as StorageKey);
    for (const entry of snapshot.entries(from)) {
      if (!entry.key.startsWith(prefix)) break;
      if (isCopy(entry)) yield entry;
    }
  }
}

function isCopy(entry: CacheEntry | undefined): entry is CacheEntry {
  return (
    entry !== undefined && hasLabels(entry) && headerOf(entry).labels[copyLabels.originCluster] !== undefined
  );
}

/** A copy's key is made when it is asked for: not for who watches all namespaces. */
function isIn(event: CacheEvent, namespace: string): boolean {
  return namespace === '' || parseObjectKey(event.key).namespace === namespace;
}

/** Undefined when it concerns no copy, before or after. */
function copyEventOf(event: CacheEvent): CopyEvent | undefined {
  if (event.key.startsWith(internalPrefix)) return undefined;
  const entry = isCopy(event.entry) ? new CopyEntry(event.entry, true) : undefined;
  const previous = isCopy(event.previous) ? new CopyEntry(event.previous, false) : undefined;
  if (entry === undefined && previous === undefined) return undefined;
  return new CopyEvent(event, entry, previous);
}

/** Its key is made when somebody asks for it: who watches all of a workspace does not. */
class CopyEvent implements CacheEvent {
  readonly type: CacheEvent['type'];
  readonly revision: Revision;
  readonly entry: CopyEntry | undefined;
  readonly previous: CopyEntry | undefined;
  memo: unknown = undefined;
  isForOne = false;
  readonly #origin: StorageKey;

  constructor(event: CacheEvent, entry: CopyEntry | undefined, previous: CopyEntry | undefined) {
    this.type = entry === undefined ? 'delete' : 'put';
    this.revision = event.revision;
    this.entry = entry;
    this.previous = previous;
    this.#origin = event.key;
  }

  get key(): StorageKey {
    return copyKeyOf(parseObjectKey(this.#origin));
  }

  get value(): Buffer | undefined {
    return this.entry?.value;
  }
}

/** A Copy that is made from its original when somebody looks at it: of most that were before nobody does. */
class CopyEntry implements CacheEntry {
  readonly revision: Revision;
  memo: unknown = undefined;
  readonly #original: CacheEntry;
  readonly #withObject: boolean;
  #place: KeyParts | undefined;
  #value: Buffer | undefined;

  constructor(original: CacheEntry, withObject: boolean) {
    this.revision = original.revision;
    this.#original = original;
    this.#withObject = withObject;
  }

  get key(): StorageKey {
    return copyKeyOf(this.#placeOf());
  }

  get value(): Buffer {
    this.#value ??= encodeCopy(this.#original, this.#placeOf(), this.#withObject);
    return this.#value;
  }

  #placeOf(): KeyParts {
    this.#place ??= parseObjectKey(this.#original.key);
    return this.#place;
  }
}

/** `/apps/deployments/<cluster>/<namespace>/web` → `/federation…/copies/<cluster>/<namespace>/deployments.apps:web`. */
function copyKeyOf({ group, resource, clusterId, namespace, name }: KeyParts): StorageKey {
  return objectKey({ ...storedAs, clusterId, namespace, name: copyName({ group, resource }, name) });
}

/** The other way round. */
function originOf(key: StorageKey): { readonly key: StorageKey; readonly resourcePrefix: string } {
  const { clusterId, namespace, name: shown } = parseObjectKey(key);
  const colon = shown.indexOf(':');
  const dot = shown.slice(0, colon).indexOf('.');
  const resource = shown.slice(0, dot < 0 ? colon : dot);
  const group = dot < 0 ? '' : shown.slice(dot + 1, colon);
  const origin = objectKey({ group, resource, clusterId, namespace, name: shown.slice(colon + 1) });
  return {
    key: origin,
    resourcePrefix: origin.slice(0, origin.indexOf('/', origin.indexOf('/', 1) + 1) + 1),
  };
}
