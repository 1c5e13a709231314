import { hash } from 'node:crypto';

export function sha256(text: string | Uint8Array): Buffer {
  // In one call: the object between two calls costs a third of what hashing a few kilobytes does.
  return hash('sha256', text, 'buffer');
}

export function sha256Hex(text: string | Uint8Array): string {
  return hash('sha256', text, 'hex');
}

const base32Alphabet = 'abcdefghijklmnopqrstuvwxyz234567';
const base32Codes = Buffer.from(base32Alphabet);

/** Lower-case base32 (RFC 4648 without padding) of the first `length` × 5 bits of `bytes`; length ≤ 8 × bytes / 5. */
export function base32(bytes: Uint8Array, length: number): string {
  if (length * 5 > bytes.length * 8)
    throw new RangeError(`${bytes.length} bytes are too few for ${length} characters`);
  let text = '';
  let bits = 0;
  let bitCount = 0;
  let at = 0;
  while (text.length < length) {
    if (bitCount < 5) {
      bits = ((bits << 8) | (bytes[at++] as number)) & 0xfff;
      bitCount += 8;
    }
    bitCount -= 5;
    text += base32Alphabet[(bits >> bitCount) & 31];
  }
  return text;
}

/** Lower-case base36 of `bytes` read as one big-endian number, its `length` lowest digits, left-padded with 0. */
export function base36(bytes: Uint8Array, length: number): string {
  const text = BigInt(`0x${Buffer.from(bytes).toString('hex') || '0'}`).toString(36);
  return text.length >= length ? text.slice(text.length - length) : text.padStart(length, '0');
}

/** What is encoded, before it becomes a text in one piece. */
const encoded = Buffer.alloc(56);

/** The first `length` × 5 bits; at most 48 characters. */
export function sha256Base32(text: string | Uint8Array, length: number): string {
  // A text of the digest costs a third less than its bytes, and eight characters at once less than one after the other.
  const digest = hash('sha256', text, 'binary');
  let to = 0;
  for (let at = 0; to < length; at += 5) {
    const a = digest.charCodeAt(at);
    const b = digest.charCodeAt(at + 1);
    const c = digest.charCodeAt(at + 2);
    const d = digest.charCodeAt(at + 3);
    const e = digest.charCodeAt(at + 4);
    encoded[to++] = base32Codes[a >> 3] as number;
    encoded[to++] = base32Codes[((a << 2) | (b >> 6)) & 31] as number;
    encoded[to++] = base32Codes[(b >> 1) & 31] as number;
    encoded[to++] = base32Codes[((b << 4) | (c >> 4)) & 31] as number;
    encoded[to++] = base32Codes[((c << 1) | (d >> 7)) & 31] as number;
    encoded[to++] = base32Codes[(d >> 2) & 31] as number;
    encoded[to++] = base32Codes[((d << 3) | (e >> 5)) & 31] as number;
    encoded[to++] = base32Codes[e & 31] as number;
  }
  return encoded.toString('latin1', 0, length);
}

export function sha256Base36(text: string | Uint8Array, length: number): string {
  return base36(sha256(text), length);
}

/** The first `length` × 6 bits; at most 43 characters. */
export function sha256Base64url(text: string | Uint8Array, length: number): string {
  return hash('sha256', text, 'base64url').slice(0, length);
}

/** 32-bit FNV-1a over UTF-8, unsigned: a fast spread, never for anything that an enemy may collide. */
export function fnv32a(text: string | Uint8Array): number {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
