/**
 * The part of the protocol buffers wire format (protobuf.dev/programming-guides/encoding) that etcd's messages need:
 * varints, byte strings, nested messages, repeated ones. A message is a table of its fields; fields that the table
 * lacks are skipped, so that newer servers are understood.
 */
export type FieldKind = 'number' | 'bool' | 'bytes' | 'string';

export interface FieldSpec {
  readonly number: number;
  readonly kind: FieldKind | MessageType<object>;
  readonly repeated?: boolean;
}

const varintWire = 0;
const fixed64Wire = 1;
const lengthWire = 2;
const fixed32Wire = 5;

/** A number that does not fit 2^53, or bytes that are no message of the type. */
export class ProtoError extends Error {
  override readonly name = 'ProtoError';
}

interface Field extends FieldSpec {
  readonly name: string;
  readonly tag: number;
  readonly tagBytes: number;
}

type Fields = { [name: string]: unknown };

/**
 * Codec of one message. Encoding leaves out what is undefined, 0, false or empty, as proto3 does; nested messages are
 * written even when empty. Decoding fills in those defaults, except nested messages: absent ones are undefined.
 */
export class MessageType<T extends object> {
  readonly #fields: readonly Field[];
  readonly #byNumber: (Field | undefined)[] = [];

  constructor(fields: { readonly [Name in keyof Required<T>]: FieldSpec }) {
    this.#fields = Object.entries<FieldSpec>(fields).map(([name, spec]) => {
      const tag =
        spec.number * 8 + (spec.kind === 'number' || spec.kind === 'bool' ? varintWire : lengthWire);
      return { name, ...spec, tag, tagBytes: varintBytes(tag) };
    });
    for (const field of this.#fields) this.#byNumber[field.number] = field;
  }

  encode(message: T): Buffer {
    const bytes = Buffer.allocUnsafe(this.size(message));
    this.write(message, bytes, 0);
    return bytes;
  }

  /** Throws ProtoError. Byte strings are views on `bytes`. */
  decode(bytes: Buffer): T {
    return this.read(bytes, 0, bytes.length);
  }

  /** Number of bytes that `write` will write. */
  size(message: T): number {
    let size = 0;
    for (const field of this.#fields) {
      const value = (message as Fields)[field.name];
      if (value === undefined) continue;
      if (field.repeated === true) {
        for (const item of value as readonly unknown[]) size += field.tagBytes + payloadBytes(field, item);
      } else if (!isDefault(value)) {
        size += field.tagBytes + payloadBytes(field, value);
      }
    }
    return size;
  }

  /** Returns the offset after what was written. */
  write(message: T, bytes: Buffer, start: number): number {
    let at = start;
    for (const field of this.#fields) {
      const value = (message as Fields)[field.name];
      if (value === undefined) continue;
      if (field.repeated === true) {
        for (const item of value as readonly unknown[]) at = writeField(field, item, bytes, at);
      } else if (!isDefault(value)) {
        at = writeField(field, value, bytes, at);
      }
    }
    return at;
  }

  read(bytes: Buffer, start: number, end: number): T {
    const message: Fields = {};
    for (const field of this.#fields) message[field.name] = defaultOf(field);
    const cursor = new Cursor(bytes, start, end);
    while (cursor.at < end) {
      const tag = cursor.varint();
      const field = this.#byNumber[Math.floor(tag / 8)];
      if (field === undefined || field.tag !== tag) {
        cursor.skip(tag % 8);
        continue;
      }
      const value = readField(field, cursor);
      if (field.repeated === true) (message[field.name] as unknown[]).push(value);
      else message[field.name] = value;
    }
    return message as T;
  }
}

function isDefault(value: unknown): boolean {
  return value === 0 || value === false || value === '' || (Buffer.isBuffer(value) && value.length === 0);
}

const noBytes = Buffer.alloc(0);

function defaultOf({ kind, repeated }: Field): unknown {
  if (repeated === true) return [];
  switch (kind) {
    case 'number':
      return 0;
    case 'bool':
      return false;
    case 'bytes':
      return noBytes;
    case 'string':
      return '';
    default:
      return undefined;
  }
}

/** Bytes of the value after its tag, length included. */
function payloadBytes({ kind }: Field, value: unknown): number {
  switch (kind) {
    case 'number':
      return varintBytes(value as number);
    case 'bool':
      return 1;
    case 'bytes':
      return withLength((value as Buffer).length);
    case 'string':
      return withLength(Buffer.byteLength(value as string));
    default:
      return withLength(kind.size(value as object));
  }
}

function withLength(length: number): number {
  return varintBytes(length) + length;
}

function writeField({ kind, tag }: Field, value: unknown, bytes: Buffer, start: number): number {
  let at = writeVarint(tag, bytes, start);
  switch (kind) {
    case 'number':
      return writeVarint(value as number, bytes, at);
    case 'bool':
      return writeVarint(value === true ? 1 : 0, bytes, at);
    case 'bytes': {
      const content = value as Buffer;
      at = writeVarint(content.length, bytes, at);
      content.copy(bytes, at);
      return at + content.length;
    }
    case 'string': {
      const length = Buffer.byteLength(value as string);
      at = writeVarint(length, bytes, at);
      bytes.write(value as string, at, 'utf8');
      return at + length;
    }
    default: {
      at = writeVarint(kind.size(value as object), bytes, at);
      return kind.write(value as object, bytes, at);
    }
  }
}

function readField({ kind }: Field, cursor: Cursor): unknown {
  switch (kind) {
    case 'number':
      return cursor.varint();
    case 'bool':
      return cursor.varint() !== 0;
    default: {
      const start = cursor.bytes();
      if (kind === 'bytes') return cursor.source.subarray(start, cursor.at);
      if (kind === 'string') return cursor.source.toString('utf8', start, cursor.at);
      return kind.read(cursor.source, start, cursor.at);
    }
  }
}

/** For whole numbers from 0 to 2^53. */
function varintBytes(value: number): number {
  let count = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) count++;
  return count;
}

function writeVarint(value: number, bytes: Buffer, start: number): number {
  if (!Number.isSafeInteger(value) || value < 0) throw new ProtoError(`not a number for etcd: ${value}`);
  let at = start;
  let rest = value;
  while (rest >= 0x80) {
    bytes[at++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  bytes[at++] = rest;
  return at;
}

class Cursor {
  readonly source: Buffer;
  readonly #end: number;
  at: number;

  constructor(source: Buffer, start: number, end: number) {
    this.source = source;
    this.at = start;
    this.#end = end;
  }

  /** A signed 64-bit number; throws when it does not fit 2^53. */
  varint(): number {
    const start = this.at;
    let value = 0;
    for (let scale = 1; ; scale *= 0x80) {
      const byte = this.#next();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
    }
    if (this.at - start > 9) return this.#negative(start);
    if (!Number.isSafeInteger(value)) throw new ProtoError('a number from etcd is beyond 2^53');
    return value;
  }

  /** Steps over a length and its bytes; returns where the bytes begin. */
  bytes(): number {
    const length = this.varint();
    const start = this.at;
    if (length < 0 || start + length > this.#end) throw new ProtoError('a message from etcd is cut short');
    this.at = start + length;
    return start;
  }

  skip(wire: number): void {
    switch (wire) {
      case varintWire:
        while (this.#next() >= 0x80);
        return;
      case fixed64Wire:
        this.at += 8;
        return;
      case lengthWire:
        this.bytes();
        return;
      case fixed32Wire:
        this.at += 4;
        return;
      default:
        throw new ProtoError(`a message from etcd has an unknown wire type: ${wire}`);
    }
  }

  /** Ten bytes: two's complement. */
  #negative(start: number): number {
    let value = 0n;
    for (let at = start, shift = 0n; at < this.at; at++, shift += 7n) {
      value |= BigInt((this.source[at] ?? 0) & 0x7f) << shift;
    }
    const signed = BigInt.asIntN(64, value);
    if (signed < BigInt(Number.MIN_SAFE_INTEGER) || signed > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw new ProtoError('a number from etcd is beyond 2^53');
    }
    return Number(signed);
  }

  #next(): number {
    if (this.at >= this.#end) throw new ProtoError('a message from etcd is cut short');
    return this.source[this.at++] ?? 0;
  }
}
