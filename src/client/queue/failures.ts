/** How often keys failed in a row, and how long they wait for it. Bounded by the keys that fail now. */
export class Failures {
  readonly #minMs: number;
  readonly #maxMs: number;
  readonly #counts = new Map<string, number>();

  constructor(minMs: number, maxMs: number) {
    this.#minMs = minMs;
    this.#maxMs = maxMs;
  }

  /** Counts a failure. Returns the wait in milliseconds: doubled with each, a quarter of it by chance, `atLeastMs` or more. */
  next(key: string, atLeastMs: number): number {
    const failures = this.of(key);
    this.#counts.set(key, failures + 1);
    const ceilingMs = Math.min(this.#maxMs, this.#minMs * 2 ** Math.min(failures, 30));
    return Math.max(atLeastMs, ceilingMs * (0.75 + Math.random() / 4));
  }

  of(key: string): number {
    return this.#counts.get(key) ?? 0;
  }

  forget(key: string): void {
    this.#counts.delete(key);
  }
}
