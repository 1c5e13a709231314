import { LRUCache } from 'lru-cache';
import { ownBytes } from '#apimachinery/own-bytes.ts';
import type { StorageKey } from '#storage/storage.ts';

/**
 * Rendered forms of stored objects other than the stored one: by key, revision and form, least recently used first out
 * beyond `bytesMax`. A new revision is a new key, so nothing is ever invalidated.
 */
export class FormCache {
  readonly #forms: LRUCache<string, Buffer>;

  constructor(bytesMax: number) {
    this.#forms = new LRUCache({
      maxSize: Math.max(1, bytesMax),
      sizeCalculation: (body, key) => body.length + key.length + 64,
    });
  }

  /** `form` tells everything else that the bytes depend on. */
  get(
    entry: { readonly key: StorageKey; readonly revision: number },
    form: string,
    make: () => Buffer,
  ): Buffer {
    const key = `${entry.revision} ${form} ${entry.key}`;
    const known = this.#forms.get(key);
    if (known !== undefined) return known;
    const made = ownBytes(make());
    this.#forms.set(key, made);
    return made;
  }
}
