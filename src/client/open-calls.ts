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
 * Signals under which nothing is under way and that are listened to all the same, as a worker's between two calls: a federator
 * of many cells has some for each. Each is some hundred bytes.
 */
export const idleSignalsMax = 1_024;

/**
 * The calls of one client. Each has a signal of its own: long-lived signals (a loop's stop, a client's end) would else
 * collect a listener or, with AbortSignal.any in Node 20, a reference for every call that ever ran under them. Calls under
 * one signal share a listener on it: a further one costs the more the more there are. The listener stays for the calls to
 * come, since putting it there costs as much as all else of a call: on the signals that were used last, until `close`.
 */
export class OpenCalls {
  readonly #open = new Set<Call>();
  readonly #callers = new Map<AbortSignal, Caller>();
  /** Those without calls, the longest idle first. */
  readonly #idle = new Set<Caller>();
  #closed: { readonly reason: unknown } | undefined;

  get size(): number {
    return this.#open.size;
  }

  /** Without `timeoutMs` it may last for ever. */
  begin(callerSignal: AbortSignal | undefined, timeoutMs?: number): OpenCall {
    const isOver = callerSignal?.aborted === true;
    const call = new Call(this.#open, this.#callerOf(callerSignal), isOver ? undefined : timeoutMs);
    if (isOver) call.abort(callerSignal.reason);
    if (this.#closed !== undefined) call.abort(this.#closed.reason);
    return call;
  }

  #callerOf(signal: AbortSignal | undefined): Caller | undefined {
    if (signal === undefined || signal.aborted || this.#closed !== undefined) return undefined;
    let caller = this.#callers.get(signal);
    if (caller === undefined) {
      caller = new Caller(signal, (idle) => this.#rest(idle));
      this.#callers.set(signal, caller);
    } else this.#idle.delete(caller);
    return caller;
  }

  #rest(caller: Caller): void {
    this.#idle.add(caller);
    if (caller.signal.aborted || this.#closed !== undefined) this.#forget(caller);
    else if (this.#idle.size > idleSignalsMax) {
      for (const oldest of this.#idle) {
        this.#forget(oldest);
        break;
      }
    }
  }

  #forget(caller: Caller): void {
    this.#idle.delete(caller);
    this.#callers.delete(caller.signal);
    caller.leave();
  }

  /** Ends what is under way, and what begins later at once. Idempotent. */
  close(reason: unknown): void {
    this.#closed ??= { reason };
    for (const call of [...this.#open]) call.abort(reason);
    this.#open.clear();
    for (const caller of [...this.#idle]) this.#forget(caller);
  }
}

/** The calls under one signal, and one listener on it. */
class Caller {
  readonly signal: AbortSignal;
  readonly #onIdle: (caller: Caller) => void;
  readonly #calls = new Set<Call>();
  readonly #onAbort = (): void => {
    for (const call of [...this.#calls]) call.abort(this.signal.reason);
    if (this.#calls.size === 0) this.#onIdle(this);
  };

  constructor(signal: AbortSignal, onIdle: (caller: Caller) => void) {
    this.signal = signal;
    this.#onIdle = onIdle;
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  add(call: Call): void {
    this.#calls.add(call);
  }

  remove(call: Call): void {
    if (this.#calls.delete(call) && this.#calls.size === 0) this.#onIdle(this);
  }

  leave(): void {
    this.signal.removeEventListener('abort', this.#onAbort);
  }
}

class Call implements OpenCall {
  timedOut = false;
  readonly #open: Set<Call>;
  readonly #caller: Caller | undefined;
  readonly #timer: NodeJS.Timeout | undefined;
  #aborted: { readonly reason: unknown } | undefined;
  #controller: AbortController | undefined;
  #callback: ((reason: unknown) => void) | undefined;

  constructor(open: Set<Call>, caller: Caller | undefined, timeoutMs: number | undefined) {
    this.#open = open;
    this.#caller = caller;
    open.add(this);
    caller?.add(this);
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
    this.#caller?.remove(this);
  }
}
