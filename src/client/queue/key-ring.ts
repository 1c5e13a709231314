/** Keys in the order of their adding, each once. Constant time for all calls. */
export class KeyRing {
  /** In the order of work, from #head on; a key that was taken out early stays as a hole until it is passed. */
  #order: string[] = [];
  #head = 0;
  /** Key → where it stands in #order, counted from the first key ever. */
  readonly #places = new Map<string, number>();
  #dropped = 0;

  get size(): number {
    return this.#places.size;
  }

  has(key: string): boolean {
    return this.#places.has(key);
  }

  push(key: string): void {
    if (this.#places.has(key)) return;
    if (this.#order.length - this.#head > 2 * this.#places.size + 1_024) this.#closeHoles();
    this.#places.set(key, this.#dropped + this.#order.length);
    this.#order.push(key);
  }

  delete(key: string): boolean {
    return this.#places.delete(key);
  }

  shift(): string | undefined {
    while (this.#head < this.#order.length) {
      const place = this.#dropped + this.#head;
      const key = this.#order[this.#head++] as string;
      if (this.#head > 1_024 && this.#head * 2 > this.#order.length) {
        this.#order = this.#order.slice(this.#head);
        this.#dropped += this.#head;
        this.#head = 0;
      }
      // A key that was deleted and pushed again stands further behind.
      if (this.#places.get(key) !== place) continue;
      this.#places.delete(key);
      return key;
    }
    return undefined;
  }

  clear(): void {
    this.#order = [];
    this.#head = 0;
    this.#places.clear();
  }

  #closeHoles(): void {
    const keys = this.#order.filter((key, at) => this.#places.get(key) === this.#dropped + at);
    this.clear();
    for (const [at, key] of keys.entries()) this.#places.set(key, this.#dropped + at);
    this.#order = keys;
  }
}
