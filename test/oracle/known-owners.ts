import type { JsonObject, JsonValue } from '#apimachinery/json.ts';

import { isJsonObject } from '#apimachinery/json.ts';

/** `below`: what is owned within. */
export type IsLeftOut = (path: string, value: JsonValue | undefined, below: JsonValue | undefined) => boolean;

/** What is owned, without some fields and without who owns no other. `values`: what the fields are looked up in. */
export function ownedWithout(body: JsonValue, values: JsonValue, isLeftOut: IsLeftOut): string {
  const managed = isJsonObject(body) && isJsonObject(body['metadata']) && body['metadata']['managedFields'];
  const entries = Array.isArray(managed) ? (managed as JsonObject[]) : [];
  const kept = entries.flatMap(({ fieldsV1, time: _, ...entry }) => {
    const fields = ownedOf(fieldsV1, '', values, isLeftOut);
    return fields === undefined ? [] : [{ ...entry, fieldsV1: fields }];
  });
  return JSON.stringify(kept);
}

/** Whether managers of two answers own the same but for some fields. */
export function areOwnedAlike(oracle: JsonValue, ours: JsonValue, isLeftOut: IsLeftOut): boolean {
  const owned = (body: JsonValue) => ownedWithout(body, body, isLeftOut);
  return owned(oracle) === owned(ours);
}

/** Undefined when nothing is left of the set. */
function ownedOf(
  set: JsonValue | undefined,
  path: string,
  value: JsonValue | undefined,
  isLeftOut: IsLeftOut,
): JsonObject | undefined {
  if (!isJsonObject(set)) return undefined;
  const kept: JsonObject = {};
  for (const element of Object.keys(set).sort()) {
    if (element === '.') continue;
    const inner = set[element];
    const at = path === '' ? element : `${path}.${element}`;
    const member = memberAt(value, element);
    if (isLeftOut(at, member, inner)) continue;
    if (isJsonObject(inner) && Object.keys(inner).length === 0) kept[element] = inner;
    else {
      const below = ownedOf(inner, at, member, isLeftOut);
      if (below !== undefined) kept[element] = below;
    }
  }
  return Object.keys(kept).length === 0 ? undefined : kept;
}

function memberAt(value: JsonValue | undefined, element: string): JsonValue | undefined {
  if (element.startsWith('f:')) return isJsonObject(value) ? value[element.slice(2)] : undefined;
  if (!Array.isArray(value) || !element.startsWith('k:')) return undefined;
  const key = Object.entries(JSON.parse(element.slice(2)) as JsonObject);
  return value.find((one) => isJsonObject(one) && key.every(([name, wanted]) => one[name] === wanted));
}

/** Entries of an object's managedFields; none for an answer that has none. */
export function managersIn(body: JsonValue): JsonObject[] {
  const metadata = isJsonObject(body) ? body['metadata'] : undefined;
  const managers = isJsonObject(metadata) ? metadata['managedFields'] : undefined;
  return Array.isArray(managers) ? managers.filter(isJsonObject) : [];
}
