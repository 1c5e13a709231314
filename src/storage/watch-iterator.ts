import { StorageError } from './errors.ts';
import type { Storage, StorageEvent, Subscription, WatchOptions } from './storage.ts';

export interface WatchIteratorLimits {
  /** Most events held for a consumer that is behind. Default 1,000. */
  readonly backlogEventsMax?: number | undefined;
  /** Most bytes of keys and values held for it. Default 16 MiB. */
  readonly backlogBytesMax?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * A watch as an async iterable, for consumers with a pace of their own. The watch begins with the first `next`; leaving
 * the loop closes it. It throws what the watch throws or ends with, `slow-watcher` when the consumer is behind by more
 * than a bound (one event beyond a bound is held if nothing else is), and ends quietly when the signal fires. Events
 * gathered before an error are still given out first, except after `slow-watcher`.
 */
export function watchIterator(
  storage: Storage,
  options: WatchOptions,
  limits: WatchIteratorLimits = {},
): AsyncIterable<StorageEvent> {
  return { [Symbol.asyncIterator]: () => new WatchIterator(storage, options, limits) };
}

class WatchIterator implements AsyncIterator<StorageEvent> {
  readonly #storage: Storage;
  readonly #options: WatchOptions;
  readonly #eventsMax: number;
  readonly #bytesMax: number;
  readonly #signal: AbortSignal | undefined;
  #backlog: StorageEvent[] = [];
  #given = 0;
  #bytes = 0;
  #started = false;
  #done = false;
  #error: Error | undefined;
  #subscription: Subscription | undefined;
  #wake: (() => void) | undefined;
  readonly #onAbort = (): void => this.#finish();

  constructor(storage: Storage, options: WatchOptions, limits: WatchIteratorLimits) {
    this.#storage = storage;
    this.#options = options;
    this.#eventsMax = limits.backlogEventsMax ?? 1_000;
    this.#bytesMax = limits.backlogBytesMax ?? 16 * 1024 * 1024;
    this.#signal = limits.signal;
  }

  async next(): Promise<IteratorResult<StorageEvent>> {
    if (!this.#started) await this.#start();
    for (;;) {
      const event = this.#shift();
      if (event !== undefined) return { done: false, value: event };
      if (this.#error !== undefined) {
        const error = this.#error;
        this.#error = undefined;
        this.#finish();
        throw error;
      }
      if (this.#done) return { done: true, value: undefined };
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async return(): Promise<IteratorResult<StorageEvent>> {
    this.#finish();
    return { done: true, value: undefined };
  }

  async #start(): Promise<void> {
    this.#started = true;
    if (this.#signal?.aborted) {
      this.#done = true;
      return;
    }
    this.#signal?.addEventListener('abort', this.#onAbort, { once: true });
    try {
      this.#subscription = await this.#storage.watch(this.#options, {
        events: (events) => this.#take(events),
        end: (error) => this.#fail(error),
      });
    } catch (error) {
      this.#finish();
      throw error;
    }
    if (this.#done || this.#error !== undefined) this.#subscription.close();
  }

  #take(events: readonly StorageEvent[]): void {
    if (this.#done || this.#error !== undefined) return;
    for (const event of events) {
      this.#backlog.push(event);
      this.#bytes += sizeOf(event);
    }
    const held = this.#backlog.length - this.#given;
    if (held > 1 && (held > this.#eventsMax || this.#bytes > this.#bytesMax)) {
      const fields = {
        events: held,
        eventsMax: this.#eventsMax,
        bytes: this.#bytes,
        bytesMax: this.#bytesMax,
      };
      this.#clear();
      this.#fail(new StorageError('slow-watcher', 'the watcher fell behind its bound', fields));
      return;
    }
    this.#rouse();
  }

  #shift(): StorageEvent | undefined {
    const event = this.#backlog[this.#given];
    if (event === undefined) return undefined;
    this.#given++;
    this.#bytes -= sizeOf(event);
    if (this.#given === this.#backlog.length) this.#clear();
    else if (this.#given >= 1024) {
      this.#backlog = this.#backlog.slice(this.#given);
      this.#given = 0;
    }
    return event;
  }

  #fail(error: Error): void {
    if (this.#done) return;
    this.#error ??= error;
    this.#subscription?.close();
    this.#rouse();
  }

  #finish(): void {
    this.#done = true;
    this.#clear();
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#subscription?.close();
    this.#rouse();
  }

  #clear(): void {
    this.#backlog = [];
    this.#given = 0;
    this.#bytes = 0;
  }

  #rouse(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

function sizeOf(event: StorageEvent): number {
  return event.key.length + (event.value?.length ?? 0) + (event.previous?.value.length ?? 0);
}
