import { StorageError } from '../errors.ts';
import type { Revision, StorageKey, Transaction, TransactionResult } from '../storage.ts';

/** Writes waiting to be gathered; beyond either bound new ones are refused as `unavailable`. */
const waitingTransactionsMax = 20_000;
const waitingBytesMax = 128 * 1024 * 1024;

/** What compaction found superfluous among the records up to `upTo`. */
export interface Pruning {
  readonly upTo: Revision;
  readonly recordKeys: readonly Buffer[];
  /** Keys deleted at these revisions: their pointers go if they still say so. */
  readonly deleted: readonly { readonly key: StorageKey; readonly revision: Revision }[];
}

export type Job =
  | { readonly type: 'transaction'; readonly transaction: Transaction }
  | { readonly type: 'compact'; readonly revision: Revision }
  | { readonly type: 'prune'; readonly pruning: Pruning };

/** A job with who waits for its answer. */
export interface Waiting {
  readonly job: Job;
  readonly bytes: number;
  readonly resolve: (result: TransactionResult | Promise<TransactionResult>) => void;
  readonly reject: (error: StorageError) => void;
}

/** What has not been gathered yet, first come first, within bounds. */
export class WaitingWrites {
  #list: Waiting[] = [];
  #bytes = 0;

  get size(): number {
    return this.#list.length;
  }

  /** Why a job of so many bytes is not let in; undefined: it is. */
  refusal(bytes: number): StorageError | undefined {
    if (this.#list.length < waitingTransactionsMax && this.#bytes + bytes <= waitingBytesMax)
      return undefined;
    return new StorageError('unavailable', 'too many writes are waiting', {
      transactions: this.#list.length,
      bytes: this.#bytes,
    });
  }

  push(waiting: Waiting): void {
    this.#list.push(waiting);
    this.#bytes += waiting.bytes;
  }

  /** Those that `roomBytes` have room for, at least one. */
  take(roomBytes: number): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const waiting of this.#list) {
      if (count > 0 && bytes + waiting.bytes > roomBytes) break;
      bytes += waiting.bytes;
      count++;
    }
    this.#bytes -= bytes;
    return this.#list.splice(0, count);
  }

  takeAll(): readonly Waiting[] {
    const all = this.#list;
    this.#list = [];
    this.#bytes = 0;
    return all;
  }
}
