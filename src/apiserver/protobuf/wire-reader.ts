import { badRequest } from '#apimachinery/api-error.ts';

/** The four wire types that proto2 messages of Kubernetes use; groups (3, 4) are refused. */
export const wireVarint = 0;
export const wireFixed64 = 1;
export const wireBytes = 2;
export const wireFixed32 = 5;

/** Reads the protobuf wire format from a part of a buffer without copying it. Throws ApiError BadRequest when malformed. */
export class WireReader {
  readonly buffer: Buffer;
  offset: number;
  readonly end: number;

  constructor(buffer: Buffer, start: number, end: number) {
    this.buffer = buffer;
    this.offset = start;
    this.end = end;
  }

  get done(): boolean {
    return this.offset >= this.end;
  }

  /** Field number × 8 + wire type. */
  tag(): number {
    const tag = this.varint();
    if (tag < 8 || tag > 0xffffffff) throw malformed('illegal field tag');
    return tag;
  }

  /** An unsigned varint; beyond 2^53 it loses its low bits, which only sizes and tags would mind (and those are refused). */
  varint(): number {
    let value = 0;
    let factor = 1;
    for (let i = 0; i < 10; i++) {
      if (this.offset >= this.end) throw malformed('unexpected end');
      const byte = this.buffer[this.offset++]!;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 128;
    }
    throw malformed('varint is too long');
  }

  /** A two's complement varint of 64 bits (int32, int64). */
  signed(): number {
    const start = this.offset;
    const value = this.varint();
    if (value <= Number.MAX_SAFE_INTEGER) return value;
    let exact = 0n;
    for (let i = this.offset - 1; i >= start; i--) exact = (exact << 7n) | BigInt(this.buffer[i]! & 0x7f);
    return Number(BigInt.asIntN(64, exact));
  }

  double(): number {
    this.need(8);
    const value = this.buffer.readDoubleLE(this.offset);
    this.offset += 8;
    return value;
  }

  /** A reader of the length-delimited part that follows. */
  part(): WireReader {
    const length = this.varint();
    this.need(length);
    const start = this.offset;
    this.offset += length;
    return new WireReader(this.buffer, start, this.offset);
  }

  text(): string {
    const length = this.varint();
    this.need(length);
    const start = this.offset;
    this.offset += length;
    return this.buffer.toString('utf8', start, this.offset);
  }

  /** The length-delimited bytes that follow, sharing memory with the buffer. */
  bytes(): Buffer {
    const part = this.part();
    return part.buffer.subarray(part.offset, part.end);
  }

  /** Everything from here on. */
  rest(): Buffer {
    return this.buffer.subarray(this.offset, this.end);
  }

  skip(wireType: number): void {
    switch (wireType) {
      case wireVarint:
        this.varint();
        return;
      case wireFixed64:
        this.need(8);
        this.offset += 8;
        return;
      case wireBytes:
        this.part();
        return;
      case wireFixed32:
        this.need(4);
        this.offset += 4;
        return;
      default:
        throw malformed(`illegal wire type ${wireType}`);
    }
  }

  private need(length: number): void {
    if (length > this.end - this.offset) throw malformed('unexpected end');
  }
}

export function malformed(why: string): Error {
  return badRequest(`couldn't decode the body as Kubernetes protobuf: ${why}`);
}
