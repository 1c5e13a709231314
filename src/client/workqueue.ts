import type { QueueFigures } from './metrics/work-queue-metrics.ts';
import type { KeyQueue, Priority } from './queue/key-queue.ts';
import { RankedKeys, rankOf } from './queue/ranked-keys.ts';
import { TimedQueue, type TimedQueueOptions } from './queue/timed-queue.ts';

/** The KeyQueue in this process's memory. */
export class WorkQueue extends TimedQueue implements KeyQueue {
  readonly #ready = new RankedKeys();
  readonly #active = new Set<string>();
  readonly #again = new Map<string, number>();
  readonly #waiting: Array<(key: string | undefined) => void> = [];
  readonly #figures: QueueFigures | undefined;
  #closed = false;

  /** `figures`: what is told of it, if anything. */
  constructor(options: TimedQueueOptions & { readonly figures?: QueueFigures | undefined }) {
    super(options);
    this.#figures = options.figures;
  }

  get size(): number {
    return this.#ready.size + this.#active.size + this.delays.size;
  }

  get ready(): number {
    return this.#ready.size;
  }

  get idle(): boolean {
    return this.#ready.size === 0 && this.#active.size === 0;
  }

  protected takesIn(): boolean {
    return !this.#closed;
  }

  add(key: string, priority: Priority = 'normal'): void {
    if (this.#closed) return;
    this.delays.delete(key);
    this.#figures?.added(key);
    this.#put(key, rankOf(priority));
  }

  override addAfter(key: string, delayMs: number): void {
    if (!this.#closed) this.#figures?.retried();
    super.addAfter(key, delayMs);
  }

  #put(key: string, rank: number): void {
    if (this.#active.has(key)) {
      const before = this.#again.get(key);
      if (before === undefined || rank > before) this.#again.set(key, rank);
      return;
    }
    // The one that began to wait last: what its work rests on (a listener on its signal, caches) is still there.
    const taker = this.#waiting.pop();
    if (taker === undefined) this.#ready.push(key, rank);
    else {
      this.#activate(key);
      taker(key);
    }
  }

  take(): Promise<string | undefined> {
    if (this.#closed) return Promise.resolve(undefined);
    const key = this.#ready.shift();
    if (key !== undefined) {
      this.#activate(key);
      return Promise.resolve(key);
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #activate(key: string): void {
    this.#active.add(key);
    this.#figures?.taken(key);
  }

  done(key: string): void {
    this.#active.delete(key);
    this.#figures?.done(key);
    const again = this.#again.get(key);
    if (again === undefined) return;
    this.#again.delete(key);
    if (!this.#closed) this.#put(key, again);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#ready.clear();
    this.delays.clear();
    this.#figures?.closed();
    for (const resolve of this.#waiting.splice(0)) resolve(undefined);
  }
}
