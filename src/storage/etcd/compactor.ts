import { type Clock, sleep } from '#apimachinery/clock.ts';
import { isStorageError } from '../errors.ts';
import type { StorageLogger } from '../logger.ts';
import type { EtcdConnection } from './etcd-connection.ts';
import type { KeySpace } from './key-space.ts';
import { compactMethod, compareModRevision, txnMethod } from './rpc.ts';
import type { RevisionScale } from './store-marker.ts';

export interface CompactorOptions {
  readonly connection: EtcdConnection;
  readonly keys: KeySpace;
  readonly scale: RevisionScale;
  /** History reaches back at least this far, and at most twice. */
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly logger: StorageLogger;
}

/**
 * Forgets history that is older than the interval, as one of all servers on the store: whoever first writes the
 * compaction key in an interval compacts to the revision that was written there an interval ago (the scheme of
 * kube-apiserver's etcd3 store; no lease, nothing to expire).
 */
export class Compactor {
  readonly #options: CompactorOptions;
  readonly #stopping = new AbortController();
  /** Revision of the compaction key, as last seen; 0: absent. */
  #seen = 0;
  #running: Promise<void> | undefined;

  constructor(options: CompactorOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /** One turn: true when it was ours to compact. */
  async turn(): Promise<boolean> {
    const { connection, keys, scale } = this.#options;
    const answer = await connection.call(
      txnMethod,
      {
        compare: [
          { target: compareModRevision, key: keys.marker, mod_revision: scale.markerRevision },
          { target: compareModRevision, key: keys.compaction, mod_revision: this.#seen },
        ],
        success: [{ request_put: { key: keys.compaction, value: Buffer.alloc(0) } }],
        failure: [{ request_range: { key: keys.compaction, keys_only: true } }],
      },
      // Done twice, the second time finds the first one's key: the turn passes to whoever comes next.
      { repeatable: true },
    );
    const before = this.#seen;
    if (!answer.succeeded) {
      this.#seen = answer.responses[0]?.response_range?.kvs[0]?.mod_revision ?? 0;
      return false;
    }
    this.#seen = answer.header?.revision ?? 0;
    if (before === 0) return true;
    await connection
      .call(compactMethod, { revision: before }, { repeatable: true })
      .catch((error: unknown) => {
        if (!isStorageError(error, 'compacted')) throw error;
      });
    return true;
  }

  async #run(): Promise<void> {
    const { clock, intervalMs, logger } = this.#options;
    const signal = this.#stopping.signal;
    for (;;) {
      try {
        await sleep(clock, intervalMs, signal);
        await this.turn();
      } catch (error) {
        if (signal.aborted || isStorageError(error, 'closed')) return;
        logger.warn({ err: error }, 'etcd: history could not be compacted');
      }
    }
  }
}
