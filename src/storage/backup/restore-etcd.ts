import { randomUUID } from 'node:crypto';
import type { Clock } from '#apimachinery/clock.ts';
import { StorageError } from '../errors.ts';
import { type EtcdAccess, EtcdConnection } from '../etcd/etcd-connection.ts';
import { KeySpace } from '../etcd/key-space.ts';
import {
  compareCreateRevision,
  compareModRevision,
  rangeMethod,
  type TxnRequest,
  txnMethod,
} from '../etcd/rpc.ts';
import { encodeMarker, etcdFormatVersion } from '../etcd/store-marker.ts';
import { type StorageLogger, silentLogger } from '../logger.ts';
import type { KeyValue } from '../storage.ts';
import { decodeBackup } from './backup-format.ts';
import { type RestoreSummary, restoreRevisionStep } from './restore-level.ts';
import type { KeyProgress } from './write-backup.ts';

export interface EtcdRestoreOptions extends EtcdAccess {
  /** Under which etcd holds nothing. */
  readonly prefix: string;
  readonly source: AsyncIterable<Uint8Array>;
  /** The copy runs beside the original: it gets a control-plane id of its own. */
  readonly asClone?: boolean | undefined;
  /** What a restore that was cut short has left under the prefix goes first. */
  readonly discardUnfinished?: boolean | undefined;
  readonly onProgress?: KeyProgress | undefined;
  readonly clock: Clock;
  readonly logger?: StorageLogger | undefined;
}

/** What an etcd takes with the limits that it comes with: 128 operations, 1.5 MiB. */
const batchItemsMax = 100;
const batchBytesMax = 1024 * 1024;

/**
 * Makes a store in etcd from a backup. The marker comes last, and counts its revision as one far beyond the backup's:
 * so all that was written before is compacted to clients that saw the lost store. Throws `unusable` when the prefix
 * holds anything, `corrupt` for a damaged or incomplete backup; the prefix then holds an unfinished restore, which the
 * store refuses.
 */
export async function restoreEtcdStorage(options: EtcdRestoreOptions): Promise<RestoreSummary> {
  const keys = new KeySpace(options.prefix);
  const connection = new EtcdConnection(options, options.clock, options.logger ?? silentLogger);
  try {
    return await new Restore(connection, keys).run(options);
  } finally {
    connection.close();
  }
}

class Restore {
  readonly #connection: EtcdConnection;
  readonly #keys: KeySpace;
  readonly #id = Buffer.from(randomUUID());
  #batch: KeyValue[] = [];
  #batchBytes = 0;
  #count = 0;

  constructor(connection: EtcdConnection, keys: KeySpace) {
    this.#connection = connection;
    this.#keys = keys;
  }

  async run({ source, asClone, discardUnfinished, onProgress }: EtcdRestoreOptions): Promise<RestoreSummary> {
    const frames = decodeBackup(source);
    const first = await frames.next();
    if (first.done || first.value.type !== 'header') {
      throw new StorageError('corrupt', 'the backup has no header');
    }
    const { header } = first.value;
    if (discardUnfinished === true) await this.#discardUnfinished();
    const claim = await this.#claim();
    for await (const frame of frames) {
      if (frame.type === 'items') {
        for (const item of frame.items) await this.#write(item, claim);
        onProgress?.(this.#count, header.keys);
      }
      if (frame.type === 'end' && frame.end.keys !== this.#count) {
        throw new StorageError('corrupt', 'the backup has lost items', {
          keys: this.#count,
          keysExpected: frame.end.keys,
        });
      }
    }
    await this.#flush(claim);
    const marker = {
      format: 'cellplane-etcd',
      version: etcdFormatVersion,
      controlPlaneId: asClone === true ? randomUUID() : header.controlPlaneId,
      incarnationId: randomUUID(),
      firstRevision: header.revision + restoreRevisionStep,
    } as const;
    const { marker: key, restoring } = this.#keys;
    await this.#guarded(claim, [
      { request_put: { key, value: encodeMarker(marker) } },
      { request_delete_range: { key: restoring } },
    ]);
    const { controlPlaneId, incarnationId, firstRevision } = marker;
    return {
      controlPlaneId,
      incarnationId,
      backupRevision: header.revision,
      revision: firstRevision,
      keys: this.#count,
    };
  }

  /** Whoever is still at it finds its claim gone, and ends. */
  async #discardUnfinished(): Promise<void> {
    const { all, restoring, marker } = this.#keys;
    const [claim] = (await this.#connection.call(rangeMethod, { key: restoring }, { repeatable: true })).kvs;
    if (claim === undefined) return;
    await this.#connection.call(
      txnMethod,
      {
        compare: [
          { target: compareModRevision, key: restoring, mod_revision: claim.mod_revision },
          { target: compareCreateRevision, key: marker, create_revision: 0 },
        ],
        success: [{ request_delete_range: all }],
        failure: [],
      },
      { repeatable: true },
    );
  }

  /** Takes an empty prefix; returns the revision of the claim. */
  async #claim(): Promise<number> {
    const { all, restoring: key } = this.#keys;
    await this.#connection.call(
      txnMethod,
      {
        compare: [{ target: compareCreateRevision, create_revision: 0, ...all }],
        success: [{ request_put: { key, value: this.#id } }],
        failure: [],
      },
      { repeatable: true },
    );
    const [claim] = (await this.#connection.call(rangeMethod, { key }, { repeatable: true })).kvs;
    if (claim?.value.equals(this.#id) === true) return claim.mod_revision;
    const prefix = all.key.toString();
    throw new StorageError('unusable', `etcd: ${prefix} holds something already`, { prefix });
  }

  async #write(item: KeyValue, claim: number): Promise<void> {
    const bytes = item.key.length + item.value.length;
    if (this.#batch.length >= batchItemsMax || this.#batchBytes + bytes > batchBytesMax)
      await this.#flush(claim);
    this.#batch.push(item);
    this.#batchBytes += bytes;
    this.#count++;
  }

  async #flush(claim: number): Promise<void> {
    if (this.#batch.length === 0) return;
    const batch = this.#batch;
    this.#batch = [];
    this.#batchBytes = 0;
    await this.#guarded(
      claim,
      batch.map(({ key, value }) => ({ request_put: { key: this.#keys.encode(key), value } })),
    );
  }

  async #guarded(claim: number, success: TxnRequest['success']): Promise<void> {
    const compare = [{ target: compareModRevision, key: this.#keys.restoring, mod_revision: claim }];
    const { succeeded } = await this.#connection.call(
      txnMethod,
      { compare, success, failure: [] },
      { repeatable: false },
    );
    if (!succeeded)
      throw new StorageError('unusable', 'etcd: somebody else has changed what is being restored');
  }
}
