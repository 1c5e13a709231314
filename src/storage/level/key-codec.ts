import { isAscii } from 'node:buffer';
import type { Revision, StorageKey } from '../storage.ts';

/**
 * Keys in LevelDB, which compares bytes:
 *
 * - `k<key>`: where the key stands now (pointer.ts), deletions included until they are compacted;
 * - `r<revision, 8 bytes, big endian><key>`: what was written (record.ts);
 * - `m<name>`: the store's own (meta.ts).
 *
 * A storage key is written in UTF-8, except that each half of a surrogate pair is written by itself (CESU-8): so bytes
 * sort as UTF-16 units do (key-order.ts). For ASCII, that is for nearly every key, all of these are the same.
 */
const pointerTag = 0x6b;
const recordTag = 0x72;
const recordKeyBytes = 9;

/** Least and greatest keys of the two ranges; the latter exclusive. */
export const pointerRange = { start: Buffer.from('k'), end: Buffer.from('l') } as const;

export function pointerKey(key: string): Buffer {
  return withKey(key, 1, pointerTag);
}

export function recordKey(revision: Revision, key: string): Buffer {
  const bytes = withKey(key, recordKeyBytes, recordTag);
  writeUint53(bytes, revision, 1);
  return bytes;
}

/** The least record key of `revision`. */
export function recordStart(revision: number): Buffer {
  const bytes = Buffer.allocUnsafe(recordKeyBytes);
  bytes[0] = recordTag;
  writeUint53(bytes, revision, 1);
  return bytes;
}

export function keyOfPointerKey(bytes: Buffer): StorageKey {
  return decodeStorageKey(bytes, 1);
}

export function keyOfRecordKey(bytes: Buffer): StorageKey {
  return decodeStorageKey(bytes, recordKeyBytes);
}

export function revisionOfRecordKey(bytes: Buffer): Revision {
  return readUint53(bytes, 1) as Revision;
}

/** A number below 2^53 as eight bytes, big endian: sorts as the number does. */
export function writeUint53(bytes: Buffer, value: number, offset: number): void {
  bytes.writeUInt32BE(Math.floor(value / 2 ** 32), offset);
  bytes.writeUInt32BE(value % 2 ** 32, offset + 4);
}

export function readUint53(bytes: Buffer, offset: number): number {
  return bytes.readUInt32BE(offset) * 2 ** 32 + bytes.readUInt32BE(offset + 4);
}

/** `head` and the key after it. */
export function encodeStorageKey(key: string, head: Buffer): Buffer {
  const length = encodedLength(key);
  const bytes = Buffer.allocUnsafe(head.length + length);
  head.copy(bytes);
  if (length === key.length) bytes.write(key, head.length, 'latin1');
  else encodeUnits(key, bytes, head.length);
  return bytes;
}

function withKey(key: string, headBytes: number, tag: number): Buffer {
  const length = encodedLength(key);
  const bytes = Buffer.allocUnsafe(headBytes + length);
  bytes[0] = tag;
  if (length === key.length) bytes.write(key, headBytes, 'latin1');
  else encodeUnits(key, bytes, headBytes);
  return bytes;
}

function encodedLength(key: string): number {
  // Nearly always right at once: only for ASCII are both lengths equal.
  if (Buffer.byteLength(key) === key.length) return key.length;
  let length = 0;
  for (let index = 0; index < key.length; index++) {
    const unit = key.charCodeAt(index);
    length += unit < 0x80 ? 1 : unit < 0x800 ? 2 : 3;
  }
  return length;
}

function encodeUnits(key: string, bytes: Buffer, start: number): void {
  let at = start;
  for (let index = 0; index < key.length; index++) {
    const unit = key.charCodeAt(index);
    if (unit < 0x80) {
      bytes[at++] = unit;
    } else if (unit < 0x800) {
      bytes[at++] = 0xc0 | (unit >> 6);
      bytes[at++] = 0x80 | (unit & 0x3f);
    } else {
      bytes[at++] = 0xe0 | (unit >> 12);
      bytes[at++] = 0x80 | ((unit >> 6) & 0x3f);
      bytes[at++] = 0x80 | (unit & 0x3f);
    }
  }
}

/** The key that is written from `start` on. */
export function decodeStorageKey(bytes: Buffer, start: number): StorageKey {
  const encoded = bytes.subarray(start);
  if (isAscii(encoded)) return encoded.toString('latin1') as StorageKey;
  const units: number[] = [];
  for (let at = 0; at < encoded.length; ) {
    const first = encoded[at++] as number;
    if (first < 0x80) units.push(first);
    else if (first < 0xe0) units.push(((first & 0x1f) << 6) | ((encoded[at++] ?? 0) & 0x3f));
    else
      units.push(
        ((first & 0x0f) << 12) | (((encoded[at++] ?? 0) & 0x3f) << 6) | ((encoded[at++] ?? 0) & 0x3f),
      );
  }
  return String.fromCharCode(...units) as StorageKey;
}

/** The least byte string greater than all that start with `start`, which has a tag that is not 0xff. */
export function bytesEnd(start: Buffer): Buffer {
  const end = Buffer.from(start);
  for (let index = end.length - 1; index >= 0; index--) {
    const byte = end[index] as number;
    if (byte === 0xff) continue;
    end[index] = byte + 1;
    return end.subarray(0, index + 1);
  }
  return end;
}
