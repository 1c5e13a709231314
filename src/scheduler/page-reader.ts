import type { Clock } from '#apimachinery/clock.ts';
import { formatApiVersion } from '#apimachinery/gvk.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { RecentObjects } from '#client/recent-objects.ts';
import type { DiscoveredResource } from './discovery.ts';
import { type KeyParts, keyOf } from './object-key.ts';
import { readObject } from './read-object.ts';
import { watchName } from './watches/resource-watches.ts';

/** While so many objects of one collection are being read, what further is asked for is read by pages. */
const readsAtOnceMin = 16;
/** Of the first page, which tells how large the objects are. */
const firstPageObjects = 16;
const pageObjectsMax = 256;
/** A page has about as many bytes at most; where this is fewer objects than the first page has, they are read one by one. */
const pageBytesMax = 512 * 1024;
/** About as much is kept of all pages; what does not fit is read. */
const keptBytesMax = 8 * 1024 * 1024;
/** What was read longer ago is read again, and a collection that nobody asked for since is begun anew. */
const keptAgeMaxMs = 5_000;
/** Of so many objects read a quarter has to have been asked for, else the collection is read one by one for a while. */
const judgedObjects = 512;
const asideMs = 60_000;
/** Who waits for longer reads by itself. */
const pageTimeoutMs = 10_000;
/** An object that is not in so many pages that it waited for is read by itself. */
const pagesWaitedMax = 2;

export interface PageReaderOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  /** The object's metadata as a watch told it last: only what is as new is taken out of a page. */
  readonly told: (key: KeyParts) => KubeObject | undefined;
  /** Ends what is being read for all. */
  readonly signal: AbortSignal;
}

/** How far a collection is read. */
interface Pages {
  /** The last object's; what comes behind it in the order of names is yet to come. */
  lastName: string;
  /** Where the next page begins; undefined: at the beginning. */
  token: string | undefined;
  objects: number;
  read: number;
  taken: number;
  /** What has been taken when the next page is due. */
  nextAtTaken: number;
  underWay: Promise<void> | undefined;
}

/** Objects of one kind in one namespace. */
interface Collection {
  /** Objects that are being read one by one. */
  reads: number;
  pages: Pages | undefined;
  /** Until then it is read one by one. */
  asideUntilMs: number;
  usedAtMs: number;
}

/**
 * Reads project objects for their decisions. What many ask for at the same time, as when a policy comes that selects all of a
 * namespace, or when a cell is left, is read by pages, ahead of who will ask: an object in a page costs a quarter of a request
 * for it, and its decision no round trip. It rests on keys being looked at about in the order of their names, and gives up
 * where they are not. What is taken is the caller's own, and as new as the watch has told.
 */
export class PageReader {
  readonly #options: PageReaderOptions;
  readonly #kept: RecentObjects;
  readonly #collections = new Map<string, Collection>();
  #forgotAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: PageReaderOptions) {
    this.#options = options;
    const { clock } = options;
    this.#kept = new RecentObjects({ clock, bytesMax: keptBytesMax, ageMaxMs: keptAgeMaxMs });
  }

  /** The object, at once where a page had it; undefined when there is none. Throws as `readObject` does. */
  read(
    parts: KeyParts,
    resource: DiscoveredResource,
    signal: AbortSignal,
  ): KubeObject | Promise<KubeObject | undefined> {
    const collection = this.#collectionOf(parts, resource);
    return this.#take(parts, resource, collection) ?? this.#read(parts, resource, collection, signal);
  }

  async #read(
    parts: KeyParts,
    resource: DiscoveredResource,
    collection: Collection,
    signal: AbortSignal,
  ): Promise<KubeObject | undefined> {
    for (let waited = 0; waited < pagesWaitedMax; waited++) {
      const pages = this.#pagesOf(parts, collection);
      if (pages === undefined || (pages.read > 0 && parts.name <= pages.lastName)) break;
      await this.#nextPage(parts, resource, collection, pages);
      const object = this.#take(parts, resource, collection);
      if (object !== undefined) return object;
    }
    collection.reads++;
    try {
      return await readObject(this.#options.client, parts, resource, signal);
    } finally {
      collection.reads--;
    }
  }

  #collectionOf({ cluster, namespace }: KeyParts, resource: DiscoveredResource): Collection {
    const at = `${resource.version}/${watchName(resource)}|${cluster}|${namespace}`;
    const nowMs = this.#options.clock.monotonic();
    let collection = this.#collections.get(at);
    if (collection === undefined) {
      this.#forgetUnused(nowMs);
      collection = {
        reads: 0,
        pages: undefined,
        asideUntilMs: Number.NEGATIVE_INFINITY,
        usedAtMs: nowMs,
      };
      this.#collections.set(at, collection);
    }
    if (nowMs - collection.usedAtMs > keptAgeMaxMs) collection.pages = undefined;
    collection.usedAtMs = nowMs;
    return collection;
  }

  /** At most once in the age that it goes by: objects of thousands of projects in turn each come with a collection of their own. */
  #forgetUnused(nowMs: number): void {
    if (nowMs - this.#forgotAtMs < keptAgeMaxMs) return;
    this.#forgotAtMs = nowMs;
    for (const [at, { reads, usedAtMs, asideUntilMs }] of this.#collections) {
      if (reads > 0 || nowMs - usedAtMs <= keptAgeMaxMs || nowMs < asideUntilMs) continue;
      this.#collections.delete(at);
    }
  }

  #pagesOf({ group, resource }: KeyParts, collection: Collection): Pages | undefined {
    if (collection.pages !== undefined) return collection.pages;
    if (collection.reads < readsAtOnceMin) return undefined;
    // Of Secrets nothing is read that is not placed.
    if (group === '' && resource === 'secrets') return undefined;
    if (this.#options.clock.monotonic() < collection.asideUntilMs) return undefined;
    collection.pages = {
      lastName: '',
      token: undefined,
      objects: firstPageObjects,
      read: 0,
      taken: 0,
      nextAtTaken: 0,
      underWay: undefined,
    };
    return collection.pages;
  }

  #take(parts: KeyParts, resource: DiscoveredResource, collection: Collection): KubeObject | undefined {
    if (this.#kept.bytes === 0) return undefined;
    const told = this.#options.told(parts)?.metadata.resourceVersion;
    const object = this.#kept.take(keyOf(parts), told);
    if (object?.apiVersion !== formatApiVersion(resource)) return undefined;
    const { pages } = collection;
    if (pages !== undefined && ++pages.taken >= pages.nextAtTaken)
      void this.#nextPage(parts, resource, collection, pages);
    return object;
  }

  /** Resolves when a page more was read, or none is to be; never rejects. One at a time. */
  #nextPage(
    parts: KeyParts,
    resource: DiscoveredResource,
    collection: Collection,
    pages: Pages,
  ): Promise<void> {
    pages.underWay ??= this.#readPage(parts, resource, pages).then(
      (goesOn) => {
        pages.underWay = undefined;
        if (!goesOn && collection.pages === pages) collection.pages = undefined;
      },
      () => {
        pages.underWay = undefined;
        this.#setAside(collection, pages);
      },
    );
    return pages.underWay;
  }

  #setAside(collection: Collection, pages: Pages): void {
    collection.asideUntilMs = this.#options.clock.monotonic() + asideMs;
    if (collection.pages === pages) collection.pages = undefined;
  }

  /** Whether there is more. Throws when it does not pay, or cannot be read. */
  async #readPage(
    { group, resource: plural, cluster, namespace }: KeyParts,
    resource: DiscoveredResource,
    pages: Pages,
  ): Promise<boolean> {
    if (pages.read >= judgedObjects && pages.taken < pages.read / 4)
      throw new RangeError('most of what is read is not asked for');
    const gvr = { group, version: resource.version, resource: plural };
    const { client, signal } = this.#options;
    const { items, metadata } = await client.list(
      { cluster, gvr, namespace: namespace === '' ? undefined : namespace },
      { limit: pages.objects, continue: pages.token, timeoutMs: pageTimeoutMs, signal },
    );
    let bytes = 1;
    const apiVersion = formatApiVersion(resource);
    for (const item of items) {
      // Items of built-in kinds' lists do not say what they are (KUBERNETES.md L1).
      item.apiVersion ??= apiVersion;
      item.kind ??= resource.kind;
      const { name = '' } = item.metadata;
      bytes += this.#kept.put(keyOf({ group, resource: plural, cluster, namespace, name }), item);
      pages.lastName = name;
    }
    pages.read += items.length;
    pages.nextAtTaken = pages.taken + items.length / 2;
    pages.token = metadata.continue;
    if (pages.token === undefined || pages.token === '') return false;
    pages.objects = Math.min(pageObjectsMax, Math.floor((pageBytesMax / bytes) * items.length));
    if (pages.objects < firstPageObjects) throw new RangeError('the objects are large');
    return true;
  }
}
