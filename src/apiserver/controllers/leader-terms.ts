import type { LeaseHolder } from '#client/lease.ts';
import type { Logger } from '#client/logger.ts';

/** Controllers of one term; made anew for every term, since what was stopped is not started again. */
export interface TermControllers {
  start(): void;
  stop(): Promise<void>;
}

/**
 * Runs controllers while this server holds the lease: of several servers on one store, one runs them. They must be safe
 * beside those of another server, for the moment in which one has lost the lease and does not know it yet.
 */
export class LeaderTerms {
  readonly #lease: LeaseHolder;
  readonly #make: () => TermControllers;
  readonly #logger: Logger;
  #running: TermControllers | undefined;
  /** Terms begin and end one after the other. */
  #turns: Promise<void> = Promise.resolve();
  #unsubscribe: (() => void) | undefined;

  constructor(options: {
    readonly lease: LeaseHolder;
    readonly make: () => TermControllers;
    readonly logger: Logger;
  }) {
    this.#lease = options.lease;
    this.#make = options.make;
    this.#logger = options.logger;
  }

  /** Idempotent. */
  start(): void {
    this.#unsubscribe ??= this.#lease.onChange((held) => this.#enqueue(held));
    this.#lease.start();
  }

  /** Ends the term, then gives the lease up, so that the next server need not wait. */
  async stop(): Promise<void> {
    this.#unsubscribe?.();
    this.#enqueue(false);
    await this.#turns;
    await this.#lease.stop();
  }

  #enqueue(held: boolean): void {
    this.#turns = this.#turns.then(() => this.#turn(held));
  }

  async #turn(held: boolean): Promise<void> {
    if (held === (this.#running !== undefined)) return;
    if (held) {
      this.#logger.info({}, "this server runs the store's controllers");
      this.#running = this.#make();
      this.#running.start();
      return;
    }
    const ending = this.#running;
    this.#running = undefined;
    this.#logger.info({}, "this server no longer runs the store's controllers");
    await ending?.stop().catch((error: unknown) => {
      this.#logger.warn({ err: error }, 'controllers failed to stop');
    });
  }
}
