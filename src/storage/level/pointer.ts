import { crc32 } from 'node:zlib';
import { StorageError } from '../errors.ts';
import type { Revision } from '../storage.ts';
import { readUint53, writeUint53 } from './key-codec.ts';

/**
 * Where a key stands now, stored under `k<key>`: a byte (1 = present, 2 = deleted), the revision of the key's last
 * write, and the crc32 of the pointer's key and these nine bytes. The sum (mod 2^32) of the checksums of all present
 * keys stands in the head (meta.ts): a pointer that is lost, old or too many is found at open.
 */
export interface Pointer {
  readonly revision: Revision;
  /** False for a delete. */
  readonly present: boolean;
  readonly checksum: number;
}

const pointerBytes = 13;

/** The pointer and its bytes. `key` is the whole LevelDB key. */
export function encodePointer(
  key: Buffer,
  revision: Revision,
  present: boolean,
): { readonly pointer: Pointer; readonly bytes: Buffer } {
  const bytes = Buffer.allocUnsafe(pointerBytes);
  bytes[0] = present ? 1 : 2;
  writeUint53(bytes, revision, 1);
  const checksum = crc32(bytes.subarray(0, 9), crc32(key));
  bytes.writeUInt32BE(checksum, 9);
  return { pointer: { revision, present, checksum }, bytes };
}

/** Throws `corrupt` when the bytes are not what was written under this key. */
export function decodePointer(key: Buffer, bytes: Buffer): Pointer {
  const checksum = bytes.length === pointerBytes ? bytes.readUInt32BE(9) : -1;
  if (checksum !== crc32(bytes.subarray(0, 9), crc32(key))) {
    throw new StorageError('corrupt', 'a pointer does not match its checksum', {
      key: key.toString('utf8', 1),
    });
  }
  return { revision: readUint53(bytes, 1) as Revision, present: bytes[0] === 1, checksum };
}
