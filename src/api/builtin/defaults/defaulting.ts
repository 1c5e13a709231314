import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import { isJsonObject } from '#apimachinery/json.ts';

/** Sets a pointer field of Go that is absent. */
export function defaultTo(object: JsonObject, field: string, value: JsonValue): void {
  if (object[field] === undefined) object[field] = value;
}

/** Sets a field that is no pointer in Go when it has its zero value. */
export function defaultZero(object: JsonObject, field: string, value: JsonValue): void {
  const present = object[field];
  if (present === undefined || present === '' || present === 0) object[field] = value;
}

/** The object at a field, made when absent; a detached empty one when something else stands there (validation tells). */
export function objectIn(object: JsonObject, field: string): JsonObject {
  const present = object[field];
  if (isJsonObject(present)) return present;
  const made: JsonObject = {};
  if (present === undefined) object[field] = made;
  return made;
}

/** The objects of a list, for changing them in place; the array is the caller's own. */
export function objectsIn(object: JsonObject | undefined, field: string): JsonObject[] {
  const list = object?.[field];
  if (!Array.isArray(list)) return [];
  for (const one of list) if (!isJsonObject(one)) return list.filter(isJsonObject);
  return list.slice() as JsonObject[];
}

/** The object at a field, undefined when there is none. */
export function objectOf(object: JsonObject | undefined, field: string): JsonObject | undefined {
  const value = object?.[field];
  return isJsonObject(value) ? value : undefined;
}
