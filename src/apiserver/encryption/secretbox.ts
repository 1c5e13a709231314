import { timingSafeEqual } from 'node:crypto';

/** NaCl's secretbox: XSalsa20 and Poly1305 (Bernstein). Node's OpenSSL has neither on its own. */

export const secretboxKeyBytes = 32;
export const secretboxNonceBytes = 24;
const tagBytes = 16;
const blockBytes = 64;
const rounds = 20;

/** `expand 32-byte k` */
const sigma = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574] as const;

/** Tag, then ciphertext. A nonce must never be used twice with one key. */
export function sealSecretbox(key: Buffer, nonce: Buffer, plain: Buffer): Buffer {
  const stream = keyStream(key, nonce, 32 + plain.length);
  const sealed = Buffer.allocUnsafe(tagBytes + plain.length);
  for (let i = 0; i < plain.length; i++) {
    sealed[tagBytes + i] = (plain[i] as number) ^ (stream[32 + i] as number);
  }
  poly1305(stream.subarray(0, 32), sealed.subarray(tagBytes)).copy(sealed);
  return sealed;
}

/** Undefined when it was not sealed with this key and nonce. */
export function openSecretbox(key: Buffer, nonce: Buffer, sealed: Buffer): Buffer | undefined {
  if (sealed.length < tagBytes) return undefined;
  const cipher = sealed.subarray(tagBytes);
  const stream = keyStream(key, nonce, 32 + cipher.length);
  if (!timingSafeEqual(poly1305(stream.subarray(0, 32), cipher), sealed.subarray(0, tagBytes))) {
    return undefined;
  }
  const plain = Buffer.allocUnsafe(cipher.length);
  for (let i = 0; i < cipher.length; i++) plain[i] = (cipher[i] as number) ^ (stream[32 + i] as number);
  return plain;
}

/** XSalsa20: HSalsa20 makes a key of the nonce's first 16 bytes, Salsa20 a stream of the other 8. */
function keyStream(key: Buffer, nonce: Buffer, length: number): Buffer {
  const subkey = hsalsa20(words(key), words(nonce.subarray(0, 16)));
  const [n0 = 0, n1 = 0] = words(nonce.subarray(16));
  const stream = Buffer.allocUnsafe(Math.ceil(length / blockBytes) * blockBytes);
  for (let block = 0; block * blockBytes < length; block++) {
    // A value's bytes number far below 2^32 blocks: the counter's upper word stays 0.
    const input = [n0, n1, block, 0];
    const start = state(subkey, input);
    const mixed = mix(start);
    for (let i = 0; i < 16; i++) {
      stream.writeUInt32LE(((mixed[i] as number) + (start[i] as number)) >>> 0, block * blockBytes + i * 4);
    }
  }
  return stream;
}

function hsalsa20(key: readonly number[], input: readonly number[]): number[] {
  const mixed = mix(state(key, input));
  return [0, 5, 10, 15, 6, 7, 8, 9].map((i) => (mixed[i] as number) >>> 0);
}

function state(key: readonly number[], input: readonly number[]): Int32Array {
  const [k0, k1, k2, k3, k4, k5, k6, k7] = key as readonly [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const [i0, i1, i2, i3] = input as readonly [number, number, number, number];
  return Int32Array.of(
    ...[sigma[0], k0, k1, k2, k3, sigma[1], i0, i1],
    ...[i2, i3, sigma[2], k4, k5, k6, k7, sigma[3]],
  );
}

/** Which words a quarter round turns: columns, then rows. */
const quarters = [
  [0, 4, 8, 12],
  [5, 9, 13, 1],
  [10, 14, 2, 6],
  [15, 3, 7, 11],
  [0, 1, 2, 3],
  [5, 6, 7, 4],
  [10, 11, 8, 9],
  [15, 12, 13, 14],
] as const;

function mix(start: Int32Array): Int32Array {
  const x = Int32Array.from(start);
  for (let round = 0; round < rounds; round += 2) {
    for (const [a, b, c, d] of quarters) {
      x[b]! ^= rotated((x[a]! + x[d]!) | 0, 7);
      x[c]! ^= rotated((x[b]! + x[a]!) | 0, 9);
      x[d]! ^= rotated((x[c]! + x[b]!) | 0, 13);
      x[a]! ^= rotated((x[d]! + x[c]!) | 0, 18);
    }
  }
  return x;
}

function rotated(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by));
}

function words(bytes: Buffer): number[] {
  return Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readInt32LE(i * 4));
}

const prime = (1n << 130n) - 5n;
const clamp = 0x0ffffffc0ffffffc0ffffffc0fffffffn;

/** RFC 8439, 2.5. */
function poly1305(key: Buffer, message: Buffer): Buffer {
  const r = numberOf(key.subarray(0, 16)) & clamp;
  const s = numberOf(key.subarray(16));
  let sum = 0n;
  for (let at = 0; at < message.length; at += 16) {
    const block = message.subarray(at, at + 16);
    sum = ((sum + numberOf(block) + (1n << BigInt(8 * block.length))) * r) % prime;
  }
  const tag = Buffer.alloc(tagBytes);
  const total = (sum + s) & ((1n << 128n) - 1n);
  tag.writeBigUInt64LE(total & 0xffff_ffff_ffff_ffffn, 0);
  tag.writeBigUInt64LE(total >> 64n, 8);
  return tag;
}

function numberOf(bytes: Buffer): bigint {
  if (bytes.length === 16) return bytes.readBigUInt64LE(0) | (bytes.readBigUInt64LE(8) << 64n);
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] as number);
  return value;
}
