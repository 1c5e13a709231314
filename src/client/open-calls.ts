/** One call or watch that is under way. */
export interface OpenCall {
  /** Fires when the caller gives up, the time is over, or the client is closed; the call's own and nobody else's. */
  readonly signal: AbortSignal;
  /** The time was over before anything else ended it. */
  readonly timedOut: boolean;
  /** Calls back once when the signal fires, at once when it has: for who can do without the signal, which costs more. */
  onAbort(callback: (reason: unknown) => void): void;
  /** To be called when the call is over, however it ended. Idempotent. */
  end(): void;
}

/**
 * The calls of one client. Each has a signal of its own: long-lived signals (a loop's stop, a client's end) would else
 * collect a listener or, with AbortSignal.any in Node 20, a reference for every call that ever ran under them.
 */
export class OpenCalls {
  readonly #open = new Set<Call>();
  #closed: { readonly reason: unknown } | undefined;

  get size(): number {
    return this.#open.size;
  }

  /** Without `timeoutMs` it may last for ever. */
  begin(callerSignal: AbortSignal | undefined, timeoutMs?: number): OpenCall {
    const call = new Call(this.#open, callerSignal, timeoutMs);
    if (this.#closed !== undefined) call.abort(this.#closed.reason);
    return call;
  }

  /** Ends what is under way, and what begins later at once. Idempotent. */
  close(reason: unknown): void {
    this.#closed ??= { reason };
    for (const call of [...this.#open]) call.abort(reason);
    this.#open.clear();
  }
}

class Call implements OpenCall {
  timedOut = false;
  readonly #open: Set<Call>;
  readonly #callerSignal: AbortSignal | undefined;
  readonly #timer: NodeJS.Timeout | undefined;
  #aborted: { readonly reason: unknown } | undefined;
  #controller: AbortController | undefined;
  #callback: ((reason: unknown) => void) | undefined;
  readonly #onCallerAbort = (): void => this.abort(this.#callerSignal?.reason);

  constructor(open: Set<Call>, callerSignal: AbortSignal | undefined, timeoutMs: number | undefined) {
    this.#open = open;
    this.#callerSignal = callerSignal;
    if (callerSignal?.aborted === true) {
      this.abort(callerSignal.reason);
      return;
    }
    open.add(this);
    callerSignal?.addEventListener('abort', this.#onCallerAbort, { once: true });
    if (timeoutMs === undefined) return;
    this.#timer = setTimeout(() => {
      this.timedOut = this.#aborted === undefined;
      this.abort(new Error(`no answer within ${timeoutMs} ms`));
    }, timeoutMs);
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#aborted !== undefined) this.#controller.abort(this.#aborted.reason);
    }
    return this.#controller.signal;
  }

  onAbort(callback: (reason: unknown) => void): void {
    if (this.#aborted !== undefined) callback(this.#aborted.reason);
    else this.#callback = callback;
  }

  abort(reason: unknown): void {
    if (this.#aborted !== undefined) return;
    this.#aborted = { reason };
    this.#callback?.(reason);
    this.#controller?.abort(reason);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#open.delete(this);
    this.#callback = undefined;
    this.#callerSignal?.removeEventListener('abort', this.#onCallerAbort);
  }
}
