import { StorageError } from '#storage/errors.ts';
import type { Revision, StorageEvent, Subscription, WatchHandler } from '#storage/storage.ts';

/** Events that wait for a key; a watch with more is ended and begins again where it was. */
const waitingMax = 10_000;

interface Opening {
  /** What has to settle before these can be opened; undefined: nothing. */
  prepare(events: readonly StorageEvent[]): Promise<void> | undefined;
  open(events: readonly StorageEvent[]): readonly StorageEvent[];
  onClosed(): void;
}

/**
 * Between a store's watch and who follows it: events are opened before they go on. While a key is fetched for some, all
 * that comes after them waits, in order.
 */
export class OpenedEvents implements WatchHandler, Subscription {
  readonly #handler: WatchHandler;
  readonly #opening: Opening;
  #inner: Subscription | undefined;
  #isClosed = false;
  /** What comes behind events that wait; undefined while nothing waits. */
  #waiting: (() => Promise<void> | undefined)[] | undefined;
  #waitingEvents = 0;

  constructor(handler: WatchHandler, opening: Opening) {
    this.#handler = handler;
    this.#opening = opening;
  }

  /** `inner`: what it closes. */
  follow(inner: Subscription): void {
    this.#inner = inner;
    if (this.#isClosed) inner.close();
  }

  events(events: readonly StorageEvent[]): void {
    this.#waitingEvents += events.length;
    if (this.#waitingEvents > waitingMax && this.#waiting !== undefined) {
      this.break(new StorageError('slow-watcher', 'too many events wait for a key'));
      return;
    }
    this.#inOrder(() => {
      const wait = this.#opening.prepare(events);
      if (wait === undefined) this.#deliver(events);
      return wait?.then(() => this.#deliver(events));
    });
  }

  progress(revision: Revision): void {
    this.#inOrder(() => {
      this.#handler.progress?.(revision);
      return undefined;
    });
  }

  end(error: Error): void {
    this.#inOrder(() => {
      this.break(error);
      return undefined;
    });
  }

  /** Ends the watch at once with this error. */
  break(error: Error): void {
    if (this.#isClosed) return;
    this.close();
    this.#handler.end(error);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#opening.onClosed();
    this.#inner?.close();
  }

  #deliver(events: readonly StorageEvent[]): void {
    this.#waitingEvents -= events.length;
    if (!this.#isClosed) this.#handler.events(this.#opening.open(events));
  }

  #inOrder(step: () => Promise<void> | undefined): void {
    if (this.#isClosed) return;
    if (this.#waiting !== undefined) {
      this.#waiting.push(step);
      return;
    }
    const wait = step();
    if (wait !== undefined) void this.#afterwards(wait);
  }

  async #afterwards(first: Promise<void>): Promise<void> {
    const waiting: (() => Promise<void> | undefined)[] = [];
    this.#waiting = waiting;
    try {
      await first;
      for (let step = waiting.shift(); step !== undefined && !this.#isClosed; step = waiting.shift()) {
        await step();
      }
    } catch (error) {
      this.break(error instanceof Error ? error : new Error(String(error)));
    }
    this.#waiting = undefined;
  }
}
