import { crc32 } from 'node:zlib';
import { StorageError } from '../errors.ts';
import type { Revision } from '../storage.ts';
import { readUint53, writeUint53 } from './key-codec.ts';

/** Under `mhead`, written in every batch, so that it always tells of exactly what is stored beside it. */
export interface Head {
  /** The newest revision. */
  readonly revision: Revision;
  /** States before and events at or before it can no longer be read. */
  readonly compacted: Revision;
  /** Up to here what compaction made superfluous has been deleted; at most `compacted`. */
  readonly pruned: Revision;
  /** Number of present keys. */
  readonly count: number;
  /** Sum (mod 2^32) of the checksums of their pointers. */
  readonly sum: number;
}

/** Under `mids`, written once. */
export interface StoreIds {
  readonly controlPlaneId: string;
  readonly incarnationId: string;
}

export const headKey = Buffer.from('mhead');
export const idsKey = Buffer.from('mids');
const headBytes = 40;

export function encodeHead(head: Head): Buffer {
  const bytes = Buffer.allocUnsafe(headBytes);
  writeUint53(bytes, head.revision, 0);
  writeUint53(bytes, head.compacted, 8);
  writeUint53(bytes, head.pruned, 16);
  writeUint53(bytes, head.count, 24);
  bytes.writeUInt32BE(head.sum, 32);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, 36)), 36);
  return bytes;
}

/** Throws `corrupt`. */
export function decodeHead(bytes: Buffer | undefined): Head {
  if (bytes?.length !== headBytes || bytes.readUInt32BE(36) !== crc32(bytes.subarray(0, 36))) {
    throw new StorageError('corrupt', 'the head record is missing or does not match its checksum');
  }
  return {
    revision: readUint53(bytes, 0) as Revision,
    compacted: readUint53(bytes, 8) as Revision,
    pruned: readUint53(bytes, 16) as Revision,
    count: readUint53(bytes, 24),
    sum: bytes.readUInt32BE(32),
  };
}

export function encodeIds(ids: StoreIds): Buffer {
  return Buffer.from(
    JSON.stringify({ controlPlaneId: ids.controlPlaneId, incarnationId: ids.incarnationId }),
  );
}
