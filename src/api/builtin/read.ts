import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import { isJsonObject } from '#apimachinery/json.ts';

/**
 * Readers of decoded objects for code that runs before, or regardless of, schema validation: whatever is absent or of
 * another type reads as Go's zero value, as a Kubernetes server would see it after decoding.
 */

/** Up to four fields, each inside the one before: written out, since a list of them would be made at each of many calls. */
type Field = string | undefined;

/** The value at a path of object fields, or undefined. */
export function valueAt(
  from: JsonValue | undefined,
  first?: Field,
  second?: Field,
  third?: Field,
  fourth?: Field,
): JsonValue | undefined {
  let value: JsonValue | undefined = from;
  if (first !== undefined) value = memberOf(value, first);
  if (second !== undefined) value = memberOf(value, second);
  if (third !== undefined) value = memberOf(value, third);
  if (fourth !== undefined) value = memberOf(value, fourth);
  return value === null ? undefined : value;
}

function memberOf(value: JsonValue | undefined, key: string): JsonValue | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return value[key];
}

/** The text at a path, '' when there is none. */
export function textAt(
  from: JsonValue | undefined,
  first?: Field,
  second?: Field,
  third?: Field,
  fourth?: Field,
): string {
  const value = valueAt(from, first, second, third, fourth);
  return typeof value === 'string' ? value : '';
}

/** The number at a path, undefined when there is none. */
export function numberAt(
  from: JsonValue | undefined,
  first?: Field,
  second?: Field,
  third?: Field,
  fourth?: Field,
): number | undefined {
  const value = valueAt(from, first, second, third, fourth);
  return typeof value === 'number' ? value : undefined;
}

/** The boolean at a path, undefined when there is none. */
export function booleanAt(
  from: JsonValue | undefined,
  first?: Field,
  second?: Field,
  third?: Field,
  fourth?: Field,
): boolean | undefined {
  const value = valueAt(from, first, second, third, fourth);
  return typeof value === 'boolean' ? value : undefined;
}

/** The object at a path, undefined when there is none. */
export function objectAt(
  from: JsonValue | undefined,
  first?: Field,
  second?: Field,
  third?: Field,
  fourth?: Field,
): JsonObject | undefined {
  const value = valueAt(from, first, second, third, fourth);
  return isJsonObject(value) ? value : undefined;
}

/** The objects of the list at a path; members of another type read as empty objects, so that indices hold. */
export function objectsAt(
  from: JsonValue | undefined,
  first?: Field,
  second?: Field,
  third?: Field,
  fourth?: Field,
): readonly JsonObject[] {
  const value = valueAt(from, first, second, third, fourth);
  if (!Array.isArray(value)) return noObjects;
  for (const one of value) {
    if (!isJsonObject(one)) return value.map((item) => (isJsonObject(item) ? item : {}));
  }
  return value as JsonObject[];
}

/** The texts of the list at a path; members of another type read as ''. */
export function textsAt(
  from: JsonValue | undefined,
  first?: Field,
  second?: Field,
  third?: Field,
  fourth?: Field,
): readonly string[] {
  const value = valueAt(from, first, second, third, fourth);
  if (!Array.isArray(value)) return noTexts;
  return value.every((one) => typeof one === 'string')
    ? (value as string[])
    : value.map((one) => (typeof one === 'string' ? one : ''));
}

const noObjects: readonly JsonObject[] = [];
const noTexts: readonly string[] = [];
