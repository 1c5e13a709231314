import { type GroupVersion, parseApiVersion } from '#apimachinery/gvk.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';

/** The fields that one manager applied, as the server tells them (KUBERNETES.md P4); undefined when it has none. */
export function appliedFieldsOf(object: KubeObject, manager: string): JsonObject | undefined {
  return appliedEntryOf(object, manager)?.fieldsV1;
}

/** The group and version in which one manager applied the object; undefined when it did not. */
export function appliedVersionOf(object: KubeObject, manager: string): GroupVersion | undefined {
  return parseApiVersion(appliedEntryOf(object, manager)?.apiVersion ?? '');
}

function appliedEntryOf({ metadata }: KubeObject, manager: string) {
  return metadata.managedFields?.find(
    (entry) => entry.manager === manager && entry.operation === 'Apply' && (entry.subresource ?? '') === '',
  );
}

/**
 * Dotted paths of those fields of an applied configuration that its manager does not own at the server (any more):
 * somebody else changed or removed them, or the server dropped them. Reads the structure from the field trie itself, so
 * that it needs no schema: where the trie ends, the field is atomic. At most `max` paths.
 *
 * Example: applied {spec: {replicas: 2}}, owned {"f:spec": {}} → ["spec.replicas"].
 */
export function fieldsNotOwned(applied: JsonObject, owned: JsonObject, max = 10): string[] {
  const missing: string[] = [];
  for (const key in applied) {
    if (key === 'apiVersion' || key === 'kind') continue;
    const value = applied[key];
    if (key === 'metadata' && isJsonObject(value)) {
      const { name: _name, namespace: _namespace, uid: _uid, resourceVersion: _revision, ...fields } = value;
      const ownedMetadata = ownedChild(owned, 'f:metadata') ?? {};
      for (const field in fields) {
        const child = fields[field];
        if (child !== undefined) visitField(field, child, ownedMetadata, 'metadata', missing, max);
      }
    } else if (value !== undefined) visitField(key, value, owned, '', missing, max);
  }
  return missing;
}

/** What is owned below one node of a field trie; undefined: nothing. */
export function ownedChild(owned: JsonObject, key: string): JsonObject | undefined {
  const child = owned[key];
  return isJsonObject(child) ? child : undefined;
}

function visitField(
  key: string,
  value: JsonValue,
  owned: JsonObject,
  path: string,
  missing: string[],
  max: number,
): void {
  const here = path === '' ? key : `${path}.${key}`;
  const child = ownedChild(owned, `f:${key}`);
  if (child === undefined) {
    // Null and empty containers leave no trace in a field set.
    if (value === null || isEmpty(value) || missing.length >= max) return;
    if (isJsonObject(value)) {
      for (const inner in value) visitField(inner, value[inner] ?? null, {}, here, missing, max);
    } else missing.push(here);
    return;
  }
  visit(value, child, here, missing, max);
}

function isEmpty(value: JsonValue): boolean {
  if (Array.isArray(value)) return value.length === 0;
  return isJsonObject(value) && Object.keys(value).length === 0;
}

function visit(value: JsonValue, owned: JsonObject, path: string, missing: string[], max: number): void {
  if (missing.length >= max) return;
  let isLeaf = true;
  for (const key in owned) {
    if (key !== '.') {
      isLeaf = false;
      break;
    }
  }
  if (isLeaf && owned['.'] === undefined) return; // atomic, owned whole
  if (isJsonObject(value)) {
    for (const key in value) {
      const child = value[key];
      if (child !== undefined) visitField(key, child, owned, path, missing, max);
    }
    return;
  }
  if (!Array.isArray(value)) return;
  value.forEach((item, index) => {
    const element = ownedElement(item, index, owned);
    if (element === undefined) {
      if (missing.length < max) missing.push(`${path}[${index}]`);
    } else visit(item, element, `${path}[${index}]`, missing, max);
  });
}

/** The trie's node for a list element: by its keys (`k:`), its value (`v:`) or its index (`i:`). */
export function ownedElement(item: JsonValue, index: number, owned: JsonObject): JsonObject | undefined {
  const byIndex = ownedChild(owned, `i:${index}`);
  if (byIndex !== undefined) return byIndex;
  if (!isJsonObject(item)) return ownedChild(owned, `v:${JSON.stringify(item)}`);
  for (const key in owned) {
    if (!key.startsWith('k:')) continue;
    const keys: unknown = JSON.parse(key.slice(2));
    if (!isJsonObject(keys)) continue;
    // A key that the configuration leaves out was defaulted (a port's protocol): it does not tell elements apart here.
    const matches = Object.keys(keys).every((name) => item[name] === undefined || item[name] === keys[name]);
    if (matches) return ownedChild(owned, key);
  }
  return undefined;
}
