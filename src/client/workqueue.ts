import type { KeyQueue, Priority } from './queue/key-queue.ts';
import { KeyRing } from './queue/key-ring.ts';
import { TimedQueue } from './queue/timed-queue.ts';

/** The KeyQueue in this process's memory. */
export class WorkQueue extends TimedQueue implements KeyQueue {
  readonly #normal = new KeyRing();
  readonly #background = new KeyRing();
  readonly #active = new Set<string>();
  readonly #again = new Map<string, Priority>();
  readonly #waiting: Array<(key: string | undefined) => void> = [];
  #closed = false;

  get size(): number {
    return this.#normal.size + this.#background.size + this.#active.size + this.delays.size;
  }

  get idle(): boolean {
    return this.#normal.size === 0 && this.#background.size === 0 && this.#active.size === 0;
  }

  protected takesIn(): boolean {
    return !this.#closed;
  }

  add(key: string, priority: Priority = 'normal'): void {
    if (this.#closed) return;
    this.delays.delete(key);
    if (this.#active.has(key)) {
      if (priority === 'normal' || !this.#again.has(key)) this.#again.set(key, priority);
      return;
    }
    if (this.#normal.has(key)) return;
    if (priority === 'background') {
      if (this.#background.has(key)) return;
    } else this.#background.delete(key);
    const taker = this.#waiting.shift();
    if (taker === undefined) {
      (priority === 'normal' ? this.#normal : this.#background).push(key);
    } else {
      this.#active.add(key);
      taker(key);
    }
  }

  take(): Promise<string | undefined> {
    if (this.#closed) return Promise.resolve(undefined);
    const key = this.#normal.shift() ?? this.#background.shift();
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
    this.add(key, again);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#normal.clear();
    this.#background.clear();
    this.delays.clear();
    for (const resolve of this.#waiting.splice(0)) resolve(undefined);
  }
}
