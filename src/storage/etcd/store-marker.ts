import { randomUUID } from 'node:crypto';
import { StorageError } from '../errors.ts';
import type { Revision } from '../storage.ts';
import type { EtcdConnection } from './etcd-connection.ts';
import type { KeySpace } from './key-space.ts';
import {
  compareCreateRevision,
  compareModRevision,
  type EtcdKeyValue,
  rangeMethod,
  statusMethod,
  txnMethod,
} from './rpc.ts';

/** Version of what is stored, one more than there are upgrades. A store of a higher one is refused. */
export const etcdFormatVersion = 1;

/**
 * Brings what the prefix holds from one format to the next. It may be cut short anywhere and is then done again from its
 * beginning; two servers may do it at once. Servers of the older format must be stopped.
 */
export type EtcdUpgrade = (connection: EtcdConnection, keys: KeySpace) => Promise<void>;

/** From format 1 to 2, from 2 to 3, and so on. None yet: format 1 is the first. */
export const etcdUpgrades: readonly EtcdUpgrade[] = [];

/** What stands under the marker's key, as JSON. */
export interface StoreMarker {
  readonly format: 'cellplane-etcd';
  readonly version: number;
  readonly controlPlaneId: string;
  readonly incarnationId: string;
  /**
   * The revision of the store that the marker's own revision in etcd counts as: 1 for a new store, far beyond the
   * backup's for a restored one. Everything before it counts as compacted.
   */
  readonly firstRevision: number;
}

/**
 * The store counts its own revisions: as etcd does, from the marker's revision on. So a store that is restored into a
 * new etcd goes on with higher revisions, although etcd begins anew.
 */
export class RevisionScale {
  /** The marker's revision in etcd. It is written once: another one means another store. */
  readonly markerRevision: number;
  readonly firstRevision: Revision;

  constructor(markerRevision: number, firstRevision: number) {
    this.markerRevision = markerRevision;
    this.firstRevision = firstRevision as Revision;
  }

  /** Throws `unusable` beyond 2^53. */
  fromEtcd(etcdRevision: number): Revision {
    const revision = etcdRevision - this.markerRevision + this.firstRevision;
    if (!Number.isSafeInteger(revision)) {
      throw new StorageError('unusable', 'etcd: its revisions are beyond 2^53', { etcdRevision });
    }
    return revision as Revision;
  }

  toEtcd(revision: Revision): number {
    return revision - this.firstRevision + this.markerRevision;
  }
}

export interface OpenedStore {
  readonly marker: StoreMarker;
  readonly scale: RevisionScale;
}

/** Reads the marker; makes it under a prefix that holds nothing. Throws `unusable` for anything else there. */
export async function openStore(
  connection: EtcdConnection,
  keys: KeySpace,
  createIfMissing = true,
  upgrades = etcdUpgrades,
): Promise<OpenedStore> {
  await checkVersion(connection);
  const existing = await readKey(connection, keys.marker);
  if (existing !== undefined) {
    const store = opened(existing, keys);
    await upgrade(connection, keys, store, upgrades);
    return store;
  }
  if (!createIfMissing) throw unusable(keys, 'holds no store');
  const marker: StoreMarker = {
    format: 'cellplane-etcd',
    version: 1 + upgrades.length,
    controlPlaneId: randomUUID(),
    incarnationId: randomUUID(),
    firstRevision: 1,
  };
  await connection.call(
    txnMethod,
    {
      compare: [{ target: compareCreateRevision, create_revision: 0, ...keys.all }],
      success: [{ request_put: { key: keys.marker, value: encodeMarker(marker) } }],
      failure: [],
    },
    { repeatable: true },
  );
  const made = await readKey(connection, keys.marker);
  if (made !== undefined) return opened(made, keys);
  if ((await readKey(connection, keys.restoring)) !== undefined) {
    throw unusable(keys, 'holds a restore that did not come to its end; delete the prefix and restore again');
  }
  throw unusable(keys, 'holds keys that are not of a Cellplane store; choose another prefix');
}

/** Throws `unusable` for a store of a format that is newer than the upgrades lead to. */
async function upgrade(
  connection: EtcdConnection,
  keys: KeySpace,
  { marker }: OpenedStore,
  upgrades: readonly EtcdUpgrade[],
): Promise<void> {
  for (;;) {
    const written = await readKey(connection, keys.format);
    const version = written === undefined ? marker.version : Number(written.value.toString());
    if (!(version >= 1 && version <= 1 + upgrades.length)) {
      const known = 1 + upgrades.length;
      throw unusable(keys, `has format ${version}, this program knows ${known}: use a newer one`);
    }
    const next = upgrades[version - 1];
    if (next === undefined) return;
    await next(connection, keys);
    // Done by another server meanwhile: then it is this one's no more, and is looked at again.
    await connection.call(
      txnMethod,
      {
        compare: [{ target: compareModRevision, key: keys.format, mod_revision: written?.mod_revision ?? 0 }],
        success: [{ request_put: { key: keys.format, value: Buffer.from(String(version + 1)) } }],
        failure: [],
      },
      { repeatable: true },
    );
  }
}

export function encodeMarker(marker: StoreMarker): Buffer {
  return Buffer.from(JSON.stringify(marker));
}

async function readKey(connection: EtcdConnection, key: Buffer): Promise<EtcdKeyValue | undefined> {
  return (await connection.call(rangeMethod, { key }, { repeatable: true })).kvs[0];
}

function opened({ value, mod_revision }: EtcdKeyValue, keys: KeySpace): OpenedStore {
  const marker = parseMarker(value);
  if (marker === undefined) throw unusable(keys, 'has a marker that is not ours');
  return { marker, scale: new RevisionScale(mod_revision, marker.firstRevision) };
}

function parseMarker(bytes: Buffer): StoreMarker | undefined {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
  return isMarker(value) ? value : undefined;
}

function isMarker(value: unknown): value is StoreMarker {
  if (typeof value !== 'object' || value === null) return false;
  const { format, version, controlPlaneId, incarnationId, firstRevision } = value as {
    readonly [name: string]: unknown;
  };
  return (
    format === 'cellplane-etcd' &&
    Number.isInteger(version) &&
    Number(version) >= 1 &&
    typeof controlPlaneId === 'string' &&
    typeof incarnationId === 'string' &&
    Number.isSafeInteger(firstRevision)
  );
}

/** The transactions of 3.3 lack what we need of ranges in comparisons, its watches fragments. */
async function checkVersion(connection: EtcdConnection): Promise<void> {
  const { version } = await connection.call(statusMethod, {}, { repeatable: true });
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > 3 || (major === 3 && minor >= 4)) return;
  throw new StorageError('unusable', `etcd is of version ${version}; at least 3.4 is needed`);
}

function unusable(keys: KeySpace, reason: string): StorageError {
  const prefix = keys.all.key.toString();
  return new StorageError('unusable', `etcd: ${prefix} ${reason}`, { prefix });
}
