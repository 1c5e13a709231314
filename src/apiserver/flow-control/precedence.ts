export interface PrecedenceLimits {
  /** From a request's seat on, others give way to it for at most so long: it may wait for something slow. */
  readonly spanMs: number;
  /** Of all time, what others may be made to give way for. */
  readonly share: number;
  /** What of that may be saved up while nobody is given way to. */
  readonly savedMsMax: number;
}

export const defaultPrecedenceLimits: PrecedenceLimits = { spanMs: 3, share: 0.5, savedMsMax: 10 };

/**
 * Whether workspaces that keep the thread busy give way to requests of others that are under way (KUBERNETES.md O2). A
 * write takes several turns of the event loop, and between them another thread writes to the disk, which on a machine
 * with few cores waits for one as long as this thread never rests. Filled with a flood's requests each of those turns
 * costs the write a millisecond; while it is under way, the flood is neither read nor served.
 *
 * Others give way for part of the time only (`share`), however many ask: who floods is slowed down, not stopped.
 */
export class Precedence {
  readonly #limits: PrecedenceLimits;
  readonly #onOver: () => void;
  /** Requests under way that others give way to. */
  #count = 0;
  /** Until when, at most. */
  #untilMs = Number.NEGATIVE_INFINITY;
  /** Time that may be taken from others, as of `#atMs`. */
  #savedMs: number;
  #atMs = 0;

  /** `onOver`: is called when the last such request has left. */
  constructor(onOver: () => void, limits: Partial<PrecedenceLimits> = {}) {
    this.#limits = { ...defaultPrecedenceLimits, ...limits };
    this.#savedMs = this.#limits.savedMsMax;
    this.#onOver = onOver;
  }

  /** A request that others give way to is served from now on. To be followed by one `leave`. */
  enter(nowMs: number): void {
    this.#settle(nowMs);
    this.#count++;
    this.#untilMs = nowMs + this.#limits.spanMs;
  }

  leave(nowMs: number): void {
    this.#settle(nowMs);
    this.#count--;
    if (this.#count === 0) this.#onOver();
  }

  /** Whether others give way now. */
  holds(nowMs: number): boolean {
    if (this.#count === 0) return false;
    this.#settle(nowMs);
    return nowMs < this.#untilMs && this.#savedMs > 0;
  }

  /** Puts what went by since the last look on the account. */
  #settle(nowMs: number): void {
    const { share, savedMsMax } = this.#limits;
    const goneMs = nowMs - this.#atMs;
    const isOpen = this.#count > 0 && this.#savedMs > 0;
    const givenMs = isOpen ? Math.max(0, Math.min(nowMs, this.#untilMs) - this.#atMs) : 0;
    this.#savedMs = Math.min(savedMsMax, this.#savedMs + goneMs * share - givenMs);
    this.#atMs = nowMs;
  }
}
