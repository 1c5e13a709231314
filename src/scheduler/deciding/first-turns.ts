import type { Clock } from '#apimachinery/clock.ts';
import type { ProjectObjectKey } from '../object-key.ts';

/** So long one may be kept waiting: what is more important may hang, in an estimator for one. */
const turnMs = 10_000;

interface Read {
  readonly priority: number;
  /** How many had been taken when it could be decided. */
  readonly takenBefore: number;
}

/**
 * In which order objects get room that are decided for the first time and were taken from the queue at once. The queue knows an order
 * among what is in it; of what the workers hold the one that is read fastest would have the room. Each that is read waits for those
 * that are being read, until it is known how important they are, and then for those that are more important. Who is taken after that
 * keeps it waiting only once it is read, so that a stream of new objects does not.
 */
export class FirstTurns {
  readonly #clock: Clock;
  #taken = 0;
  /** Being read, with how many were taken before; in this order. */
  readonly #unread = new Map<ProjectObjectKey, number>();
  readonly #read = new Map<ProjectObjectKey, Read>();
  readonly #waiting = new Map<ProjectObjectKey, () => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The object was taken from the queue, to be read. `priority`: known from before. */
  take(key: ProjectObjectKey, priority: number | undefined): void {
    if (priority === undefined) this.#unread.set(key, this.#taken);
    else this.#read.set(key, { priority, takenBefore: this.#taken });
    this.#taken++;
  }

  /**
   * To be called when it could be decided, and to be waited for. Undefined: it is its turn; it was not taken for the first time, or
   * nobody is before it.
   */
  turn(key: ProjectObjectKey, priority: number, signal: AbortSignal): Promise<void> | undefined {
    if (!this.#unread.delete(key) && !this.#read.has(key)) return undefined;
    const read = { priority, takenBefore: this.#taken };
    this.#read.set(key, read);
    this.#callNext();
    if (signal.aborted || this.#isFirst(read)) return undefined;
    return new Promise((resolve) => {
      const timer = this.#clock.setTimeout(() => this.#call(key), turnMs).unref();
      const onAbort = (): void => this.#call(key);
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.set(key, () => {
        timer.cancel();
        signal.removeEventListener('abort', onAbort);
        resolve();
      });
    });
  }

  /** The object was decided, or is not to be for now. */
  leave(key: ProjectObjectKey): void {
    if (this.#unread.delete(key) || this.#read.delete(key)) this.#callNext();
  }

  #isFirst({ priority, takenBefore }: Read): boolean {
    const [oldest] = this.#unread.values();
    if (oldest !== undefined && oldest < takenBefore) return false;
    for (const other of this.#read.values()) if (other.priority > priority) return false;
    return true;
  }

  #callNext(): void {
    for (const key of this.#waiting.keys()) {
      const read = this.#read.get(key);
      if (read === undefined || this.#isFirst(read)) this.#call(key);
    }
  }

  #call(key: ProjectObjectKey): void {
    const go = this.#waiting.get(key);
    this.#waiting.delete(key);
    go?.();
  }
}
