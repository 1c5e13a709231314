import type { JsonValue } from '../json.ts';
import { JsonList, JsonMap } from './json-values.ts';
import { CelList, CelMap, Opaque, type Value } from './values.ts';

/** Size as `size()` counts: code points, bytes, elements, entries; 1 for anything else. */
export function sizeOf(value: Value): number {
  if (typeof value === 'string') return codePointCount(value);
  if (value instanceof CelList || value instanceof CelMap || value instanceof Opaque) return value.size;
  if (value instanceof Uint8Array) return value.length;
  return 1;
}

/** Length in code points. */
export function codePointCount(text: string): number {
  let count = text.length;
  for (let i = 0; i + 1 < text.length; i++) {
    if ((text.charCodeAt(i) & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      count--;
      i++;
    }
  }
  return count;
}

/** Nodes and text of a value, in the unit of a call's cost: what comparing or copying it takes beyond its outermost level. */
export function weightOf(value: Value): number {
  if (value instanceof JsonList || value instanceof JsonMap) return jsonWeight(value.json as JsonValue);
  if (value instanceof CelList) {
    let weight = 1;
    for (let i = 0; i < value.size; i++) weight += weightOf(value.at(i));
    return weight;
  }
  if (value instanceof CelMap) {
    let weight = 1;
    for (const key of value.keys()) weight += weightOf(value.get(key) as Value);
    return weight;
  }
  return typeof value === 'string' ? 1 + value.length / 32 : 1;
}

function jsonWeight(json: JsonValue): number {
  if (typeof json === 'string') return 1 + json.length / 32;
  if (typeof json !== 'object' || json === null) return 1;
  let weight = 1;
  if (Array.isArray(json)) for (const item of json) weight += jsonWeight(item);
  else for (const key in json) weight += jsonWeight(json[key] ?? null);
  return weight;
}
