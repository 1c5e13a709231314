import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';

const pathsMax = 5;

/**
 * Paths of non-empty text fields named `namespace` in a custom resource that no rule of the table has seen: they still
 * name the project's namespace, which the edge does not have. At most five.
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
    if (
      key === 'namespace' &&
      typeof member === 'string' &&
      member !== '' &&
      seen.get(value)?.has(key) !== true
    ) {
      if (paths.length < pathsMax) paths.push(`${path}.${key}`);
    } else {
      search(member, `${path}.${key}`, seen, paths);
    }
  }
}
