import type { KeyQueue, Priority } from './queue/key-queue.ts';
import { RankedKeys, rankOf } from './queue/ranked-keys.ts';
import { TimedQueue } from './queue/timed-queue.ts';

/** The KeyQueue in this process's memory. */
export class WorkQueue extends TimedQueue implements KeyQueue {
  readonly #ready = new RankedKeys();
  readonly #active = new Set<string>();
  readonly #again = new Map<string, number>();
  readonly #waiting: Array<(key: string | undefined) => void> = [];
  #closed = false;

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
    this.#put(key, rankOf(priority));
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
      this.#active.add(key);
      taker(key);
    }
  }

  take(): Promise<string | undefined> {
    if (this.#closed) return Promise.resolve(undefined);
    const key = this.#ready.shift();
    if (key !== undefined) {
      this.#active.add(key);
      return Promise.resolve(key);
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  done(key: string): void {
    this.#active.delete(key);
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
    for (const resolve of this.#waiting.splice(0)) resolve(undefined);
  }
}
