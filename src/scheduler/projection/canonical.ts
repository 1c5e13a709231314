import { sha256Base32 } from '#apimachinery/hash.ts';
import type { JsonObject, JsonValue } from '#apimachinery/json.ts';

/** JSON with sorted keys: equal for equal content, whatever the order in which it was written. */
export function canonicalJson(value: JsonValue | undefined): string {
  // One call for all of it costs a quarter less than one for each text.
  const sorted = sortedJson(value);
  return sorted === unsortable ? textOf(value) : JSON.stringify(sorted ?? null);
}

/** Stands for what has a key that may be an integer: an object lists such first, in an order of their own. */
const unsortable = Symbol('unsortable');
const digitZero = 0x30;
const digitNine = 0x39;

/** The value with its keys in order, sharing what has none. */
function sortedJson(value: JsonValue | undefined): JsonValue | undefined | typeof unsortable {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    const items: JsonValue[] = [];
    for (const item of value) {
      const sorted = sortedJson(item);
      if (sorted === unsortable) return unsortable;
      items.push(sorted ?? null);
    }
    return items;
  }
  const members: JsonObject = {};
  for (const key of Object.keys(value).sort()) {
    const first = key.charCodeAt(0);
    if (first >= digitZero && first <= digitNine) return unsortable;
    const sorted = sortedJson(value[key]);
    if (sorted === unsortable) return unsortable;
    members[key] = sorted;
  }
  return members;
}

function textOf(value: JsonValue | undefined): string {
  if (value === undefined) return 'null';
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(textOf).join(',')}]`;
  const parts: string[] = [];
  for (const key of Object.keys(value).sort()) {
    const member = value[key];
    if (member !== undefined) parts.push(`${JSON.stringify(key)}:${textOf(member)}`);
  }
  return `{${parts.join(',')}}`;
}

/** 32 characters of base32: 160 bits of SHA-256 over the canonical JSON. */
export function contentHashOf(value: JsonValue): string {
  return sha256Base32(canonicalJson(value), 32);
}
