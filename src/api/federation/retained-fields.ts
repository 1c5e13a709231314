import { isJsonObject, type JsonValue } from '#apimachinery/json.ts';
import { parseJsonPointer } from '#apimachinery/json-pointer.ts';

/** One field of an object: its keys from the root. */
export type FieldPath = readonly string[];

/** Fields of one copy that its edge keeps. */
export const retainedFieldsMax = 32;

/** The keys that a JSON pointer (RFC 6901) names; undefined where it is none, or names the whole. */
export function parseFieldPointer(pointer: string): FieldPath | undefined {
  const keys = /~(?![01])/.test(pointer) ? undefined : parseJsonPointer(pointer);
  return keys?.includes('') === true ? undefined : keys;
}

/** Reads the copy contract's annotation; what is not as it should be is left out. */
export function parseRetainedFields(text: string | undefined): FieldPath[] {
  if (text === undefined) return [];
  let told: unknown;
  try {
    told = JSON.parse(text);
  } catch {
    return [];
  }
  if (!Array.isArray(told)) return [];
  return told
    .slice(0, retainedFieldsMax)
    .map((pointer: unknown) => (typeof pointer === 'string' ? parseFieldPointer(pointer) : undefined))
    .filter((path) => path !== undefined);
}

/** Whether the path leads through a list, whose elements have no names by which edges and copies could agree. */
export function leadsThroughList(object: JsonValue, path: FieldPath): boolean {
  let value: JsonValue | undefined = object;
  for (const key of path) {
    if (Array.isArray(value)) return true;
    if (!isJsonObject(value)) return false;
    value = Object.hasOwn(value, key) ? value[key] : undefined;
  }
  return false;
}
