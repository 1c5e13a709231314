import fc from 'fast-check';
import type { JsonValue } from '../json.ts';

/** Any JSON value that decoding lets in: none has a member `__proto__` (apimachinery/decode-json.ts refuses it). */
export function jsonFromOutside(constraints: fc.JsonSharedConstraints = {}): fc.Arbitrary<JsonValue> {
  return fc
    .json({ ...constraints })
    .filter((text) => !text.includes('__proto__'))
    .map((text) => JSON.parse(text) as JsonValue);
}
