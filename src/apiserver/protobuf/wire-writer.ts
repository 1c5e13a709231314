/** Room at the start; grows by doubling. */
const startBytes = 64 * 1024;
/** A larger one is given back after the message that needed it. */
const keptBytesMax = 1024 * 1024;
/** Longer texts are encoded by Node; a call costs more than so many characters. */
const shortTextMax = 32;

/**
 * Writes the protobuf wire format from its end to its start: a message's length stands before it, and is known when it is
 * written. One writer is used again and again; what `take` returns is the caller's.
 *
 *     const mark = writer.size;        // fields of the message, the last one first
 *     writer.varint(writer.size - mark);
 *     writer.varint(tag);
 */
export class WireWriter {
  #buffer = Buffer.allocUnsafeSlow(startBytes);
  #at = startBytes;

  /** Bytes written so far. */
  get size(): number {
    return this.#buffer.length - this.#at;
  }

  /** Forgets what was written, also what a message that failed has left. */
  reset(): void {
    if (this.#buffer.length > keptBytesMax) this.#buffer = Buffer.allocUnsafeSlow(startBytes);
    this.#at = this.#buffer.length;
  }

  /** A copy of what was written; the writer is empty afterwards. */
  take(): Buffer {
    const taken = Buffer.allocUnsafe(this.size);
    this.#buffer.copy(taken, 0, this.#at);
    this.reset();
    return taken;
  }

  /** An integer from 0 to 2^53. */
  varint(value: number): void {
    if (value < 0x80) {
      if (this.#at < 1) this.#grow(1);
      this.#buffer[--this.#at] = value;
      return;
    }
    let length = 2;
    for (let rest = value / 0x4000; rest >= 1; rest /= 0x80) length++;
    if (this.#at < length) this.#grow(length);
    this.#at -= length;
    const buffer = this.#buffer;
    let at = this.#at;
    let rest = value;
    while (rest >= 0x80) {
      buffer[at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    buffer[at] = rest;
  }

  /** A field that is zero, empty or false: its tag and one zero byte. */
  zero(tag: number): void {
    if (tag > 0x7f || this.#at < 2) {
      this.varint(0);
      this.varint(tag);
      return;
    }
    this.#buffer[--this.#at] = 0;
    this.#buffer[--this.#at] = tag;
  }

  /** int32, int64: two's complement of 64 bits. What is no number counts as 0; fractions are cut. */
  signed(value: number): void {
    if (value >= 0 && value <= Number.MAX_SAFE_INTEGER) {
      this.varint(Math.trunc(value));
      return;
    }
    if (!Number.isFinite(value)) {
      this.varint(0);
      return;
    }
    let rest = BigInt.asUintN(64, BigInt(Math.trunc(value)));
    const bytes: number[] = [];
    while (rest >= 0x80n) {
      bytes.push(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    bytes.push(Number(rest));
    this.bytes(Uint8Array.from(bytes));
  }

  double(value: number): void {
    if (this.#at < 8) this.#grow(8);
    this.#at -= 8;
    this.#buffer.writeDoubleLE(value, this.#at);
  }

  bytes(value: Uint8Array): void {
    if (this.#at < value.length) this.#grow(value.length);
    this.#at -= value.length;
    this.#buffer.set(value, this.#at);
  }

  /** The text in UTF-8 after its length. */
  text(value: string): void {
    const { length } = value;
    if (length <= shortTextMax && this.#ascii(value, length)) return;
    const bytes = Buffer.byteLength(value);
    if (this.#at < bytes) this.#grow(bytes);
    this.#at -= bytes;
    this.#buffer.write(value, this.#at, bytes, bytes === length ? 'latin1' : 'utf8');
    this.varint(bytes);
  }

  /** Text and length, which is one byte; false, with nothing written, when it is not ASCII. */
  #ascii(value: string, length: number): boolean {
    if (this.#at <= length) this.#grow(length + 1);
    const buffer = this.#buffer;
    const start = this.#at - length;
    for (let index = 0; index < length; index++) {
      const code = value.charCodeAt(index);
      if (code > 0x7f) return false;
      buffer[start + index] = code;
    }
    buffer[start - 1] = length;
    this.#at = start - 1;
    return true;
  }

  #grow(bytes: number): void {
    const { size } = this;
    let length = this.#buffer.length * 2;
    while (length - size < bytes) length *= 2;
    const larger = Buffer.allocUnsafeSlow(length);
    this.#buffer.copy(larger, length - size, this.#at);
    this.#buffer = larger;
    this.#at = length - size;
  }
}
