import { canonicalJson } from '#apimachinery/canonical-json.ts';
import { sha256Base32 } from '#apimachinery/hash.ts';
import type { JsonValue } from '#apimachinery/json.ts';

/** 32 characters of base32: 160 bits of SHA-256 over the canonical JSON. */
export function contentHashOf(value: JsonValue): string {
  return sha256Base32(canonicalJson(value), 32);
}
