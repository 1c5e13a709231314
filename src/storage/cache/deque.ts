/** An array that is also cheap to shorten at its front. */
export class Deque<Item> {
  #items: (Item | undefined)[] = [];
  #start = 0;

  get length(): number {
    return this.#items.length - this.#start;
  }

  /** The item at `index` from the front; the caller keeps it below `length`. */
  at(index: number): Item {
    return this.#items[this.#start + index] as Item;
  }

  push(item: Item): void {
    this.#items.push(item);
  }

  /** Puts an item before the one at `index` from the front, or at the end; cheap near the end. */
  insert(index: number, item: Item): void {
    if (index === this.length) this.#items.push(item);
    else this.#items.splice(this.#start + index, 0, item);
  }

  shift(): Item | undefined {
    if (this.#start === this.#items.length) return undefined;
    const item = this.#items[this.#start];
    this.#items[this.#start++] = undefined;
    // Halving keeps both the copying and the empty front in proportion to what is stored.
    if (this.#start > 1024 && this.#start * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#start);
      this.#start = 0;
    }
    return item;
  }

  clear(): void {
    this.#items = [];
    this.#start = 0;
  }
}

/** Index of the first item whose revision is greater than `revision`, in a deque that rises by revision. */
export function firstAfter(items: Deque<{ readonly revision: number }>, revision: number): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (items.at(middle).revision > revision) high = middle;
    else low = middle + 1;
  }
  return low;
}
