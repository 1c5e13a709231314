import { internalError, isApiError } from '#apimachinery/api-error.ts';
import type { Clock } from '#apimachinery/clock.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { CachedStorage, CacheEntry, CacheEvent, CacheSnapshot } from '#storage/cached-storage.ts';
import { isStorageError } from '#storage/errors.ts';
import type { Revision, StorageEvent } from '#storage/storage.ts';
import type { Registry } from '../registry/registry.ts';
import { fromStorageError } from '../registry/storage-errors.ts';
import { entryOf } from '../registry/stored-object.ts';
import type { ResourceContext } from '../request/context.ts';
import { awaitRevision, tooOld } from './freshness.ts';
import { mergedEntries, type Scope, scopeOf } from './list.ts';
import { type ListParameters, parseResourceVersion } from './options.ts';
import type { WatchDelivery, WatchResult, WatchSink } from './result.ts';
import type { TimedWatch, WatchTimers } from './watch-timers.ts';

/** Synthetic initial events handed to the sink at once. */
const initialChunk = 500;
/** W4: how long a watch lasts that does not say. */
const defaultSecondsMin = 30 * 60;
const defaultSecondsMax = 60 * 60;

export interface WatchEnvironment {
  readonly registry: Registry;
  readonly timers: WatchTimers;
  readonly clock: Clock;
  /** All watches under way, so that they can be ended when what they watch goes away. */
  readonly sessions: Set<WatchSession>;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
}

/** How a watch begins. */
type Beginning =
  /** The state now as ADDED events; then, if asked for, the bookmark that ends them (W2, W6). */
  | { readonly type: 'state'; readonly endBookmark: boolean }
  /** Only what happens from now on. */
  | { readonly type: 'now' }
  | { readonly type: 'after'; readonly revision: Revision };

/** WATCH (W1–W6). Rejects at once what can be seen at once; the rest comes as an ERROR event. */
export function watchObjects(
  environment: WatchEnvironment,
  context: ResourceContext,
  parameters: ListParameters,
): WatchResult | Promise<WatchResult> {
  const { storage } = environment.registry;
  const scope = scopeOf(context, parameters);
  const asked = parseResourceVersion(parameters.resourceVersion);
  const beginning = beginningOf(parameters, asked);
  const seconds =
    parameters.timeoutSeconds > 0
      ? parameters.timeoutSeconds
      : defaultSecondsMin + environment.random() * (defaultSecondsMax - defaultSecondsMin);
  const result: WatchResult = {
    type: 'watch',
    served: scope.served,
    start: (sink) => {
      const session = new WatchSession(environment, scope, beginning, {
        sink,
        bookmarks: parameters.allowWatchBookmarks,
        lifetimeMs: seconds * 1000,
        signal: context.signal,
      });
      return session.start();
    },
  };
  const waiting = asked === undefined ? storage.awaitFresh() : awaitRevision(storage, asked);
  return waiting === undefined ? result : waiting.then(() => result);
}

function beginningOf(parameters: ListParameters, asked: number | undefined): Beginning {
  if (parameters.sendInitialEvents === true) {
    return { type: 'state', endBookmark: parameters.allowWatchBookmarks };
  }
  if (asked === undefined || asked === 0) {
    if (parameters.sendInitialEvents === false) return { type: 'now' };
    // As if initial events had been asked for (SetListOptionsDefaults): their end is told to who takes bookmarks.
    return { type: 'state', endBookmark: parameters.allowWatchBookmarks };
  }
  return { type: 'after', revision: asked as Revision };
}

/**
 * One watch: initial state in chunks, then events from the cache's ring, or from the store's log as long as the ring
 * does not reach back far enough. Everything it needs to show is in keys and headers; nothing is parsed here.
 */
export class WatchSession implements TimedWatch {
  readonly endsAtMs: number;
  readonly scope: Scope;
  readonly #environment: WatchEnvironment;
  readonly #storage: CachedStorage;
  readonly #beginning: Beginning;
  readonly #sink: WatchSink;
  readonly #bookmarks: boolean;
  readonly #signal: AbortSignal;
  readonly #onAbort = (): void => this.stop();
  /** Everything up to here has been delivered. */
  #seen = 0 as Revision;
  /** Live on the cache: whatever the cache's revision is, it has been delivered. */
  #isLive = false;
  #isOver = false;
  #close: (() => void) | undefined;
  #leaveTimers: (() => void) | undefined;

  constructor(
    environment: WatchEnvironment,
    scope: Scope,
    beginning: Beginning,
    options: {
      readonly sink: WatchSink;
      readonly bookmarks: boolean;
      readonly lifetimeMs: number;
      readonly signal: AbortSignal;
    },
  ) {
    this.#environment = environment;
    this.#storage = environment.registry.storage;
    this.scope = scope;
    this.#beginning = beginning;
    this.#sink = options.sink;
    this.#bookmarks = options.bookmarks;
    this.#signal = options.signal;
    this.endsAtMs = environment.clock.monotonic() + options.lifetimeMs;
  }

  start(): () => void {
    const stop = () => this.stop();
    if (this.#signal.aborted) return stop;
    this.#signal.addEventListener('abort', this.#onAbort, { once: true });
    this.#environment.sessions.add(this);
    this.#leaveTimers = this.#environment.timers.add(this);
    switch (this.#beginning.type) {
      case 'after':
        this.#follow(this.#beginning.revision);
        break;
      case 'now':
        this.#follow(this.#storage.revision);
        break;
      case 'state':
        this.#sendState(this.#beginning.endBookmark);
        break;
      default: {
        const unknown: never = this.#beginning;
        throw new Error(`unknown beginning ${String(unknown)}`);
      }
    }
    return stop;
  }

  /** Ends without a word: the client is gone. Idempotent. */
  stop(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#environment.sessions.delete(this);
    this.#leaveTimers?.();
    this.#close?.();
  }

  /** Ends with an ERROR event, or cleanly. */
  end(status: JsonObject | undefined): void {
    if (this.#isOver) return;
    this.stop();
    this.#sink.signal({ type: 'end', status });
  }

  bookmark(): void {
    if (!this.#bookmarks || this.#isOver) return;
    const revision = this.#isLive ? this.#storage.revision : this.#seen;
    if (revision === 0) return;
    this.#sink.signal({ type: 'bookmark', revision, initialEventsEnd: false });
  }

  timeout(): void {
    this.end(undefined);
  }

  /** All that exists now, as ADDED events, without holding up the process when it is much. */
  #sendState(endBookmark: boolean): void {
    let snapshot: CacheSnapshot;
    try {
      snapshot = this.#storage.snapshot(this.scope.prefix);
    } catch (error) {
      this.#fail(error);
      return;
    }
    const entries = mergedEntries(this.#environment.registry, this.scope, snapshot, undefined);
    const step = (): void => {
      if (this.#isOver) return;
      const chunk = this.#nextChunk(entries);
      if (chunk.length > 0) this.#sink.deliver(chunk);
      if (this.#isOver) return;
      if (chunk.length === initialChunk) {
        const drained = this.#sink.ready?.();
        if (drained === undefined) setImmediate(step);
        else drained.then(step, () => this.stop());
        return;
      }
      if (endBookmark) {
        this.#sink.signal({ type: 'bookmark', revision: snapshot.revision, initialEventsEnd: true });
      }
      if (!this.#isOver) this.#follow(snapshot.revision);
    };
    step();
  }

  #nextChunk(entries: Iterator<CacheEntry>): WatchDelivery[] {
    const { selection } = this.scope;
    const chunk: WatchDelivery[] = [];
    while (chunk.length < initialChunk) {
      const next = entries.next();
      if (next.done === true) break;
      const entry = next.value;
      if (!selection.isEmpty && !selection.matches(entry)) continue;
      chunk.push({ type: 'ADDED', entry, revision: entry.revision, event: undefined });
    }
    return chunk;
  }

  /** Events after a revision: from the ring when it reaches back, else from the store. */
  #follow(afterRevision: Revision): void {
    this.#seen = afterRevision;
    this.#sink.begun?.();
    try {
      const subscription = this.#storage.watchCache(this.scope.prefix, afterRevision, {
        events: (events) => this.#deliver(events),
        end: (error) => this.#fail(error),
      });
      this.#isLive = true;
      this.#setClose(() => subscription.close());
    } catch (error) {
      if (isStorageError(error, 'compacted')) this.#followStore(afterRevision);
      else this.#fail(error);
    }
  }

  #followStore(afterRevision: Revision): void {
    this.#storage
      .watch(
        { prefix: this.scope.prefix, afterRevision },
        {
          events: (events) => this.#deliver(events.map(cacheEventOf)),
          end: (error) => this.#fail(error),
        },
      )
      .then(
        (subscription) => this.#setClose(() => subscription.close()),
        (error: unknown) => this.#fail(error),
      );
  }

  #setClose(close: () => void): void {
    if (this.#isOver) close();
    else this.#close = close;
  }

  #deliver(events: readonly CacheEvent[]): void {
    if (this.#isOver) return;
    const deliveries: WatchDelivery[] = [];
    for (const event of events) {
      const delivery = this.#deliveryOf(event);
      if (delivery !== undefined) deliveries.push(delivery);
      this.#seen = event.revision;
    }
    if (deliveries.length > 0) this.#sink.deliver(deliveries);
  }

  /** W3: what a change is to someone who sees only what the selectors let through. */
  #deliveryOf(event: CacheEvent): WatchDelivery | undefined {
    const { selection } = this.scope;
    const { revision } = event;
    const hidden = this.#sharedBehind(event);
    const entry = event.entry ?? hidden;
    const previous = event.previous ?? hidden;
    const matches = entry !== undefined && (selection.isEmpty || selection.matches(entry));
    const matched = previous !== undefined && (selection.isEmpty || selection.matches(previous));
    if (matches) {
      return { type: matched ? 'MODIFIED' : 'ADDED', entry, revision, event };
    }
    if (!matched) return undefined;
    return { type: 'DELETED', entry: previous, revision, event };
  }

  /** The shared object that shows when the workspace has none of its own. */
  #sharedBehind(event: CacheEvent): CacheEntry | undefined {
    if (event.entry !== undefined && event.previous !== undefined) return undefined;
    const { workspace, served } = this.scope;
    if (workspace === undefined) return undefined;
    const shared = this.#environment.registry.shared?.of(workspace, served.definition.storedAs);
    if (shared === undefined) return undefined;
    const parts = event.key.split('/');
    return shared.get(workspace, parts[4] ?? '', parts[5] ?? '');
  }

  #fail(error: unknown): void {
    if (isStorageError(error, 'closed', 'slow-watcher')) {
      // The client comes back with the last revision that it has seen.
      this.end(undefined);
      return;
    }
    if (isStorageError(error, 'compacted')) {
      this.end(tooOld(this.#seen, this.#storage.revision).toStatus());
      return;
    }
    const shown = fromStorageError(error);
    this.end((isApiError(shown) ? shown : internalError(shown)).toStatus());
  }
}

function cacheEventOf(event: StorageEvent): CacheEvent {
  return {
    ...event,
    entry:
      event.value === undefined
        ? undefined
        : entryOf({ key: event.key, value: event.value, revision: event.revision }),
    previous: event.previous === undefined ? undefined : entryOf(event.previous),
    memo: undefined,
  };
}
