import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';

/** The value at a dotted path. */
export function getPath(object: JsonObject, path: string): JsonValue | undefined {
  let value: JsonValue | undefined = object;
  for (const name of path.split('.')) value = isJsonObject(value) ? value[name] : undefined;
  return value;
}

/** A copy with the value at a dotted path; undefined takes it away, and what is empty then. */
export function setPath<T extends JsonObject>(object: T, path: string, value: unknown): T {
  const [first = '', ...rest] = path.split('.');
  const copy: JsonObject = { ...object };
  if (rest.length === 0) {
    if (value === undefined) delete copy[first];
    else copy[first] = value as JsonValue;
    return copy as T;
  }
  const inner = copy[first];
  const changed = setPath(isJsonObject(inner) ? inner : {}, rest.join('.'), value);
  if (Object.keys(changed).length === 0) delete copy[first];
  else copy[first] = changed;
  return copy as T;
}
