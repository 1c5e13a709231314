import { objectAt } from '#api/builtin/read.ts';
import { equalJson, isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';

/** A remote's Swagger document, and which group version of it is to be shown. */
export interface RemoteSwagger {
  readonly group: string;
  readonly version: string;
  readonly document: JsonObject;
}

const definitionRef = '#/definitions/';

/**
 * The Swagger document with the paths of remote group versions (KUBERNETES.md D6, O1), and the definitions that they use.
 * One whose name is taken by another content is given a further one, as kube-aggregator does.
 */
export function mergedSwagger(local: JsonObject, remotes: readonly RemoteSwagger[]): JsonObject {
  const paths: JsonObject = { ...objectAt(local, 'paths') };
  const definitions: JsonObject = { ...objectAt(local, 'definitions') };
  for (const { group, version, document } of remotes) {
    const prefix = `/apis/${group}/${version}/`;
    const theirs = objectAt(document, 'definitions') ?? {};
    const names = new Map<string, string>();
    const take = (name: string): string => {
      const known = names.get(name);
      if (known !== undefined) return known;
      const definition = theirs[name];
      // A reference to nothing is left as it is.
      if (definition === undefined) return name;
      const free = freeName(definitions, name, definition);
      names.set(name, free);
      if (definitions[free] === undefined) {
        // Named before it is walked, for it may speak of itself.
        definitions[free] = {};
        definitions[free] = withReferences(definition, take);
      }
      return free;
    };
    for (const [path, item] of Object.entries(objectAt(document, 'paths') ?? {})) {
      if (path !== prefix && !path.startsWith(prefix)) continue;
      paths[path] = withReferences(item, take);
    }
  }
  return { ...local, paths, definitions };
}

/** The name itself when it is free or stands for the same, else with `_v2`, `_v3` and so on. */
function freeName(definitions: JsonObject, name: string, definition: JsonValue): string {
  for (let n = 1; ; n++) {
    const candidate = n === 1 ? name : `${name}_v${n}`;
    const present = Object.hasOwn(definitions, candidate) ? definitions[candidate] : undefined;
    if (present === undefined || equalJson(present, definition)) return candidate;
  }
}

function withReferences(value: JsonValue | undefined, take: (name: string) => string): JsonValue {
  if (Array.isArray(value)) return value.map((one) => withReferences(one, take));
  if (!isJsonObject(value)) return value ?? null;
  const copy: JsonObject = {};
  for (const key of Object.keys(value)) {
    const member = value[key];
    copy[key] =
      key === '$ref' && typeof member === 'string' && member.startsWith(definitionRef)
        ? definitionRef + take(member.slice(definitionRef.length))
        : withReferences(member, take);
  }
  return copy;
}
