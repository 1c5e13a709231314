import { formatApiVersion } from '#apimachinery/gvk.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { CollectionRef, KubeClient } from '#client/client.ts';
import type { Logger } from '#client/logger.ts';
import { roughBytesOf } from '#client/recent-objects.ts';
import type { WatchedResource } from './copy-index.ts';
import type { KeyParts } from './object-key.ts';
import { watchName } from './resource-watches.ts';

/** Where objects are read together: one resource of one namespace of a project ('' for what lies in none). */
export type ReadPlace = WatchedResource & Pick<KeyParts, 'cluster' | 'namespace'>;

export interface ReadAheadOptions {
  readonly client: KubeClient;
  readonly logger: Logger;
  /** What the watches tell of an object: only what is of this revision is handed over. */
  readonly told: (key: KeyParts) => KubeObject | undefined;
  /** Whether the objects of a project are looked at here: nobody else's are awaited. */
  readonly owns: (cluster: string) => boolean;
  /** Ends what is being read. */
  readonly signal: AbortSignal;
}

/** Fewer objects of a place are read one by one. */
export const readAheadMin = 64;
/** Names that are awaited of all places together: further places are read one by one. */
const namesMax = 200_000;
/** Places of which something is read or kept at once. */
const placesReadMax = 16;
const firstPageItems = 16;
const pageItemsMax = 128;
/** About so many bytes in one page, by the sizes of the one before; of each place at most two pages are kept. */
const pageBytes = 512 * 1024;
/** When the objects of a page are larger than this on average, the others are read one by one. */
const objectBytesMax = 32 * 1024;
/** Of so many objects of a page one is measured. */
const measuredEach = 4;
/** A page that takes longer is given up, and the place's objects are read one by one. */
const pageTimeoutMs = 10_000;
/** How many pages a reader waits for before it reads its object itself. */
const pagesAwaitedMax = 2;

/**
 * Reads objects that are about to be decided on page by page instead of one by one: those that were there before their policy
 * came or changed. Who announces them wakes them in the order of their names, which is that of the pages. It is only ever an
 * offer: whoever gets nothing reads.
 */
export class ReadAhead {
  readonly #options: ReadAheadOptions;
  readonly #runs = new Map<string, Run>();
  readonly #begun = new Set<Run>();
  #names = 0;

  constructor(options: ReadAheadOptions) {
    this.#options = options;
  }

  /**
   * These objects of the place, of `total` that lie there, are going to be decided on; `passed` must be called for each. Returns
   * whether they will be read page by page, so that it is best to look at them in the order of their names. Secrets are not:
   * others that lie beside them would come here too.
   */
  expect(place: ReadPlace, names: readonly string[], total: number): boolean {
    if (place.group === '' && place.resource === 'secrets') return false;
    if (!this.#options.owns(place.cluster)) return false;
    if (names.length < readAheadMin || names.length * 2 < total) return false;
    const id = idOf(place);
    this.#drop(id);
    if (this.#names + names.length > namesMax) return false;
    this.#runs.set(id, new Run(place, names, this.#options));
    this.#names += names.length;
    return true;
  }

  /** The object as it is now by all that is known, the caller's own; undefined when it is to be read. Never rejects. */
  take(
    key: KeyParts,
    { version }: WatchedResource,
  ): KubeObject | Promise<KubeObject | undefined> | undefined {
    const run = this.#runs.size === 0 ? undefined : this.#runs.get(idOf(key));
    if (run === undefined || run.version !== version || !run.awaits(key.name)) return undefined;
    if (!this.#begun.has(run)) {
      if (this.#begun.size >= placesReadMax) return undefined;
      this.#begun.add(run);
    }
    const kept = run.take(key.name);
    if (kept !== undefined) return this.#ifCurrent(key, kept);
    return run.isAhead(key.name) ? this.#await(run, key) : undefined;
  }

  /** The object was looked at: it is not awaited any more. */
  passed(key: KeyParts): void {
    if (this.#runs.size === 0) return;
    const id = idOf(key);
    const run = this.#runs.get(id);
    if (run?.pass(key.name) !== true) return;
    this.#names--;
    if (run.size === 0) this.#drop(id);
  }

  /** Nothing of these projects is looked at any more. */
  forget(owns: (cluster: string) => boolean): void {
    for (const [id, { cluster }] of [...this.#runs]) if (owns(cluster)) this.#drop(id);
  }

  #drop(id: string): void {
    const run = this.#runs.get(id);
    if (run === undefined) return;
    this.#runs.delete(id);
    this.#begun.delete(run);
    this.#names -= run.size;
    run.end();
  }

  async #await(run: Run, key: KeyParts): Promise<KubeObject | undefined> {
    for (let pages = 0; pages < pagesAwaitedMax && run.isAhead(key.name); pages++) await run.readPage();
    const kept = run.take(key.name);
    return kept === undefined ? undefined : this.#ifCurrent(key, kept);
  }

  /** Pages are of the revision that the first was of; what has changed since is read. */
  #ifCurrent(key: KeyParts, object: KubeObject): KubeObject | undefined {
    const told = this.#options.told(key)?.metadata.resourceVersion;
    return told === object.metadata.resourceVersion ? object : undefined;
  }
}

function idOf({ group, resource, cluster, namespace }: Omit<KeyParts, 'name'>): string {
  return `${watchName({ group, resource })}|${cluster}|${namespace}`;
}

/** The objects of one place, read in the order of their names. */
class Run {
  readonly cluster: string;
  readonly version: string;
  readonly #options: ReadAheadOptions;
  readonly #collection: CollectionRef;
  readonly #apiVersion: string;
  readonly #awaited: Set<string>;
  /** Of the last page and the one before. */
  #kept = new Map<string, KubeObject>();
  #keptBefore = new Map<string, KubeObject>();
  /** When so few of the last page are left, the next is read. */
  #lowMark = 0;
  #items = firstPageItems;
  #continue: string | undefined;
  #lastName: string | undefined;
  #reading: Promise<void> | undefined;
  #isEnded = false;

  constructor(
    { cluster, namespace, group, version, resource }: ReadPlace,
    names: readonly string[],
    options: ReadAheadOptions,
  ) {
    this.cluster = cluster;
    this.version = version;
    this.#options = options;
    this.#collection = {
      cluster,
      gvr: { group, version, resource },
      namespace: namespace === '' ? undefined : namespace,
    };
    this.#apiVersion = formatApiVersion({ group, version });
    this.#awaited = new Set(names);
  }

  get size(): number {
    return this.#awaited.size;
  }

  awaits(name: string): boolean {
    return this.#awaited.has(name);
  }

  /** Whether a page to come may hold it. */
  isAhead(name: string): boolean {
    return !this.#isEnded && (this.#lastName === undefined || name > this.#lastName);
  }

  take(name: string): KubeObject | undefined {
    const object = this.#kept.get(name) ?? this.#keptBefore.get(name);
    if (object !== undefined) this.#release(name);
    return object;
  }

  /** Returns whether it was awaited. */
  pass(name: string): boolean {
    if (!this.#awaited.delete(name)) return false;
    this.#release(name);
    return true;
  }

  end(): void {
    this.#isEnded = true;
    this.#kept.clear();
    this.#keptBefore.clear();
  }

  #release(name: string): void {
    if (!this.#kept.delete(name)) this.#keptBefore.delete(name);
    else if (this.#kept.size <= this.#lowMark && !this.#isEnded) void this.readPage();
  }

  /** Resolves when the page under way, or the next, has come, or failed: then there are no more. */
  readPage(): Promise<void> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #read(): Promise<void> {
    const { client, logger, signal } = this.#options;
    try {
      const list = await client.list(this.#collection, {
        limit: this.#items,
        continue: this.#continue,
        timeoutMs: pageTimeoutMs,
        signal,
      });
      if (!this.#isEnded) this.#keep(list.items, list.kind.replace(/List$/, ''));
      this.#continue = list.metadata.continue ?? '';
      if (this.#continue === '') this.#isEnded = true;
    } catch (error) {
      this.#isEnded = true;
      if (signal.aborted) return;
      const { cluster, gvr, namespace } = this.#collection;
      logger.debug({ err: error, cluster, resource: gvr.resource, namespace }, 'objects are read one by one');
    }
  }

  #keep(items: readonly KubeObject[], kind: string): void {
    this.#keptBefore = this.#kept;
    this.#kept = new Map();
    let bytes = 0;
    let measured = 0;
    for (const [index, item] of items.entries()) {
      const { name = '' } = item.metadata;
      this.#lastName = name;
      if (index % measuredEach === 0) {
        bytes += roughBytesOf(item);
        measured++;
      }
      // Items of a list need not say what they are.
      if (this.#awaited.has(name)) this.#kept.set(name, { ...item, apiVersion: this.#apiVersion, kind });
    }
    this.#lowMark = this.#kept.size >> 1;
    const average = bytes / Math.max(1, measured);
    if (average > objectBytesMax) this.#isEnded = true;
    this.#items = Math.max(1, Math.min(pageItemsMax, Math.floor(pageBytes / Math.max(1, average))));
  }
}
