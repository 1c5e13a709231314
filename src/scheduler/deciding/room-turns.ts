import type { Clock } from '#apimachinery/clock.ts';
import type { ProjectObjectKey } from '../object-key.ts';

/** An object that waits for room, and how important it is. */
export interface Waiting {
  readonly key: ProjectObjectKey;
  readonly priority: number;
}

/** So long those called first may keep others waiting: one whose estimator hangs must not. */
const turnMs = 10_000;

/**
 * Who of those that are called for freed room is decided first. They are woken in the order of their priority and worked on at the
 * same time: without this the one that is read fastest would have the room. Holds nothing where all are equally important.
 */
export class RoomTurns {
  readonly #clock: Clock;
  readonly #wake: (key: ProjectObjectKey) => void;
  readonly #called = new Map<ProjectObjectKey, number>();
  /** Of those called, how many have this priority. */
  readonly #counts = new Map<number, number>();
  readonly #behind = new Map<ProjectObjectKey, number>();
  #endsAtMs: number | undefined;

  constructor(clock: Clock, wake: (key: ProjectObjectKey) => void) {
    this.#clock = clock;
    this.#wake = wake;
  }

  /** To be called before these are woken; the most important first. */
  call(waiting: readonly Waiting[]): void {
    if (waiting[0]?.priority === waiting.at(-1)?.priority) return;
    for (const { key, priority } of waiting) {
      this.#remove(key);
      this.#called.set(key, priority);
      this.#counts.set(priority, (this.#counts.get(priority) ?? 0) + 1);
    }
    if (this.#endsAtMs !== undefined) return;
    this.#endsAtMs = this.#clock.now() + turnMs;
    this.#clock.setTimeout(() => this.#end(), turnMs).unref();
  }

  /** Whether nobody more important is to be decided before; else the key is woken when they were. */
  isTurn(key: ProjectObjectKey, priority: number): boolean {
    if (this.#called.size === 0 || this.#first() <= priority) return true;
    this.#remove(key);
    this.#behind.set(key, priority);
    return false;
  }

  /** The key was decided, or is not to be. */
  done(key: ProjectObjectKey): void {
    this.#behind.delete(key);
    if (!this.#remove(key) || this.#behind.size === 0) return;
    const first = this.#first();
    for (const [other, priority] of [...this.#behind]) {
      if (priority < first) continue;
      this.#behind.delete(other);
      this.#wake(other);
    }
  }

  #end(): void {
    this.#endsAtMs = undefined;
    this.#called.clear();
    this.#counts.clear();
    const behind = [...this.#behind].sort(([, a], [, b]) => b - a);
    this.#behind.clear();
    for (const [key] of behind) this.#wake(key);
  }

  #first(): number {
    return Math.max(...this.#counts.keys());
  }

  #remove(key: ProjectObjectKey): boolean {
    const priority = this.#called.get(key);
    if (priority === undefined) return false;
    this.#called.delete(key);
    const count = (this.#counts.get(priority) ?? 1) - 1;
    if (count > 0) this.#counts.set(priority, count);
    else this.#counts.delete(priority);
    return true;
  }
}
