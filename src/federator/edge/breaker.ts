import { ApiError } from '#apimachinery/api-error.ts';
import type { Clock } from '#apimachinery/clock.ts';
import { onAborted } from '#apimachinery/lifecycle.ts';

export interface BreakerOptions {
  readonly clock: Clock;
  /** Consecutive failures to reach the server that open it. */
  readonly failureThreshold: number;
  /** How long it stays open before a trial: doubles with each trial that fails. */
  readonly openMinMs: number;
  readonly openMaxMs: number;
  /** From 0 to 1; default Math.random. */
  readonly random?: (() => number) | undefined;
  /** It has opened: a trial is due after `trialDelayMs`. */
  readonly onOpen: () => void;
}

/**
 * Stands before every call to one edge API server. Closed: calls pass. Open: calls wait, without a timer or a request of
 * their own, until a trial (the cell's health probe, made by whoever holds the breaker) is answered; so a cell that hangs
 * costs nothing but its own waiting, and all that waits goes on at once when it is back. Only failures to reach the
 * server count; a server that answers, even with an error, is reached.
 */
export class Breaker {
  readonly #options: BreakerOptions;
  readonly #waiting = new Set<{ go(): void; fail(error: unknown): void }>();
  #failures = 0;
  #openMs: number;
  #jitter = 1;
  #openedAtMs = 0;
  #isOpen = false;
  #closed = false;

  constructor(options: BreakerOptions) {
    this.#options = options;
    this.#openMs = options.openMinMs;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** How long until the next trial is due; 0 when it is due now. */
  get trialDelayMs(): number {
    if (!this.#isOpen) return 0;
    return Math.max(0, this.#openedAtMs + this.#openMs * this.#jitter - this.#options.clock.monotonic());
  }

  /** Undefined: go on. Else resolves when calls may pass again; rejects with the signal's reason, or when it is stopped. */
  pass(signal: AbortSignal | undefined): Promise<void> | undefined {
    if (this.#closed) return Promise.reject(stopped());
    if (!this.#isOpen) return undefined;
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      let unlisten = () => {};
      const end = (settle: () => void) => {
        this.#waiting.delete(waiter);
        unlisten();
        settle();
      };
      const waiter = { go: () => end(resolve), fail: (error: unknown) => end(() => reject(error)) };
      this.#waiting.add(waiter);
      if (signal !== undefined) unlisten = onAborted(signal, () => waiter.fail(signal.reason));
    });
  }

  /** A call was answered. */
  reached(): void {
    this.#failures = 0;
    if (!this.#isOpen) this.#openMs = this.#options.openMinMs;
  }

  /** A call was not answered. */
  unreached(): void {
    this.#failures++;
    if (this.#isOpen || this.#closed || this.#failures < this.#options.failureThreshold) return;
    this.#isOpen = true;
    this.#openedAtMs = this.#options.clock.monotonic();
    this.#options.onOpen();
  }

  /** What a trial brought. Keeps the pause's length until a call is answered, should the server answer trials alone. */
  tried(answered: boolean): void {
    if (!answered) {
      this.unreached();
      if (!this.#isOpen) return;
      this.#openMs = Math.min(this.#openMs * 2, this.#options.openMaxMs);
      // Edges that went at once are not tried at once.
      this.#jitter = 0.75 + (this.#options.random ?? Math.random)() / 4;
      this.#openedAtMs = this.#options.clock.monotonic();
      return;
    }
    if (!this.#isOpen) {
      this.reached();
      return;
    }
    this.#isOpen = false;
    this.#failures = 0;
    for (const waiter of [...this.#waiting]) waiter.go();
  }

  /** Idempotent. All that waits, and comes later, is refused. */
  stop(): void {
    this.#closed = true;
    for (const waiter of [...this.#waiting]) waiter.fail(stopped());
  }
}

function stopped(): ApiError {
  return new ApiError('ServiceUnavailable', 'the connection to the edge was given up');
}
