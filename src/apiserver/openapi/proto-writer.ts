/** Writes protobuf wire format (proto3) into one growing buffer. */
export class ProtoWriter {
  private buffer = Buffer.allocUnsafe(16 * 1024);
  private length = 0;

  /** What was written so far; a copy. */
  finish(): Buffer {
    return Buffer.from(this.buffer.subarray(0, this.length));
  }

  string(field: number, text: string): void {
    const bytes = Buffer.byteLength(text);
    this.head(field, 2, bytes);
    this.reserve(bytes);
    this.length += this.buffer.write(text, this.length, 'utf8');
  }

  bool(field: number, value: boolean): void {
    this.head(field, 0, value ? 1 : 0);
  }

  /** Safe integers only; negative ones as two's complement of 64 bits. */
  int64(field: number, value: number): void {
    this.varint(field * 8);
    if (value >= 0) {
      this.varint(value);
      return;
    }
    let rest = BigInt.asUintN(64, BigInt(value));
    this.reserve(10);
    while (rest > 127n) {
      this.buffer[this.length++] = Number(rest & 127n) | 128;
      rest >>= 7n;
    }
    this.buffer[this.length++] = Number(rest);
  }

  double(field: number, value: number): void {
    this.varint(field * 8 + 1);
    this.reserve(8);
    this.length = this.buffer.writeDoubleLE(value, this.length);
  }

  /** A nested message: what `write` writes becomes its content. */
  message(field: number, write: () => void): void {
    this.varint(field * 8 + 2);
    const start = this.length;
    write();
    const size = this.length - start;
    const sizeLength = varintLength(size);
    this.reserve(sizeLength);
    this.buffer.copyWithin(start + sizeLength, start, this.length);
    this.length = start;
    this.varint(size);
    this.length += size;
  }

  /** A nested message whose content is already encoded. */
  bytes(field: number, content: Buffer): void {
    this.head(field, 2, content.length);
    this.raw(content);
  }

  /** Encoded fields, as they are. */
  raw(content: Buffer): void {
    this.reserve(content.length);
    this.length += content.copy(this.buffer, this.length);
  }

  private head(field: number, wireType: number, value: number): void {
    this.varint(field * 8 + wireType);
    this.varint(value);
  }

  private varint(value: number): void {
    this.reserve(10);
    let rest = value;
    while (rest > 127) {
      this.buffer[this.length++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.buffer[this.length++] = rest;
  }

  private reserve(bytes: number): void {
    if (this.length + bytes <= this.buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, this.length + bytes));
    this.buffer.copy(larger, 0, 0, this.length);
    this.buffer = larger;
  }
}

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) length++;
  return length;
}
