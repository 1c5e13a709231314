import type { Clock, TimerHandle } from '#apimachinery/clock.ts';
import { type Logger, silentLogger } from '#client/logger.ts';
import type { CachedStorage, CacheEntry, CacheEvent } from '#storage/cached-storage.ts';
import { isStorageError } from '#storage/errors.ts';
import type { StorageKey } from '#storage/storage.ts';
import { resourcePrefixOf } from '../registry/key-parts.ts';

export interface StoreListener {
  /** Called synchronously, before the write is acknowledged; must be short and must not throw. */
  event(event: CacheEvent): void;
  /** Events were lost: whatever was derived from them is to be made anew from the store. */
  reset(): void;
}

const retryMs = 200;

/**
 * One watch over the whole store, shared by all controllers and by the watchers of copies: what happens to a resource is
 * told to those who asked for that resource, everything to those who asked for everything.
 */
export class StoreEvents {
  readonly #storage: CachedStorage;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #all = new Set<StoreListener>();
  readonly #byPrefix = new Map<string, Set<StoreListener>>();
  readonly #prefixes = new Set<string>();
  #watch: { close(): void } | undefined;
  #timer: TimerHandle | undefined;
  #started = false;
  #closed = false;

  constructor(storage: CachedStorage, clock: Clock, logger: Logger = silentLogger) {
    this.#storage = storage;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** The newest revision that all listeners have been told of. */
  get revision(): number {
    return this.#storage.revision;
  }

  /** Begins to tell events; idempotent. */
  start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#open();
  }

  /** All `/<group>/<resource>/` under which there is, or since the start has been, a key. */
  resourcePrefixes(): ReadonlySet<string> {
    return this.#prefixes;
  }

  /** Tells of the keys under `/<group>/<resource>/`, or of all keys. Returns how to stop. */
  listen(prefix: string | undefined, listener: StoreListener): () => void {
    if (prefix === undefined) {
      this.#all.add(listener);
      return () => this.#all.delete(listener);
    }
    const listeners = this.#byPrefix.get(prefix) ?? new Set();
    this.#byPrefix.set(prefix, listeners);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.#byPrefix.delete(prefix);
    };
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#watch?.close();
  }

  #open(): void {
    const revision = this.#storage.revision;
    this.#readPrefixes();
    this.#watch = this.#storage.watchCache('/', revision, {
      events: (events) => {
        for (const event of events) this.#tell(event);
      },
      end: (error) => this.#reopen(error),
    });
  }

  #reopen(error: unknown): void {
    this.#watch = undefined;
    if (this.#closed || isStorageError(error, 'closed')) return;
    this.#logger.warn(
      { err: error, retryMs },
      'the watch over the store ended; controllers look at everything anew',
    );
    this.#timer = this.#clock
      .setTimeout(() => {
        try {
          this.#open();
        } catch (reason) {
          this.#reopen(reason);
          return;
        }
        for (const listener of this.#all) listener.reset();
        for (const listeners of this.#byPrefix.values()) for (const one of listeners) one.reset();
      }, retryMs)
      .unref();
  }

  #tell(event: CacheEvent): void {
    const prefix = resourcePrefixOf(event.key);
    this.#prefixes.add(prefix);
    for (const listener of this.#all) listener.event(event);
    const listeners = this.#byPrefix.get(prefix);
    if (listeners !== undefined) for (const listener of listeners) listener.event(event);
  }

  /** Skips from resource to resource: as many looks as there are resources. */
  #readPrefixes(): void {
    const snapshot = this.#storage.snapshot('/');
    let after: StorageKey | undefined;
    for (;;) {
      const next = snapshot.entries(after).next();
      if (next.done === true) return;
      const prefix = resourcePrefixOf(next.value.key);
      this.#prefixes.add(prefix);
      after = `${prefix}\uffff` as StorageKey;
    }
  }
}

const yieldEvery = 5_000;

/**
 * The current entries under a prefix without holding up the event loop: it is let go every few thousand. Entries that
 * changed since are left out: whoever listens has been told of them.
 */
async function* currentEntries(
  storage: CachedStorage,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<CacheEntry> {
  let count = 0;
  for (const entry of storage.snapshot(prefix).entries()) {
    if (++count % yieldEvery === 0) {
      await new Promise((resolve) => setImmediate(resolve));
      if (signal.aborted) return;
    }
    if (storage.peek(entry.key)?.revision === entry.revision) yield entry;
  }
}

/**
 * Calls `look` with each entry under the prefix, in turns of its own, and then `atEnd`, unless it was aborted; logs it when
 * that cannot be done.
 */
export function lookAtEntries(
  { storage, logger }: { readonly storage: CachedStorage; readonly logger: Logger },
  prefix: string,
  signal: AbortSignal,
  look: (entry: CacheEntry) => void,
  atEnd: () => void = () => {},
): void {
  const run = async () => {
    for await (const entry of currentEntries(storage, prefix, signal)) look(entry);
    if (!signal.aborted) atEnd();
  };
  run().catch((error: unknown) => {
    logger.warn({ err: error, prefix }, 'could not look for objects under a prefix');
  });
}
