/**
 * A writer of DER (ITU-T X.690, the distinguished encoding of ASN.1), as much of it as X.509 certificates need. Every
 * function returns one complete tag-length-value.
 */

const tagBoolean = 0x01;
const tagInteger = 0x02;
const tagBitString = 0x03;
const tagOctetString = 0x04;
const tagObjectIdentifier = 0x06;
const tagUtf8String = 0x0c;
const tagUtcTime = 0x17;
const tagGeneralizedTime = 0x18;
const tagSequence = 0x30;
const tagSet = 0x31;

/** One element with this tag; the length takes the short form below 128, else the long one (X.690 8.1.3). */
export function tagged(tag: number, content: Uint8Array): Buffer {
  const { length } = content;
  let head: number[];
  if (length < 0x80) head = [tag, length];
  else if (length < 0x100) head = [tag, 0x81, length];
  else if (length < 0x10000) head = [tag, 0x82, length >> 8, length & 0xff];
  else head = [tag, 0x83, length >> 16, (length >> 8) & 0xff, length & 0xff];
  return Buffer.concat([Buffer.from(head), content]);
}

export function sequence(...elements: readonly Uint8Array[]): Buffer {
  return tagged(tagSequence, Buffer.concat(elements));
}

/** DER wants a SET OF's elements in ascending order of their encodings (X.690 11.6). */
export function setOf(...elements: readonly Buffer[]): Buffer {
  return tagged(tagSet, Buffer.concat([...elements].sort(Buffer.compare)));
}

/** A non-negative integer from its big-endian bytes: leading zeros are cut, one is added where the sign bit is set. */
export function integer(bytes: Uint8Array): Buffer {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const trimmed = bytes.subarray(start);
  const first = trimmed[0] ?? 0;
  if (trimmed.length === 0) return tagged(tagInteger, Buffer.of(0));
  return tagged(tagInteger, first & 0x80 ? Buffer.concat([Buffer.of(0), trimmed]) : trimmed);
}

export function boolean(value: boolean): Buffer {
  return tagged(tagBoolean, Buffer.of(value ? 0xff : 0));
}

export function octetString(content: Uint8Array): Buffer {
  return tagged(tagOctetString, content);
}

/** A bit string; `unusedBits` of its last byte do not count. */
export function bitString(content: Uint8Array, unusedBits = 0): Buffer {
  return tagged(tagBitString, Buffer.concat([Buffer.of(unusedBits), content]));
}

export function utf8String(text: string): Buffer {
  return tagged(tagUtf8String, Buffer.from(text, 'utf8'));
}

/** `1.2.840.10045.2.1` → 06 07 2a 86 48 ce 3d 02 01. */
export function objectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes: number[] = [first * 40 + second];
  for (const arc of rest) {
    const groups = [arc & 0x7f];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) {
      groups.unshift((left & 0x7f) | 0x80);
    }
    bytes.push(...groups);
  }
  return tagged(tagObjectIdentifier, Buffer.from(bytes));
}

/** UTCTime through 2049, GeneralizedTime from 2050 on (RFC 5280 4.1.2.5), in whole seconds. */
export function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/[-:T]|\.\d+/g, '');
  return date.getUTCFullYear() < 2050
    ? tagged(tagUtcTime, Buffer.from(digits.slice(2), 'latin1'))
    : tagged(tagGeneralizedTime, Buffer.from(digits, 'latin1'));
}

/** `[n] EXPLICIT`: wraps an element in a constructed context tag. */
export function explicit(number: number, element: Uint8Array): Buffer {
  return tagged(0xa0 | number, element);
}

/** `[n] IMPLICIT` over a primitive: replaces the element's own tag. */
export function implicit(number: number, content: Uint8Array): Buffer {
  return tagged(0x80 | number, content);
}
