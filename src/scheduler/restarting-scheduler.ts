import type { QueueLength } from './queues.ts';
import type { Scheduler } from './scheduler-options.ts';

/**
 * A scheduler that begins anew, as a process that is started again, when its store was put back to a backup: what it
 * remembers of its own writes is then true no more.
 */
export class RestartingScheduler implements Scheduler {
  readonly #make: (onRestored: () => void) => Scheduler;
  readonly #stopping = new AbortController();
  #current: Scheduler;
  #restarting: Promise<void> | undefined;

  constructor(make: (onRestored: () => void) => Scheduler) {
    this.#make = make;
    this.#current = this.#next();
  }

  get ready(): boolean {
    return this.#current.ready;
  }

  get idle(): boolean {
    return this.#current.idle;
  }

  queueLengths(): readonly QueueLength[] {
    return this.#current.queueLengths();
  }

  async start(signal: AbortSignal): Promise<void> {
    const first = this.#current;
    try {
      await first.start(signal);
    } catch (error) {
      // The store was put back while it began.
      if (first === this.#current || signal.aborted) throw error;
      await this.#restarting;
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the scheduler was stopped'));
    await this.#current.stop();
    await this.#restarting;
  }

  #next(): Scheduler {
    const made = this.#make(() => {
      if (made === this.#current) this.#restarting = this.#restart(made);
    });
    return made;
  }

  async #restart(former: Scheduler): Promise<void> {
    const following = this.#next();
    this.#current = following;
    await former.stop();
    if (this.#stopping.signal.aborted) return;
    // It waits for an API server that is away, and rejects only when it is stopped.
    await following.start(this.#stopping.signal).catch(() => {});
  }
}
