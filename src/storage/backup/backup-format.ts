import { createHash, type Hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { StorageError } from '../errors.ts';
import { keyOfPointerKey, pointerKey, readUint53, writeUint53 } from '../level/key-codec.ts';
import type { KeyValue, Revision } from '../storage.ts';

/**
 * A backup is the magic line and then frames: length (4 bytes, big endian), crc32 of the payload (4 bytes), payload. The
 * payload's first byte tells what it is:
 *
 * - `h`, once, first: JSON of BackupHeader;
 * - `i`: items in key order: revision (8 bytes), key length (4), value length (4), key, value;
 * - `e`, once, last: JSON of BackupEnd. A backup without it is cut short.
 */
const magic = Buffer.from('cellplane-backup 1\n');
const frameHeaderBytes = 8;
const itemHeaderBytes = 16;
/** No frame that we write comes near this; a longer one is damage. */
const frameBytesMax = 64 * 1024 * 1024;

export interface BackupHeader {
  readonly controlPlaneId: string;
  readonly incarnationId: string;
  /** The revision that the backup is the state of. */
  readonly revision: number;
  readonly createdAtMs: number;
  /** How many items there are, to tell how far a restore is. Absent in early backups. */
  readonly keys?: number | undefined;
}

export interface BackupEnd {
  readonly keys: number;
  /** SHA-256, hexadecimal, of all bytes before this frame. Absent in early backups. */
  readonly sha256?: string | undefined;
}

export type BackupFrame =
  | { readonly type: 'header'; readonly header: BackupHeader }
  | { readonly type: 'items'; readonly items: KeyValue[] }
  | { readonly type: 'end'; readonly end: BackupEnd };

export function encodeHeader(header: BackupHeader): Buffer {
  return Buffer.concat([magic, frame([Buffer.from(`h${JSON.stringify(header)}`)])]);
}

export function encodeItems(items: readonly KeyValue[]): Buffer {
  const parts: Buffer[] = [Buffer.from('i')];
  for (const { key, value, revision } of items) {
    const keyBytes = pointerKey(key).subarray(1);
    const head = Buffer.allocUnsafe(itemHeaderBytes);
    writeUint53(head, revision, 0);
    head.writeUInt32BE(keyBytes.length, 8);
    head.writeUInt32BE(value.length, 12);
    parts.push(head, keyBytes, value);
  }
  return frame(parts);
}

export function encodeEnd(end: BackupEnd): Buffer {
  return frame([Buffer.from(`e${JSON.stringify(end)}`)]);
}

/** The frames of a backup. Throws `corrupt` where a checksum does not match, the end is missing, or something follows it. */
export async function* decodeBackup(source: AsyncIterable<Uint8Array>): AsyncGenerator<BackupFrame> {
  const reader = new ByteReader(source);
  const start = await reader.take(magic.length);
  if (start === undefined || !start.equals(magic)) throw damaged('this is not a backup of a Cellplane store');
  for (;;) {
    const sha256 = reader.digest();
    const head = await reader.take(frameHeaderBytes);
    if (head === undefined) throw damaged('the backup is cut short');
    const length = head.readUInt32BE(0);
    if (length === 0 || length > frameBytesMax) throw damaged('the backup has a frame of impossible length');
    const payload = await reader.take(length);
    if (payload === undefined) throw damaged('the backup is cut short');
    if (crc32(payload) !== head.readUInt32BE(4)) throw damaged('the backup does not match its checksum');
    const decoded = decodePayload(payload);
    if (decoded.type === 'end') {
      if (decoded.end.sha256 !== undefined && decoded.end.sha256 !== sha256) {
        throw damaged('the backup does not match its checksum');
      }
      if ((await reader.take(1)) !== undefined) throw damaged('something follows the end of the backup');
    }
    yield decoded;
    if (decoded.type === 'end') return;
  }
}

function frame(parts: readonly Buffer[]): Buffer {
  const payload = Buffer.concat(parts);
  const head = Buffer.allocUnsafe(frameHeaderBytes);
  head.writeUInt32BE(payload.length, 0);
  head.writeUInt32BE(crc32(payload), 4);
  return Buffer.concat([head, payload]);
}

function decodePayload(payload: Buffer): BackupFrame {
  const type = String.fromCharCode(payload[0] as number);
  switch (type) {
    case 'h':
      return { type: 'header', header: JSON.parse(payload.toString('utf8', 1)) as BackupHeader };
    case 'e':
      return { type: 'end', end: JSON.parse(payload.toString('utf8', 1)) as BackupEnd };
    case 'i':
      return { type: 'items', items: decodeItems(payload) };
    default:
      throw damaged(`the backup has a frame of unknown type ${type}`);
  }
}

function decodeItems(payload: Buffer): KeyValue[] {
  const items: KeyValue[] = [];
  for (let at = 1; at < payload.length; ) {
    const revision = readUint53(payload, at) as Revision;
    const keyStart = at + itemHeaderBytes;
    const keyEnd = keyStart + payload.readUInt32BE(at + 8);
    const valueEnd = keyEnd + payload.readUInt32BE(at + 12);
    // The codec expects a tag before the key: any byte will do.
    const key = keyOfPointerKey(payload.subarray(keyStart - 1, keyEnd));
    items.push({ key, revision, value: payload.subarray(keyEnd, valueEnd) });
    at = valueEnd;
  }
  return items;
}

function damaged(message: string): StorageError {
  return new StorageError('corrupt', message);
}

/** Takes exact numbers of bytes from a stream. */
class ByteReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #held: Buffer[] = [];
  #heldBytes = 0;
  readonly #hash: Hash = createHash('sha256');

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#chunks = source[Symbol.asyncIterator]();
  }

  /** SHA-256 of all that was taken, hexadecimal. */
  digest(): string {
    return this.#hash.copy().digest('hex');
  }

  /** Undefined when the stream ends before. */
  async take(bytes: number): Promise<Buffer | undefined> {
    while (this.#heldBytes < bytes) {
      const next = await this.#chunks.next();
      if (next.done) return undefined;
      this.#held.push(Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength));
      this.#heldBytes += next.value.byteLength;
    }
    const whole = this.#held.length === 1 ? (this.#held[0] as Buffer) : Buffer.concat(this.#held);
    this.#held = [whole.subarray(bytes)];
    this.#heldBytes = whole.length - bytes;
    const taken = whole.subarray(0, bytes);
    this.#hash.update(taken);
    return taken;
  }
}
