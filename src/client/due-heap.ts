/** A min-heap of keys by due time. Pushing the same key again is fine: the holder knows which due time counts. */
export class DueHeap {
  readonly #due: number[] = [];
  readonly #keys: string[] = [];

  get nextDue(): number {
    return this.#due[0] ?? Number.POSITIVE_INFINITY;
  }

  push(due: number, key: string): void {
    let at = this.#due.length;
    this.#due.push(due);
    this.#keys.push(key);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((this.#due[parent] as number) <= due) break;
      this.#swap(at, parent);
      at = parent;
    }
  }

  /** Takes the key with the earliest due time out; undefined when empty. */
  pop(): { readonly due: number; readonly key: string } | undefined {
    const due = this.#due[0];
    const key = this.#keys[0];
    if (due === undefined || key === undefined) return undefined;
    const last = this.#due.length - 1;
    this.#swap(0, last);
    this.#due.pop();
    this.#keys.pop();
    this.#sink();
    return { due, key };
  }

  clear(): void {
    this.#due.length = 0;
    this.#keys.length = 0;
  }

  #sink(): void {
    let at = 0;
    for (;;) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < this.#due.length && (this.#due[child] as number) < (this.#due[least] as number))
          least = child;
      }
      if (least === at) return;
      this.#swap(at, least);
      at = least;
    }
  }

  #swap(a: number, b: number): void {
    const due = this.#due[a] as number;
    const key = this.#keys[a] as string;
    this.#due[a] = this.#due[b] as number;
    this.#keys[a] = this.#keys[b] as string;
    this.#due[b] = due;
    this.#keys[b] = key;
  }
}
