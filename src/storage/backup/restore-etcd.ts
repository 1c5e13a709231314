import { randomUUID } from 'node:crypto';
import type { Clock } from '#apimachinery/clock.ts';
import { StorageError } from '../errors.ts';
import { type EtcdAccess, EtcdConnection } from '../etcd/etcd-connection.ts';
import { KeySpace } from '../etcd/key-space.ts';
import { RangeReader } from '../etcd/ranges.ts';
import {
  compareCreateRevision,
  compareModRevision,
  rangeMethod,
  type TxnRequest,
  txnMethod,
} from '../etcd/rpc.ts';
import { encodeMarker, etcdFormatVersion, RevisionScale } from '../etcd/store-marker.ts';
import { type StorageLogger, silentLogger } from '../logger.ts';
import type { KeyValue, Revision, StorageKey } from '../storage.ts';
import { decodeBackup } from './backup-format.ts';
import { type Difference, Differences } from './difference.ts';
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
  /**
   * Goes on where one of the same control plane was cut short there: what it has written is read, and only what differs is
   * written. Default false.
   */
  readonly resume?: boolean | undefined;
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
  readonly #id = randomUUID();
  #batch: KeyValue[] = [];
  #batchBytes = 0;
  #count = 0;
  #kept = 0;

  constructor(connection: EtcdConnection, keys: KeySpace) {
    this.#connection = connection;
    this.#keys = keys;
  }

  async run(options: EtcdRestoreOptions): Promise<RestoreSummary> {
    const { asClone, discardUnfinished, onProgress } = options;
    const frames = decodeBackup(options.source);
    const first = await frames.next();
    if (first.done || first.value.type !== 'header') {
      throw new StorageError('corrupt', 'the backup has no header');
    }
    const { header } = first.value;
    if (discardUnfinished === true) await this.#discardUnfinished();
    const controlPlaneId = asClone === true ? randomUUID() : header.controlPlaneId;
    const resumed = options.resume === true ? await this.#resume(controlPlaneId) : undefined;
    const claim = resumed ?? (await this.#claim(controlPlaneId));
    const differences = resumed === undefined ? undefined : new Differences(this.#standing());
    for await (const frame of frames) {
      if (frame.type === 'items') {
        if (differences === undefined) for (const item of frame.items) await this.#write(item, claim);
        else await this.#settle(await differences.next(frame.items), claim);
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
    for await (const keys of differences?.rest() ?? []) await this.#remove(keys, claim);
    const marker = {
      format: 'cellplane-etcd',
      version: etcdFormatVersion,
      controlPlaneId,
      incarnationId: randomUUID(),
      firstRevision: header.revision + restoreRevisionStep,
    } as const;
    const { marker: key, restoring } = this.#keys;
    await this.#guarded(claim, [
      { request_put: { key, value: encodeMarker(marker) } },
      { request_delete_range: { key: restoring } },
    ]);
    const { incarnationId, firstRevision } = marker;
    return {
      controlPlaneId,
      incarnationId,
      backupRevision: header.revision,
      revision: firstRevision,
      keys: this.#count,
      kept: this.#kept,
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
  async #claim(controlPlaneId: string): Promise<number> {
    const { all, restoring: key } = this.#keys;
    await this.#connection.call(
      txnMethod,
      {
        compare: [{ target: compareCreateRevision, create_revision: 0, ...all }],
        success: [{ request_put: { key, value: this.#claimOf(controlPlaneId) } }],
        failure: [],
      },
      { repeatable: true },
    );
    const claim = await this.#ownClaim(controlPlaneId);
    if (claim !== undefined) return claim;
    const prefix = all.key.toString();
    throw new StorageError('unusable', `etcd: ${prefix} holds something already`, { prefix });
  }

  /** Takes over the claim of a restore of the same control plane that was cut short, if there is one. */
  async #resume(controlPlaneId: string): Promise<number | undefined> {
    const { restoring: key, marker, all } = this.#keys;
    const [found] = (await this.#connection.call(rangeMethod, { key }, { repeatable: true })).kvs;
    if (found === undefined) return undefined;
    if (!found.value.toString().endsWith(` ${controlPlaneId}`)) {
      const prefix = all.key.toString();
      throw new StorageError(
        'unusable',
        `etcd: ${prefix} holds an unfinished restore of another control plane`,
        {
          prefix,
        },
      );
    }
    await this.#connection.call(
      txnMethod,
      {
        compare: [
          { target: compareModRevision, key, mod_revision: found.mod_revision },
          { target: compareCreateRevision, key: marker, create_revision: 0 },
        ],
        success: [{ request_put: { key, value: this.#claimOf(controlPlaneId) } }],
        failure: [],
      },
      { repeatable: true },
    );
    const claim = await this.#ownClaim(controlPlaneId);
    if (claim !== undefined) return claim;
    throw takenAway();
  }

  /** What is written under the claim's key: who restores, and which control plane. */
  #claimOf(controlPlaneId: string): Buffer {
    return Buffer.from(`${this.#id} ${controlPlaneId}`);
  }

  async #ownClaim(controlPlaneId: string): Promise<number | undefined> {
    const { restoring: key } = this.#keys;
    const [claim] = (await this.#connection.call(rangeMethod, { key }, { repeatable: true })).kvs;
    return claim?.value.equals(this.#claimOf(controlPlaneId)) === true ? claim.mod_revision : undefined;
  }

  /** What an earlier restore has written, by pages. */
  async *#standing(): AsyncGenerator<readonly KeyValue[]> {
    const keys = this.#keys;
    // No revision is looked at: any scale will do.
    const reader = new RangeReader({ connection: this.#connection, keys, scale: new RevisionScale(0, 0) });
    let startAfter: StorageKey | undefined;
    for (let more = true; more; ) {
      const page = await reader.read(
        { prefix: '', startAfter, limit: batchItemsMax, bytesMax: batchBytesMax },
        ({ header }) => (header?.revision ?? 0) as Revision,
      );
      yield page.items;
      startAfter = page.items.at(-1)?.key;
      more = page.more;
    }
  }

  /** Brings what an earlier restore has written to what it should be. */
  async #settle({ puts, deletes, kept }: Difference, claim: number): Promise<void> {
    await this.#remove(deletes, claim);
    for (const item of puts) await this.#write(item, claim);
    this.#count += kept.length;
    this.#kept += kept.length;
  }

  async #remove(keys: readonly StorageKey[], claim: number): Promise<void> {
    for (let start = 0; start < keys.length; start += batchItemsMax) {
      const some = keys.slice(start, start + batchItemsMax);
      await this.#guarded(
        claim,
        some.map((key) => ({ request_delete_range: { key: this.#keys.encode(key) } })),
      );
    }
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
    if (!succeeded) throw takenAway();
  }
}

function takenAway(): StorageError {
  return new StorageError('unusable', 'etcd: somebody else has changed what is being restored');
}
