import { crc32 } from 'node:zlib';
import { copyBytes } from '#apimachinery/copy-bytes.ts';
import { StorageError } from '../errors.ts';
import type { Revision } from '../storage.ts';
import { readUint53, writeUint53 } from './key-codec.ts';

/**
 * One write of one key, stored under `r<revision><key>`:
 *
 *     0  crc32 of the record's key and of all that follows
 *     4  1 = put, 2 = delete; +16 when the link is a delete
 *     5  link: revision of the key's write before this one, 0 if there was none
 *    13  time of the write, milliseconds since the epoch
 *    19  place among the operations of its revision
 *    21  how many operations its revision has
 *    23  the value
 */
const headerBytes = 23;
const opPut = 1;
const opDelete = 2;
const linkDeletedFlag = 16;

export interface RecordHeader {
  readonly type: 'put' | 'delete';
  readonly link: Revision;
  /** The write before this one was a delete: the key was absent. */
  readonly linkDeleted: boolean;
  readonly timeMs: number;
  readonly index: number;
  readonly count: number;
}

export interface DecodedRecord extends RecordHeader {
  /** A view on the record's bytes; empty for a delete. */
  readonly value: Buffer;
}

export function encodeRecord(
  key: Buffer,
  header: RecordHeader,
  value: Buffer | undefined,
  allocate: (bytes: number) => Buffer,
): Buffer {
  const bytes = allocate(headerBytes + (value?.length ?? 0));
  bytes[4] = (header.type === 'put' ? opPut : opDelete) | (header.linkDeleted ? linkDeletedFlag : 0);
  writeUint53(bytes, header.link, 5);
  bytes.writeUIntBE(header.timeMs, 13, 6);
  bytes.writeUInt16BE(header.index, 19);
  bytes.writeUInt16BE(header.count, 21);
  if (value !== undefined) copyBytes(value, bytes, headerBytes);
  bytes.writeUInt32BE(crc32(bytes.subarray(4), crc32(key)), 0);
  return bytes;
}

/** Throws `corrupt` when the bytes are not what was written under this key. */
export function decodeRecord(key: Buffer, bytes: Buffer | undefined): DecodedRecord {
  if (bytes === undefined) throw corruptRecord(key, 'a record is missing');
  if (bytes.length < headerBytes) throw corruptRecord(key, 'a record is cut short');
  if (bytes.readUInt32BE(0) !== crc32(bytes.subarray(4), crc32(key))) {
    throw corruptRecord(key, 'a record does not match its checksum');
  }
  const flags = bytes[4] as number;
  return {
    type: (flags & 0x0f) === opPut ? 'put' : 'delete',
    link: readUint53(bytes, 5) as Revision,
    linkDeleted: (flags & linkDeletedFlag) !== 0,
    timeMs: bytes.readUIntBE(13, 6),
    index: bytes.readUInt16BE(19),
    count: bytes.readUInt16BE(21),
    value: bytes.subarray(headerBytes),
  };
}

function corruptRecord(key: Buffer, message: string): StorageError {
  return new StorageError('corrupt', message, {
    revision: readUint53(key, 1),
    key: key.toString('utf8', 9),
  });
}
