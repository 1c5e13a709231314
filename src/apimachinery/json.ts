/** A parsed JSON value. Objects decoded from outside never carry an own key `__proto__` (decode refuses it). */
export type JsonValue = string | number | boolean | null | JsonValue[] | JsonObject;

export interface JsonObject {
  [key: string]: JsonValue | undefined;
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The object that a value is; an empty one where it is none. */
export function asObject(value: JsonValue | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}

/** The objects of the list that a value is. */
export function asObjects(value: JsonValue | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

/** The list that a value is; an empty one where it is none. */
export function asList(value: JsonValue | undefined): JsonValue[] {
  return Array.isArray(value) ? value : [];
}

/** The text that a value is; '' where it is none. */
export function asText(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}

/**
 * A value as text in a message: text as it is, anything else as JSON, nothing for null and what is absent. `String` would
 * ask an object for its `toString`, which a client may have given it.
 */
export function jsonText(value: JsonValue | undefined): string {
  if (typeof value === 'string') return value;
  return value === undefined || value === null ? '' : JSON.stringify(value);
}

/** Returns a deep copy that shares nothing mutable with `value`. Recursion is bounded by the decode depth limit. */
export function cloneJson<T extends JsonValue | undefined>(value: T): T {
  if (Array.isArray(value)) {
    const copy: JsonValue[] = new Array(value.length);
    for (let i = 0; i < value.length; i++) copy[i] = cloneJson(value[i] as JsonValue);
    return copy as T;
  }
  if (typeof value === 'object' && value !== null) {
    const copy: JsonObject = {};
    for (const key in value) copy[key] = cloneJson((value as JsonObject)[key]);
    return copy as T;
  }
  return value;
}

/** Deep equality as Kubernetes' semantic equality sees decoded JSON: key order is ignored, `undefined` equals absent. */
export function equalJson(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    for (let i = 0; i < a.length; i++) if (!equalJson(a[i], b[i])) return false;
    return true;
  }
  if (Array.isArray(b)) return false;
  // Counted rather than looked up: `a.constructor` is there on every object. No JSON value equals what is inherited.
  let more = 0;
  for (const key in a) {
    if (a[key] === undefined) continue;
    if (!equalJson(a[key], b[key])) return false;
    more--;
  }
  for (const key in b) if (b[key] !== undefined) more++;
  return more === 0;
}
