import type { JsonObject } from '#apimachinery/json.ts';
import type { WatchDelivery, WatchSignal, WatchSink } from '../verbs/result.ts';

/** Bounds of what one loopback watch has not been asked for yet. */
export interface WatchBacklog {
  readonly eventsMax: number;
  readonly bytesMax: number;
}

export const defaultWatchBacklog: WatchBacklog = { eventsMax: 20_000, bytesMax: 64 * 1024 * 1024 };

/** Initial events wait while more than this many are undelivered. */
const initialBacklogMax = 2_000;

export type QueuedItem =
  | { readonly type: 'delivery'; readonly delivery: WatchDelivery }
  | { readonly type: 'bookmark'; readonly revision: number; readonly initialEventsEnd: boolean };

/**
 * Between a watch and an asynchronous reader. A reader that falls behind the bounds gets what is queued and then a
 * clean end, so that it resumes from the last revision that it has seen; the server never waits for it.
 */
export class WatchQueue implements WatchSink {
  #items: QueuedItem[] = [];
  #next = 0;
  #bytes = 0;
  #ended = false;
  #status: JsonObject | undefined;
  #wake: (() => void) | undefined;
  #drained: (() => void)[] = [];
  readonly #onOverflow: () => void;
  readonly #backlog: WatchBacklog;

  /** `onOverflow` is called once, when the backlog is over its bounds. */
  constructor(onOverflow: () => void, backlog: WatchBacklog = defaultWatchBacklog) {
    this.#onOverflow = onOverflow;
    this.#backlog = backlog;
  }

  deliver(deliveries: readonly WatchDelivery[]): void {
    if (this.#ended) return;
    for (const delivery of deliveries) {
      this.#items.push({ type: 'delivery', delivery });
      this.#bytes += delivery.entry.value.length;
    }
    if (this.#length > this.#backlog.eventsMax || this.#bytes > this.#backlog.bytesMax) {
      this.end(undefined);
      this.#onOverflow();
    }
    this.#wake?.();
  }

  signal(signal: WatchSignal): void {
    if (this.#ended) return;
    if (signal.type === 'end') {
      this.end(signal.status);
      return;
    }
    const { revision, initialEventsEnd } = signal;
    this.#items.push({ type: 'bookmark', revision, initialEventsEnd });
    this.#wake?.();
  }

  ready(): Promise<void> | undefined {
    if (this.#ended || this.#length <= initialBacklogMax) return undefined;
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  end(status: JsonObject | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#status = status;
    this.#wake?.();
    this.#release();
  }

  /** The next item; undefined once everything was taken and the watch is over. */
  async take(): Promise<QueuedItem | undefined> {
    for (;;) {
      const item = this.#shift();
      if (item !== undefined || this.#ended) return item;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }

  /** How it ended: a Status, or undefined for a clean end. */
  get status(): JsonObject | undefined {
    return this.#status;
  }

  get #length(): number {
    return this.#items.length - this.#next;
  }

  #shift(): QueuedItem | undefined {
    const item = this.#items[this.#next];
    if (item === undefined) return undefined;
    this.#next++;
    if (item.type === 'delivery') this.#bytes -= item.delivery.entry.value.length;
    if (this.#next === this.#items.length) {
      this.#items = [];
      this.#next = 0;
    } else if (this.#next >= 1024 && this.#next * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#next);
      this.#next = 0;
    }
    if (this.#length <= initialBacklogMax / 2) this.#release();
    return item;
  }

  #release(): void {
    if (this.#drained.length === 0) return;
    const waiting = this.#drained;
    this.#drained = [];
    for (const resolve of waiting) resolve();
  }
}
