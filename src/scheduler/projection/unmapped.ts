import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';

const pathsMax = 5;

/** `namespace`, `targetNamespace`, `includedNamespaces`. */
const namespaceField = /(?:^n|N)amespaces?$/;
/** A label of DNS, as names of namespaces are: a pattern is none. */
const namespaceName = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;

/**
 * Paths of fields in a custom resource that are called after namespaces, hold names of such, and that no rule of the table has
 * seen: they still name the project's namespaces, which the edge does not have. At most five.
 */
export function unmappedReferences(
  object: JsonObject,
  seen: ReadonlyMap<JsonObject, ReadonlySet<string>>,
): string[] {
  const paths: string[] = [];
  for (const key in object) {
    if (key !== 'metadata' && key !== 'status') search(object[key], key, seen, paths);
  }
  return paths;
}

function search(
  value: JsonValue | undefined,
  path: string,
  seen: ReadonlyMap<JsonObject, ReadonlySet<string>>,
  paths: string[],
): void {
  if (paths.length >= pathsMax) return;
  if (Array.isArray(value)) {
    value.forEach((item, i) => {
      search(item, `${path}[${i}]`, seen, paths);
    });
    return;
  }
  if (!isJsonObject(value)) return;
  for (const key in value) {
    const member = value[key];
    if (namespaceField.test(key) && namesNamespace(member) && seen.get(value)?.has(key) !== true) {
      if (paths.length < pathsMax) paths.push(`${path}.${key}`);
    } else {
      search(member, `${path}.${key}`, seen, paths);
    }
  }
}

function namesNamespace(value: JsonValue | undefined): boolean {
  if (typeof value === 'string') return namespaceName.test(value);
  return Array.isArray(value) && value.some((one) => typeof one === 'string' && namespaceName.test(one));
}
