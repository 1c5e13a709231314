import { clusterOf } from '#api/core-kcp/cluster-annotation.ts';
import { ApiError, isApiError } from '#apimachinery/api-error.ts';
import { type Clock, sleep } from '#apimachinery/clock.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { CollectionRef, KubeClient, WatchEvent } from './client.ts';
import { listPages } from './list-pages.ts';
import type { Logger } from './logger.ts';

/** `<cluster>|<namespace>/<name>`; the cluster is empty outside wildcard reads, the namespace for cluster scope. */
export type ObjectKey = string;

export function objectKeyOf(object: KubeObject): ObjectKey {
  const { name = '', namespace = '' } = object.metadata;
  return `${clusterOf(object)}|${namespace}/${name}`;
}

/** Called synchronously in the order of the events, after the cache has changed. Must not throw. */
export interface InformerHandler {
  onAdd?(object: KubeObject): void;
  onUpdate?(object: KubeObject, old: KubeObject): void;
  /** `last`: as the event of the deletion shows it; absent when that was missed and only the absence is known. */
  onDelete?(old: KubeObject, last?: KubeObject): void;
  /**
   * After a complete list, once what differs was told: the cache is what was there at that revision. What came and went between two
   * lists was told by nothing else.
   */
  onListed?(resourceVersion: string): void;
}

export interface InformerOptions {
  readonly client: KubeClient;
  readonly collection: CollectionRef;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metadataOnly?: boolean | undefined;
  /** As of a watch; `transform` sees whole objects, and cuts them down. */
  readonly newWhole?: boolean | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** Named indexes: each gives the values that an object is found under. */
  readonly indexers?: { readonly [index: string]: (object: KubeObject) => readonly string[] } | undefined;
  /**
   * Cuts away what the holder does not need before the object is kept; undefined: it is not kept at all. May change its
   * argument.
   */
  readonly transform?: ((object: KubeObject) => KubeObject | undefined) | undefined;
  /** Called after every complete list but the first: events may have been missed, or the store put back to a backup. */
  readonly onRelist?: (() => void) | undefined;
  /** Objects of one list page. */
  readonly pageSize?: number | undefined;
  /**
   * More than these are not kept: the list or watch fails with TooManyObjects, and is tried again. Absent: no limit. A function
   * where others share it, asked of each page and each event.
   */
  readonly objectsMax?: number | (() => number) | undefined;
  /** Called when a list or a watch failed, or could not be kept. */
  readonly onFailure?: ((error: unknown) => void) | undefined;
  /** First and longest wait after a failure, which the longest may depend on. */
  readonly retryMinMs?: number | undefined;
  readonly retryMaxMs?: number | ((error: unknown) => number) | undefined;
  /** A watch is begun anew after between once and twice this; absent: when the server ends it. */
  readonly watchTimeoutSeconds?: number | undefined;
  /**
   * The server's store may be put back to a backup with its revisions, and say nothing of it: kube-apiserver begins a watch at a
   * revision that it has yet to reach, and leaves out what happens up to that one
   * (k8s.io/apiserver/pkg/storage/cacher/cache_watcher.go). A watch that broke off is resumed only where the store is not behind it
   * (decision 202).
   */
  readonly mayGoBack?: boolean | undefined;
}

/** There are more objects than an informer may keep. */
export class TooManyObjects extends Error {
  override readonly name = 'TooManyObjects';
}

/** A watch that ends so much before its time may have ended with its server. */
const earlyMs = 2_000;
/** Of no object: what is asked for is the revision of an answer without any. */
const nobody = 'cellplane-nobody';

/**
 * A cache of one collection, kept by list and watch: complete after `synced`, then as new as its watch. Objects in it
 * are shared: readers must not change them. A broken watch is resumed where it ended; a compacted one (410) is listed
 * anew, and the difference is told as events. Costs of reads and events do not depend on the number of objects.
 */
export class Informer {
  /** Resolves after the first complete list; rejects when stopped before. */
  readonly synced: Promise<void>;
  readonly #options: InformerOptions;
  readonly #objects = new Map<ObjectKey, KubeObject>();
  readonly #indexes = new Map<string, Map<string, Map<ObjectKey, KubeObject>>>();
  readonly #handlers = new Set<InformerHandler>();
  readonly #stopping = new AbortController();
  #markSynced: () => void = () => {};
  #failSynced: (reason: unknown) => void = () => {};
  #isSynced = false;
  #isConnected = false;
  #resourceVersion = '';
  #running: Promise<void> | undefined;
  #lastError: unknown;
  #pageSize: number;
  #awaitingAttempt: (() => void)[] = [];

  constructor(options: InformerOptions) {
    this.#options = options;
    this.#pageSize = options.pageSize ?? 1_000;
    for (const index in options.indexers) this.#indexes.set(index, new Map());
    this.synced = new Promise((resolve, reject) => {
      this.#markSynced = resolve;
      this.#failSynced = reject;
    });
    this.synced.catch(() => {}); // whoever waits sees it; nobody has to wait
  }

  /** True between a successful list or watch start and the next failure. */
  get connected(): boolean {
    return this.#isConnected;
  }

  get hasSynced(): boolean {
    return this.#isSynced;
  }

  /** Why the last list or watch failed; undefined while it works. */
  get lastError(): unknown {
    return this.#lastError;
  }

  /** Resolves when the list under way, or the next, has ended, whatever came of it, and at a stop. */
  nextAttempt(): Promise<void> {
    if (this.#stopping.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => this.#awaitingAttempt.push(resolve));
  }

  /** The revision that the cache is at; '' before the first list. */
  get resourceVersion(): string {
    return this.#resourceVersion;
  }

  get size(): number {
    return this.#objects.size;
  }

  get(key: ObjectKey): KubeObject | undefined {
    return this.#objects.get(key);
  }

  values(): IterableIterator<KubeObject> {
    return this.#objects.values();
  }

  /** All objects that the named index files under `value`. */
  byIndex(index: string, value: string): IterableIterator<KubeObject> {
    const entries = this.#indexes.get(index);
    if (entries === undefined) throw new RangeError(`informer has no index ${index}`);
    return (entries.get(value) ?? new Map<ObjectKey, KubeObject>()).values();
  }

  /** Adds a handler; it is told of all objects present first. Returns how to remove it. */
  addHandler(handler: InformerHandler): () => void {
    this.#handlers.add(handler);
    for (const object of this.#objects.values()) handler.onAdd?.(object);
    return () => this.#handlers.delete(handler);
  }

  /** Idempotent. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Idempotent; resolves when nothing of the informer runs any more. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#failSynced(new ApiError('ServiceUnavailable', 'informer was stopped'));
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, logger, retryMinMs = 50, retryMaxMs = 10_000 } = this.#options;
    const signal = this.#stopping.signal;
    let waitMs = retryMinMs;
    let mustList = true;
    /** The server may be another one than before. */
    let isInDoubt = false;
    /** Listed, and nothing was watched for long since. */
    let isJustListed = false;
    while (!signal.aborted) {
      let watchingSinceMs = Number.POSITIVE_INFINITY;
      try {
        if (mustList) {
          await this.#relist(signal);
          mustList = false;
          isJustListed = true;
        } else if (isInDoubt && this.#options.mayGoBack === true) await this.#compareStore(signal);
        this.#isConnected = true;
        this.#endAttempt(undefined);
        watchingSinceMs = clock.monotonic();
        const { seen, endedEarly } = await this.#follow(signal);
        isInDoubt = endedEarly;
        isJustListed &&= !seen;
        if (seen) waitMs = retryMinMs;
        // A server may end a watch at any time; one that ends it at once must not be asked in a tight loop.
        else await sleep(clock, waitMs, signal).catch(() => {});
      } catch (error) {
        this.#isConnected = false;
        isInDoubt = true;
        if (signal.aborted) break;
        this.#endAttempt(error);
        this.#options.onFailure?.(error);
        // A page that is larger than the client accepts: fewer objects may fit.
        if (isApiError(error, 'RequestEntityTooLarge'))
          this.#pageSize = Math.max(1, Math.floor(this.#pageSize / 4));
        // What went well for longer than the last wait owes nothing to the failures before it.
        const wentWell = clock.monotonic() - watchingSinceMs > waitMs;
        isJustListed &&= !wentWell;
        // Whoever is told to list is not made to wait for what failed before there was an answer; told so again and again, it is.
        const isOutdated = !mustList && !isJustListed && isApiError(error, 'Expired', 'Gone');
        if (wentWell || isOutdated) waitMs = retryMinMs;
        mustList =
          mustList ||
          isApiError(error, 'Expired', 'Gone', 'NotFound', 'Forbidden') ||
          error instanceof TooManyObjects ||
          this.#resourceVersion === '';
        const { gvr, cluster } = this.#options.collection;
        const level = waitMs >= 2_000 ? 'warn' : 'debug';
        logger[level](
          { err: error, resource: gvr.resource, group: gvr.group, cluster, waitMs },
          'informer retries',
        );
        await sleep(clock, waitMs * (0.75 + Math.random() / 2), signal).catch(() => {});
        waitMs = Math.min(waitMs * 2, typeof retryMaxMs === 'number' ? retryMaxMs : retryMaxMs(error));
      }
    }
    this.#isConnected = false;
    this.#endAttempt(this.#lastError);
  }

  #endAttempt(error: unknown): void {
    this.#lastError = error;
    for (const resolve of this.#awaitingAttempt.splice(0)) resolve();
  }

  async #relist(signal: AbortSignal): Promise<void> {
    const { client, collection, metadataOnly, labelSelector, fieldSelector } = this.#options;
    const pageSize = this.#pageSize;
    const fresh = new Map<ObjectKey, KubeObject>();
    let resourceVersion = '';
    const options = { metadataOnly, labelSelector, fieldSelector, limit: pageSize, signal };
    for await (const page of listPages(client, collection, options)) {
      for (const item of page.items) {
        const object = this.#accept(item);
        if (object !== undefined) fresh.set(objectKeyOf(object), object);
      }
      this.#checkCount(fresh.size);
      resourceVersion = page.metadata.resourceVersion ?? '';
    }
    for (const key of [...this.#objects.keys()]) if (!fresh.has(key)) this.#remove(key);
    for (const [key, object] of fresh) this.#put(key, object);
    this.#resourceVersion = resourceVersion;
    for (const handler of this.#handlers) handler.onListed?.(resourceVersion);
    const isFirst = !this.#isSynced;
    this.#isSynced = true;
    this.#markSynced();
    if (!isFirst) this.#options.onRelist?.();
  }

  /** Throws Expired when the store stands at an earlier revision than the cache. From the server's cache: all but free for it. */
  async #compareStore(signal: AbortSignal): Promise<void> {
    const { client, collection } = this.#options;
    const options = { metadataOnly: true, resourceVersion: '0', signal };
    const { metadata } = await client.list(collection, {
      ...options,
      fieldSelector: `metadata.name=${nobody}`,
    });
    const [now, ours] = [metadata.resourceVersion ?? '', this.#resourceVersion];
    if (!/^\d+$/.test(now) || !/^\d+$/.test(ours) || BigInt(now) >= BigInt(ours)) return;
    throw new ApiError('Expired', `the store stands at revision ${now}, and was at ${ours} before`);
  }

  /** Whether the watch delivered anything before it ended, and whether it was to end then. */
  async #follow(signal: AbortSignal): Promise<{ readonly seen: boolean; readonly endedEarly: boolean }> {
    const { client, collection, metadataOnly, newWhole, labelSelector, fieldSelector } = this.#options;
    const { clock, watchTimeoutSeconds } = this.#options;
    const timeoutSeconds =
      watchTimeoutSeconds === undefined ? undefined : Math.round(watchTimeoutSeconds * (1 + Math.random()));
    const dueMs = clock.monotonic() + (timeoutSeconds ?? 0) * 1_000 - earlyMs;
    let seen = false;
    const events = client.watch(collection, {
      metadataOnly,
      newWhole,
      labelSelector,
      fieldSelector,
      resourceVersion: this.#resourceVersion,
      allowWatchBookmarks: true,
      timeoutSeconds,
      signal,
    });
    for await (const event of events) {
      seen = true;
      this.#handle(event);
    }
    return { seen, endedEarly: clock.monotonic() < dueMs };
  }

  #handle(event: WatchEvent): void {
    if (event.type === 'BOOKMARK') {
      this.#resourceVersion = event.resourceVersion;
      return;
    }
    const { resourceVersion = this.#resourceVersion } = event.object.metadata;
    const object = this.#accept(event.object);
    if (object === undefined) this.#remove(objectKeyOf(event.object));
    else if (event.type === 'DELETED') this.#remove(objectKeyOf(object), object);
    else {
      this.#put(objectKeyOf(object), object);
      this.#checkCount(this.#objects.size);
    }
    this.#resourceVersion = resourceVersion;
  }

  #checkCount(count: number): void {
    const { objectsMax, collection } = this.#options;
    if (objectsMax === undefined) return;
    const max = typeof objectsMax === 'number' ? objectsMax : objectsMax();
    if (count > max) throw new TooManyObjects(`there are more than ${max} ${collection.gvr.resource}`);
  }

  #accept(object: KubeObject): KubeObject | undefined {
    return this.#options.transform === undefined ? object : this.#options.transform(object);
  }

  #put(key: ObjectKey, object: KubeObject): void {
    const old = this.#objects.get(key);
    if (old !== undefined && old.metadata.resourceVersion === object.metadata.resourceVersion) return;
    // A delete and a re-creation that were both missed look like an update: tell them apart by uid.
    const recreated = old !== undefined && old.metadata.uid !== object.metadata.uid;
    if (old !== undefined) this.#unindex(key, old);
    this.#objects.set(key, object);
    this.#index(key, object);
    for (const handler of this.#handlers) {
      if (old === undefined) handler.onAdd?.(object);
      else if (recreated) {
        handler.onDelete?.(old);
        handler.onAdd?.(object);
      } else handler.onUpdate?.(object, old);
    }
  }

  /** `last`: the object as the event of its deletion shows it; absent when it was missed. */
  #remove(key: ObjectKey, last?: KubeObject): void {
    const old = this.#objects.get(key);
    if (old === undefined) return;
    this.#objects.delete(key);
    this.#unindex(key, old);
    for (const handler of this.#handlers) handler.onDelete?.(old, last);
  }

  #index(key: ObjectKey, object: KubeObject): void {
    for (const [name, index] of this.#indexes) {
      for (const value of this.#options.indexers?.[name]?.(object) ?? []) {
        let entries = index.get(value);
        if (entries === undefined) {
          entries = new Map();
          index.set(value, entries);
        }
        entries.set(key, object);
      }
    }
  }

  #unindex(key: ObjectKey, object: KubeObject): void {
    for (const [name, index] of this.#indexes) {
      for (const value of this.#options.indexers?.[name]?.(object) ?? []) {
        const entries = index.get(value);
        entries?.delete(key);
        if (entries?.size === 0) index.delete(value);
      }
    }
  }
}
