import type { CopyKey } from './copy-keys.ts';

/** Keys that cannot be worked on before something else is at the edge: a namespace, or a kind. Each waits for one thing. */
export class WaitingKeys {
  readonly #waiting = new Map<string, Set<CopyKey>>();
  readonly #waitsFor = new Map<CopyKey, string>();

  add(what: string, key: CopyKey): void {
    this.delete(key);
    let keys = this.#waiting.get(what);
    if (keys === undefined) {
      keys = new Set();
      this.#waiting.set(what, keys);
    }
    keys.add(key);
    this.#waitsFor.set(key, what);
  }

  delete(key: CopyKey): void {
    const what = this.#waitsFor.get(key);
    if (what === undefined) return;
    this.#waitsFor.delete(key);
    const keys = this.#waiting.get(what);
    keys?.delete(key);
    if (keys?.size === 0) this.#waiting.delete(what);
  }

  /** Takes out those that wait for it. */
  take(what: string): CopyKey[] {
    const keys = [...(this.#waiting.get(what) ?? [])];
    for (const key of keys) this.delete(key);
    return keys;
  }
}
