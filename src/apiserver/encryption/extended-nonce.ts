import { createHmac, randomBytes } from 'node:crypto';
import { openGcm, sealGcm } from './transformers.ts';

/** Bytes of a seed, of the random part that stands before each value, and of the key derived from both. */
export const seedBytes = 32;
const infoBytes = 32;

/**
 * AES-256-GCM under a key of each value's own: HKDF-SHA-256, expansion alone (RFC 5869 §2.3), of the seed with 32 random
 * bytes that stand before the value (KEP-3299). A seed may be used without bound. `context` is authenticated.
 */
export function sealWithSeed(seed: Buffer, plain: Buffer, context: string): Buffer {
  const info = randomBytes(infoBytes);
  return Buffer.concat([info, sealGcm(derivedKey(seed, info), plain, context)]);
}

/** Undefined for what was not sealed with the seed, or under another context. */
export function openWithSeed(seed: Buffer, sealed: Buffer, context: string): Buffer | undefined {
  if (sealed.length < infoBytes) return undefined;
  const key = derivedKey(seed, sealed.subarray(0, infoBytes));
  return openGcm(key, sealed.subarray(infoBytes), context);
}

/** One block of HKDF's expansion is all that a key needs. */
function derivedKey(seed: Buffer, info: Buffer): Buffer {
  return createHmac('sha256', seed).update(info).update(Buffer.of(1)).digest();
}
