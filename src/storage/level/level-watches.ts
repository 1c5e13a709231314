import { isStorageError, StorageError } from '../errors.ts';
import type {
  KeyValue,
  Revision,
  StorageEvent,
  Subscription,
  WatchHandler,
  WatchOptions,
} from '../storage.ts';
import { WatcherIndex } from '../watchers.ts';
import type { GroupEvent } from './commit-group.ts';
import type { LevelDatabase } from './database.ts';
import type { Head } from './meta.ts';
import { eventsOfLog, readLog, readValues, type View } from './reader.ts';

export interface LevelWatchesOptions {
  head(): Head;
  withView(read: (view: View) => Promise<void>): Promise<void>;
  database(): LevelDatabase;
  recovering(): Promise<void> | undefined;
}

class LevelWatch implements Subscription {
  readonly options: WatchOptions;
  readonly handler: WatchHandler;
  /** Events up to here have been delivered or passed over. */
  position: Revision;
  live: Subscription | undefined;
  closed = false;

  constructor(options: WatchOptions, handler: WatchHandler) {
    this.options = options;
    this.handler = handler;
    this.position = options.afterRevision;
  }

  close(): void {
    this.closed = true;
    this.live?.close();
  }

  deliver(events: readonly StorageEvent[]): void {
    if (this.closed || events.length === 0) return;
    try {
      this.handler.events(events);
    } catch (error) {
      this.end(error instanceof Error ? error : new Error(String(error)));
    }
  }

  end(error: Error): void {
    if (this.closed) return;
    this.closed = true;
    this.handler.end(error);
  }
}

/**
 * The store's watches. One that begins in the past reads the log, page by page at its own pace, until it stands at the
 * head; from there on it is in an index and gets what is committed. Watches that want previous values are apart: for
 * them those are read after the commit, and the writers of the group wait so long.
 */
export class LevelWatches {
  readonly #options: LevelWatchesOptions;
  readonly #bare = new WatcherIndex<StorageEvent>();
  readonly #whole = new WatcherIndex<StorageEvent>();
  readonly #catchingUp = new Map<LevelWatch, Promise<void>>();
  /** The last delivery to watches that want previous values; they happen one after another. */
  #wholeDelivery: Promise<void> = Promise.resolve();
  #stopped: Error | undefined;

  constructor(options: LevelWatchesOptions) {
    this.#options = options;
  }

  /** The caller has checked that the log reaches back to `afterRevision`. */
  add(options: WatchOptions, handler: WatchHandler): Subscription {
    const watch = new LevelWatch(options, handler);
    if (!this.#attach(watch)) {
      const catchUp = this.#catchUp(watch).finally(() => this.#catchingUp.delete(watch));
      this.#catchingUp.set(watch, catchUp);
    }
    return watch;
  }

  /** Delivers committed revisions; a promise when some watch waits for previous values. */
  publish(revisions: readonly (readonly GroupEvent[])[]): Promise<void> | undefined {
    if (revisions.length === 0) return undefined;
    const reading = this.#whole.count > 0 ? this.#readPrevious(revisions) : undefined;
    for (const events of revisions) this.#bare.publish(events);
    if (reading === undefined) return undefined;
    // It may fail while an earlier delivery is under way; it is told in its turn.
    reading.catch(() => {});
    this.#wholeDelivery = this.#wholeDelivery.then(async () => {
      try {
        for (const events of await reading) this.#whole.publish(events);
      } catch (error) {
        this.#whole.endAll(
          new StorageError('unavailable', 'the previous values could not be read', {}, error),
        );
      }
    });
    return this.#wholeDelivery;
  }

  /** Delivers revisions whose events have their previous values. */
  publishWhole(revisions: readonly (readonly StorageEvent[])[]): Promise<void> {
    for (const events of revisions) this.#bare.publish(events);
    this.#wholeDelivery = this.#wholeDelivery.then(() => {
      for (const events of revisions) this.#whole.publish(events);
    });
    return this.#wholeDelivery;
  }

  /** Ends all watches with `error` and waits for deliveries under way. */
  async stop(error: Error): Promise<void> {
    this.#stopped = error;
    await this.#wholeDelivery;
    this.#bare.endAll(error);
    this.#whole.endAll(error);
    const catchingUp = [...this.#catchingUp];
    for (const [watch] of catchingUp) watch.end(error);
    await Promise.all(catchingUp.map(([, done]) => done));
  }

  /** Puts a watch that stands at the head into its index. No await may come between the two. */
  #attach(watch: LevelWatch): boolean {
    if (watch.position !== this.#options.head().revision) return false;
    const index = watch.options.previousValues === false ? this.#bare : this.#whole;
    watch.live = index.add(watch.options.prefix, watch.position, watch.handler);
    return true;
  }

  async #catchUp(watch: LevelWatch): Promise<void> {
    while (!watch.closed && !this.#attach(watch)) {
      try {
        await this.#readAhead(watch);
      } catch (error) {
        const recovering = this.#options.recovering();
        if (recovering !== undefined && isStorageError(error, 'unavailable')) {
          await recovering.catch(() => {});
          continue;
        }
        watch.end(this.#stopped ?? (error instanceof Error ? error : new Error(String(error))));
      }
    }
  }

  /** Delivers from the log up to the head of this moment. */
  async #readAhead(watch: LevelWatch): Promise<void> {
    const { prefix, previousValues } = watch.options;
    const { revision: upTo, compacted } = this.#options.head();
    // In one step with taking the view: what is compacted later is still in it.
    if (watch.position < compacted) {
      throw new StorageError('compacted', 'the watch fell behind the compaction', {
        revision: watch.position,
        compactedRevision: compacted,
      });
    }
    await this.#options.withView(async (view) => {
      for await (const entries of readLog(view.database, watch.position, upTo, view.view)) {
        const matching = entries.filter(({ key }) => key.startsWith(prefix));
        watch.deliver(await eventsOfLog(view, matching, previousValues !== false));
        if (watch.closed) return;
        watch.position = entries.at(-1)?.revision ?? watch.position;
      }
    });
  }

  async #readPrevious(revisions: readonly (readonly GroupEvent[])[]): Promise<StorageEvent[][]> {
    const places = revisions
      .flat()
      .flatMap(({ key, link }) => (link === undefined ? [] : [{ key, revision: link }]));
    const previous = new Map<string, KeyValue>();
    if (places.length > 0) {
      for (const item of await readValues(this.#options.database(), places)) {
        previous.set(`${item.revision}${item.key}`, item);
      }
    }
    return revisions.map((events) =>
      events.map(({ type, key, revision, value, link }) => ({
        type,
        key,
        revision,
        value,
        previous: previous.get(`${link}${key}`),
      })),
    );
  }
}
