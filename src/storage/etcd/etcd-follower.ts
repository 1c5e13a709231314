import type { ClientDuplexStream } from '@grpc/grpc-js';
import { Backoff } from '#apimachinery/backoff.ts';
import { type Clock, sleep } from '#apimachinery/clock.ts';
import { isStorageError, StorageError } from '../errors.ts';
import type { StorageLogger } from '../logger.ts';
import type { Revision } from '../storage.ts';
import type { EtcdConnection } from './etcd-connection.ts';
import { callFailure } from './etcd-errors.ts';
import { type EtcdEvent, type WatchCreateRequest, type WatchResponse, watchMethod } from './rpc.ts';
import type { RevisionScale } from './store-marker.ts';

type WatchStream = ClientDuplexStream<{ readonly create_request: WatchCreateRequest }, WatchResponse>;

export interface FollowerOptions {
  readonly connection: EtcdConnection;
  readonly range: { readonly key: Buffer; readonly range_end: Buffer };
  readonly scale: RevisionScale;
  /** Events with a greater revision are given. */
  readonly afterRevision: Revision;
  readonly previousValues: boolean;
  /** Called before every new try: throws what makes going on impossible (another store, an older state). */
  readonly verify: (position: Revision) => Promise<void>;
  readonly clock: Clock;
  readonly logger: StorageLogger;
}

export interface FollowerHandler {
  /** All events of one revision, each revision once and in order. Must not throw. */
  events(revision: Revision, events: readonly EtcdEvent[]): void;
  /** Not called after close(). */
  end(error: Error): void;
}

/**
 * One watch of etcd that goes on: when its stream breaks (member gone, no leader, token expired) it is taken up again
 * after the last revision that was given, as long as etcd still has what came since.
 */
export class EtcdFollower {
  readonly #options: FollowerOptions;
  readonly #handler: FollowerHandler;
  readonly #closing = new AbortController();
  readonly #backoff = new Backoff({ initialMs: 50, maxMs: 2_000 });
  #position: Revision;
  #stream: WatchStream | undefined;
  /** Events of a revision that may have more in the next part of a response. */
  #partial: EtcdEvent[] = [];

  constructor(options: FollowerOptions, handler: FollowerHandler) {
    this.#options = options;
    this.#handler = handler;
    this.#position = options.afterRevision;
  }

  /** Everything up to here has been given, or was before the beginning. */
  get position(): Revision {
    return this.#position;
  }

  start(): void {
    this.#run().catch((error: unknown) => this.#end(error));
  }

  /** Idempotent. */
  close(): void {
    this.#closing.abort();
    this.#stream?.cancel();
  }

  async #run(): Promise<void> {
    const { verify, clock, logger } = this.#options;
    const signal = this.#closing.signal;
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        if (failures > 0) await verify(this.#position);
        await this.#follow();
      } catch (error) {
        if (signal.aborted) return;
        if (!isStorageError(error, 'unavailable', 'outcome-unknown')) throw error;
        const delayMs = this.#backoff.next();
        if (this.#backoff.failures === 1) {
          logger.warn({ err: error, revision: this.#position }, 'etcd: watch broke, is taken up again');
        }
        await sleep(clock, delayMs, signal).catch(() => {});
      }
    }
  }

  /** Settles, with an error, when the stream is over. */
  async #follow(): Promise<never> {
    const { connection, range, scale, previousValues } = this.#options;
    const { stream, leave } = await connection.stream(watchMethod);
    this.#partial = [];
    return new Promise((_resolve, reject) => {
      if (this.#closing.signal.aborted) stream.cancel();
      this.#stream = stream;
      const fail = (error: unknown) => {
        stream.cancel();
        reject(error);
      };
      stream.on('data', (response: WatchResponse) => {
        try {
          this.#take(response);
        } catch (error) {
          fail(error);
        }
      });
      stream.on('error', (error) => {
        leave();
        try {
          const failure = callFailure(error, connection.endpoint);
          if (failure.outcome === 'token') connection.forgetToken();
          reject(new StorageError('unavailable', failure.error.message, failure.error.fields, error));
        } catch (thrown) {
          reject(thrown);
        }
      });
      stream.on('end', () => fail(new StorageError('unavailable', 'etcd: the watch ended')));
      // At the position, not after it: only so does etcd tell that what came before the next event was compacted.
      stream.write({
        create_request: {
          ...range,
          start_revision: scale.toEtcd(this.#position),
          prev_kv: previousValues,
          fragment: true,
        },
      });
    });
  }

  #take(response: WatchResponse): void {
    if (this.#closing.signal.aborted) return;
    if (response.canceled) throw this.#cancelled(response);
    if (response.created && this.#backoff.failures > 0) {
      this.#options.logger.info({ revision: this.#position }, 'etcd: watch is back');
      this.#backoff.reset();
    }
    for (const event of response.events) {
      const first = this.#partial[0];
      if (first !== undefined && first.kv?.mod_revision !== event.kv?.mod_revision) this.#flush();
      this.#partial.push(event);
    }
    if (!response.fragment) this.#flush();
  }

  #flush(): void {
    const events = this.#partial;
    const etcdRevision = events[0]?.kv?.mod_revision;
    if (etcdRevision === undefined) return;
    this.#partial = [];
    const revision = this.#options.scale.fromEtcd(etcdRevision);
    if (revision <= this.#position || this.#closing.signal.aborted) return;
    this.#position = revision;
    this.#handler.events(revision, events);
  }

  #cancelled({ compact_revision, cancel_reason }: WatchResponse): StorageError {
    const { scale, connection } = this.#options;
    if (compact_revision > 0) {
      return new StorageError('compacted', 'the revision was compacted', {
        revision: this.#position,
        compactedRevision: Math.max(scale.firstRevision, scale.fromEtcd(compact_revision)),
      });
    }
    // A stream's token cannot be exchanged, and etcd words its expiry as it words a missing permission.
    connection.forgetToken();
    return new StorageError('unavailable', `etcd: the watch was cancelled: ${cancel_reason}`);
  }

  #end(error: unknown): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#handler.end(error instanceof Error ? error : new Error(String(error)));
  }
}
