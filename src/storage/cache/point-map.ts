/** Power of two. At a million keys each part has 16,000: growing one takes no more than a few milliseconds. */
const partCount = 64;

/** A Map from keys in many parts: one Map of a million keys stands still for a quarter of a second when it grows. */
export class PointMap<Value> {
  readonly #parts: readonly Map<string, Value>[] = Array.from({ length: partCount }, () => new Map());
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: string): Value | undefined {
    return this.#partOf(key).get(key);
  }

  set(key: string, value: Value): void {
    const part = this.#partOf(key);
    const before = part.size;
    part.set(key, value);
    this.#size += part.size - before;
  }

  delete(key: string): boolean {
    const deleted = this.#partOf(key).delete(key);
    if (deleted) this.#size--;
    return deleted;
  }

  /** Names differ most at their ends. */
  #partOf(key: string): Map<string, Value> {
    const { length } = key;
    const mixed =
      key.charCodeAt(length - 1) + key.charCodeAt(length - 2) * 7 + key.charCodeAt(length - 3) * 31;
    return this.#parts[(mixed + length) & (partCount - 1)] as Map<string, Value>;
  }
}
