export interface BackoffOptions {
  /** First delay, before jitter. Default 100. */
  readonly initialMs?: number | undefined;
  /** Upper bound, jitter included. Default 30,000. */
  readonly maxMs?: number | undefined;
  /** Default 2. */
  readonly factor?: number | undefined;
  /** Share of the delay that is drawn at random: 0.5 gives 50 % to 100 % of it. Default 0.5. */
  readonly jitter?: number | undefined;
  /** In [0, 1). Default Math.random. */
  readonly random?: (() => number) | undefined;
}

/** The delay before try number `failures` + 1 (failures ≥ 1), exponential with jitter, bounded. */
export function backoffDelayMs(failures: number, options: BackoffOptions = {}): number {
  const { initialMs = 100, maxMs = 30_000, factor = 2, jitter = 0.5, random = Math.random } = options;
  const full = Math.min(maxMs, initialMs * factor ** Math.min(1000, Math.max(0, failures - 1)));
  return full * (1 - jitter * random());
}

/** Delays for one thing that is tried again and again. */
export class Backoff {
  readonly #options: BackoffOptions;
  #failures = 0;

  constructor(options: BackoffOptions = {}) {
    this.#options = options;
  }

  get failures(): number {
    return this.#failures;
  }

  /** Counts a failure and returns how long to wait, in milliseconds. */
  next(): number {
    this.#failures++;
    return backoffDelayMs(this.#failures, this.#options);
  }

  /** To be called after a success. */
  reset(): void {
    this.#failures = 0;
  }
}

/** Delays by key, bounded: beyond `keysMax` the key that failed longest ago is forgotten and starts anew. */
export class KeyedBackoff {
  readonly #options: BackoffOptions;
  readonly #keysMax: number;
  readonly #failures = new Map<string, number>();

  constructor(options: BackoffOptions = {}, keysMax = 100_000) {
    this.#options = options;
    this.#keysMax = keysMax;
  }

  get size(): number {
    return this.#failures.size;
  }

  failuresOf(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  next(key: string): number {
    const failures = this.failuresOf(key) + 1;
    this.#failures.delete(key);
    this.#failures.set(key, failures);
    if (this.#failures.size > this.#keysMax) {
      const oldest = this.#failures.keys().next();
      if (oldest.done !== true) this.#failures.delete(oldest.value);
    }
    return backoffDelayMs(failures, this.#options);
  }

  reset(key: string): void {
    this.#failures.delete(key);
  }
}
