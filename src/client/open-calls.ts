/** One call or watch that is under way. */
export interface OpenCall {
  /** Fires when the caller gives up, the time is over, or the client is closed; the call's own and nobody else's. */
  readonly signal: AbortSignal;
  /** The time was over before anything else ended it. */
  readonly timedOut: boolean;
  /** To be called when the call is over, however it ended. Idempotent. */
  end(): void;
}

/**
 * The calls of one client. Each has a signal of its own: long-lived signals (a loop's stop, a client's end) would else
 * collect a listener or, with AbortSignal.any in Node 20, a reference for every call that ever ran under them.
 */
export class OpenCalls {
  readonly #open = new Set<AbortController>();
  #closed: { readonly reason: unknown } | undefined;

  get size(): number {
    return this.#open.size;
  }

  /** Without `timeoutMs` it may last for ever. */
  begin(callerSignal: AbortSignal | undefined, timeoutMs?: number): OpenCall {
    const controller = new AbortController();
    let timedOut = false;
    const onCallerAbort = () => controller.abort(callerSignal?.reason);
    const timer =
      timeoutMs === undefined
        ? undefined
        : setTimeout(() => {
            timedOut = !controller.signal.aborted;
            controller.abort(new Error(`no answer within ${timeoutMs} ms`));
          }, timeoutMs);
    if (this.#closed !== undefined) controller.abort(this.#closed.reason);
    else if (callerSignal?.aborted === true) controller.abort(callerSignal.reason);
    else {
      this.#open.add(controller);
      callerSignal?.addEventListener('abort', onCallerAbort, { once: true });
    }
    return {
      signal: controller.signal,
      get timedOut() {
        return timedOut;
      },
      end: () => {
        clearTimeout(timer);
        this.#open.delete(controller);
        callerSignal?.removeEventListener('abort', onCallerAbort);
      },
    };
  }

  /** Ends what is under way, and what begins later at once. Idempotent. */
  close(reason: unknown): void {
    this.#closed ??= { reason };
    for (const controller of [...this.#open]) controller.abort(reason);
    this.#open.clear();
  }
}
