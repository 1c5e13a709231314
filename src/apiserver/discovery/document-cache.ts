import { LRUCache } from 'lru-cache';
import { ownBytes } from '#apimachinery/own-bytes.ts';

export interface CachedDocument {
  readonly body: Buffer;
  readonly etag: string;
}

/**
 * Documents made of a Scheme, by its hash: workspaces of equal content share them. Bounded by bytes; what was dropped
 * is made again.
 */
export class DocumentCache {
  private readonly documents: LRUCache<string, CachedDocument>;

  constructor(bytesMax: number) {
    this.documents = new LRUCache({
      maxSize: bytesMax,
      sizeCalculation: (document, key) => document.body.length + key.length + 256,
    });
  }

  get(key: string, make: () => CachedDocument): CachedDocument {
    let document = this.documents.get(key);
    if (document === undefined) {
      const { body, etag } = make();
      document = { body: ownBytes(body), etag };
      this.documents.set(key, document);
    }
    return document;
  }
}
