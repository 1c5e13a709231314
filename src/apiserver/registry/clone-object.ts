import { cloneJson, isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';

/**
 * A deep copy of an object but for its managedFields: these are half of most objects, are replaced as a whole or left
 * as they are, and are told to be the same by being the same.
 */
export function cloneObject<T extends JsonObject>(object: T): T {
  const copy: JsonObject = {};
  for (const key in object) {
    const value: JsonValue | undefined = object[key];
    copy[key] = key === 'metadata' && isJsonObject(value) ? cloneMetadata(value) : cloneJson(value);
  }
  return copy as T;
}

function cloneMetadata(metadata: JsonObject): JsonObject {
  const copy: JsonObject = {};
  for (const key in metadata) {
    copy[key] = key === 'managedFields' ? metadata[key] : cloneJson(metadata[key]);
  }
  return copy;
}
