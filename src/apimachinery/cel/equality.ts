import { canonicalJson } from '../canonical-json.ts';
import { JsonMap, jsonOrNull, listDeclOf } from './json-values.ts';
import { CelType, type Decl } from './types.ts';
import { CelList, CelMap, Duration, Opaque, Optional, Timestamp, Uint, type Value } from './values.ts';

/** Equality of CEL: numbers across their types, everything else only within a type; never an error. */
export function equalValues(a: Value, b: Value): boolean {
  if (a === b) return true;
  // Integers are compared with doubles as doubles, as cel-go does.
  if (typeof a === 'bigint') {
    if (typeof b === 'bigint') return false;
    if (typeof b === 'number') return Number(a) === b;
    return b instanceof Uint && a === b.value;
  }
  if (typeof a === 'number') {
    if (typeof b === 'bigint') return a === Number(b);
    return b instanceof Uint && a === Number(b.value);
  }
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) {
    return a instanceof Uint && equalValues(b, a);
  }
  if (a instanceof Uint) return b instanceof Uint && a.value === b.value;
  if (a instanceof CelList) return b instanceof CelList && equalLists(a, b);
  if (a instanceof CelMap) return b instanceof CelMap && equalMaps(a, b);
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0;
  if (a instanceof Timestamp) return b instanceof Timestamp && a.nanos === b.nanos;
  if (a instanceof Duration) return b instanceof Duration && a.nanos === b.nanos;
  if (a instanceof CelType) return b instanceof CelType && a.name === b.name && a.decl === b.decl;
  if (a instanceof Optional) {
    if (!(b instanceof Optional)) return false;
    if (a.value === undefined || b.value === undefined) return a.value === b.value;
    return equalValues(a.value, b.value);
  }
  return a instanceof Opaque && b instanceof Opaque && a.type === b.type && a.equals(b);
}

function equalLists(a: CelList, b: CelList): boolean {
  if (a.size !== b.size) return false;
  const decl = listDeclOf(a);
  if (decl?.listType === 'set') return equalUnordered(a, b, (item) => canonicalJson(jsonOrNull(item)));
  if (decl?.listType === 'map') return equalKeyed(a, b, decl);
  for (let i = 0; i < a.size; i++) if (!equalValues(a.at(i), b.at(i))) return false;
  return true;
}

function equalUnordered(a: CelList, b: CelList, keyOf: (item: Value) => string): boolean {
  const keys = new Set(a.toArray().map(keyOf));
  return b.toArray().every((item) => keys.has(keyOf(item)));
}

function equalKeyed(a: CelList, b: CelList, decl: Decl): boolean {
  const items = new Map(a.toArray().map((item) => [listMapKey(item, decl), item]));
  return b.toArray().every((item) => {
    const other = items.get(listMapKey(item, decl));
    return other !== undefined && equalValues(other, item);
  });
}

/** One text for the key fields of an item of a map list. */
export function listMapKey(item: Value, decl: Decl): string {
  if (item instanceof JsonMap)
    return canonicalJson((decl.listMapKeys ?? []).map((name) => item.json[name] ?? null));
  return canonicalJson(jsonOrNull(item));
}

function equalMaps(a: CelMap, b: CelMap): boolean {
  if (a.size !== b.size) return false;
  for (const key of a.keys()) {
    const other = b.get(key);
    if (other === undefined || !equalValues(a.get(key) as Value, other)) return false;
  }
  return true;
}
