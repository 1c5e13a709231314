import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import { isJsonObject } from '#apimachinery/json.ts';

/**
 * Readers of decoded objects for code that runs before, or regardless of, schema validation: whatever is absent or of
 * another type reads as Go's zero value, as a Kubernetes server would see it after decoding.
 */

/** The value at a path of object fields, or undefined. */
export function valueAt(from: JsonValue | undefined, ...path: readonly string[]): JsonValue | undefined {
  let value: JsonValue | undefined = from;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    value = value[key];
  }
  return value === null ? undefined : value;
}

/** The text at a path, '' when there is none. */
export function textAt(from: JsonValue | undefined, ...path: readonly string[]): string {
  const value = valueAt(from, ...path);
  return typeof value === 'string' ? value : '';
}

/** The number at a path, undefined when there is none. */
export function numberAt(from: JsonValue | undefined, ...path: readonly string[]): number | undefined {
  const value = valueAt(from, ...path);
  return typeof value === 'number' ? value : undefined;
}

/** The boolean at a path, undefined when there is none. */
export function booleanAt(from: JsonValue | undefined, ...path: readonly string[]): boolean | undefined {
  const value = valueAt(from, ...path);
  return typeof value === 'boolean' ? value : undefined;
}

/** The object at a path, undefined when there is none. */
export function objectAt(from: JsonValue | undefined, ...path: readonly string[]): JsonObject | undefined {
  const value = valueAt(from, ...path);
  return isJsonObject(value) ? value : undefined;
}

/** The objects of the list at a path; members of another type read as empty objects, so that indices hold. */
export function objectsAt(from: JsonValue | undefined, ...path: readonly string[]): readonly JsonObject[] {
  const value = valueAt(from, ...path);
  if (!Array.isArray(value)) return noObjects;
  return value.every(isJsonObject)
    ? (value as JsonObject[])
    : value.map((one) => (isJsonObject(one) ? one : {}));
}

/** The texts of the list at a path; members of another type read as ''. */
export function textsAt(from: JsonValue | undefined, ...path: readonly string[]): readonly string[] {
  const value = valueAt(from, ...path);
  if (!Array.isArray(value)) return noTexts;
  return value.every((one) => typeof one === 'string')
    ? (value as string[])
    : value.map((one) => (typeof one === 'string' ? one : ''));
}

const noObjects: readonly JsonObject[] = [];
const noTexts: readonly string[] = [];
