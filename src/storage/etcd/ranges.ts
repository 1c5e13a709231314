import type { KeyValue, RangeOptions, RangeResult, Revision, StorageKey } from '../storage.ts';
import type { EtcdConnection } from './etcd-connection.ts';
import { isAnswerTooLarge } from './etcd-errors.ts';
import type { KeySpace } from './key-space.ts';
import { type RangeResponse, rangeMethod } from './rpc.ts';
import type { RevisionScale } from './store-marker.ts';

/** What one answer of etcd is meant to hold. etcd cuts answers by number only, so sizes are estimated from the last ones. */
const answerBytesWanted = 4 * 1024 * 1024;
const answerItemsMax = 10_000;
const itemBytesAtFirst = 8 * 1024;

export interface RangeReaderOptions {
  readonly connection: EtcdConnection;
  readonly keys: KeySpace;
  readonly scale: RevisionScale;
}

/** Ranges in answers of bearable size. */
export class RangeReader {
  readonly #options: RangeReaderOptions;
  #itemBytes = itemBytesAtFirst;

  constructor(options: RangeReaderOptions) {
    this.#options = options;
  }

  /** `observe` is told of the store's revision in each answer. Throws as EtcdConnection.call. */
  async read(options: RangeOptions, observe: (response: RangeResponse) => Revision): Promise<RangeResult> {
    const { keys, scale } = this.#options;
    const { limit = Number.POSITIVE_INFINITY, bytesMax = Number.POSITIVE_INFINITY } = options;
    const items: KeyValue[] = [];
    let bytes = 0;
    let revision = options.atRevision;
    let startAfter = options.startAfter;
    for (;;) {
      const range = keys.range(options.prefix, startAfter) ?? { key: keys.fence };
      const etcdRevision = revision === undefined ? 0 : scale.toEtcd(revision);
      // A limit of 0 means none to etcd; one too many tells nothing less.
      const response = await this.#answer(range, etcdRevision, Math.max(1, limit - items.length));
      revision ??= observe(response);
      if (!('range_end' in range)) return { items, revision, more: false, remaining: 0 };
      let taken = 0;
      for (const { key: keyBytes, mod_revision, value } of response.kvs) {
        if (items.length >= limit || bytes >= bytesMax) break;
        const key = keys.decode(keyBytes) as StorageKey;
        items.push({ key, value, revision: scale.fromEtcd(mod_revision) });
        bytes += value.length;
        taken++;
      }
      const remaining = response.count - taken;
      const full = items.length >= limit || bytes >= bytesMax;
      if (remaining <= 0 || full) return { items, revision, more: remaining > 0, remaining };
      startAfter = items.at(-1)?.key;
    }
  }

  async #answer(
    range: { readonly key: Buffer; readonly range_end?: Buffer },
    revision: number,
    itemsMax: number,
  ): Promise<RangeResponse> {
    for (;;) {
      const limit = Math.min(
        itemsMax,
        answerItemsMax,
        Math.max(1, Math.floor(answerBytesWanted / this.#itemBytes)),
      );
      try {
        const response = await this.#options.connection.call(
          rangeMethod,
          { ...range, limit, revision },
          { repeatable: true },
        );
        this.#learn(response);
        return response;
      } catch (error) {
        if (!isAnswerTooLarge(error) || limit === 1) throw error;
        this.#itemBytes = (4 * answerBytesWanted) / limit;
      }
    }
  }

  #learn({ kvs }: RangeResponse): void {
    if (kvs.length === 0) return;
    const bytes = kvs.reduce((sum, { key, value }) => sum + key.length + value.length, 0) / kvs.length;
    // Up at once, down slowly: guessing too small costs an answer that is thrown away.
    this.#itemBytes = bytes > this.#itemBytes ? bytes : this.#itemBytes * 0.75 + bytes * 0.25;
  }
}
