import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';

/**
 * What two definitions of one kind must share to be served as one in a cell (DESIGN.md, Names): names, scope, and each
 * version that both have, but for what does not change what is stored or served: descriptions, printer columns, order,
 * and which version is the storage version.
 */
export interface NormalizedCrd {
  readonly group: string;
  readonly names: JsonObject;
  readonly scope: string;
  readonly versions: ReadonlyMap<string, JsonObject>;
}

export function normalizeCrd(crd: JsonObject): NormalizedCrd {
  const spec = isJsonObject(crd['spec']) ? crd['spec'] : {};
  const names = isJsonObject(spec['names']) ? spec['names'] : {};
  const kind = String(names['kind'] ?? '');
  const versions = new Map<string, JsonObject>();
  for (const version of Array.isArray(spec['versions']) ? spec['versions'] : []) {
    if (!isJsonObject(version)) continue;
    const { schema, subresources, selectableFields } = version;
    versions.set(String(version['name']), {
      schema: withoutProse(schema),
      subresources: withoutProse(subresources) ?? {},
      selectableFields: selectableFields ?? [],
    });
  }
  return {
    group: String(spec['group'] ?? ''),
    names: {
      plural: names['plural'],
      kind,
      singular: names['singular'] ?? kind.toLowerCase(),
      listKind: names['listKind'] ?? `${kind}List`,
    },
    scope: String(spec['scope'] ?? ''),
    versions,
  };
}

/** Descriptions, examples and links tell a reader something and the server nothing. Properties of these names stay. */
function withoutProse(value: JsonValue | undefined, inProperties = false): JsonValue | undefined {
  if (Array.isArray(value)) return value.map((item) => withoutProse(item) as JsonValue);
  if (!isJsonObject(value)) return value;
  const kept: JsonObject = {};
  for (const key in value) {
    if (
      !inProperties &&
      (key === 'description' || key === 'example' || key === 'externalDocs' || key === 'title')
    )
      continue;
    if (!inProperties && (key === 'default' || key === 'enum')) kept[key] = value[key];
    else
      kept[key] = withoutProse(
        value[key],
        !inProperties && (key === 'properties' || key === 'patternProperties'),
      );
  }
  return kept;
}

/** The first field in which two definitions differ that both serve; undefined when they may be merged. */
export function crdConflict(ours: NormalizedCrd, theirs: NormalizedCrd): string | undefined {
  if (ours.scope !== theirs.scope) return 'spec.scope';
  const names = firstDifference(ours.names, theirs.names, 'spec.names');
  if (names !== undefined) return names;
  for (const [name, version] of ours.versions) {
    const other = theirs.versions.get(name);
    if (other === undefined) continue;
    const difference = firstDifference(version, other, `spec.versions[${name}]`);
    if (difference !== undefined) return difference;
  }
  return undefined;
}

function firstDifference(
  a: JsonValue | undefined,
  b: JsonValue | undefined,
  path: string,
): string | undefined {
  if (a === b) return undefined;
  if (Array.isArray(a) && Array.isArray(b)) {
    for (let i = 0; i < Math.max(a.length, b.length); i++) {
      const difference = firstDifference(a[i], b[i], `${path}[${i}]`);
      if (difference !== undefined) return difference;
    }
    return undefined;
  }
  if (isJsonObject(a) && isJsonObject(b)) {
    for (const key of [...new Set([...Object.keys(a), ...Object.keys(b)])].sort()) {
      const difference = firstDifference(a[key], b[key], `${path}.${key}`);
      if (difference !== undefined) return difference;
    }
    return undefined;
  }
  return path;
}

/**
 * The definition that serves both: the cell's, with the versions added that only the project has. Added versions are not
 * the storage version. The same object when nothing is to be added.
 */
export function mergeCrdVersions(cellSpec: JsonObject, projectSpec: JsonObject): JsonObject {
  const present = Array.isArray(cellSpec['versions']) ? cellSpec['versions'] : [];
  const names = new Set(present.map((version) => (isJsonObject(version) ? version['name'] : undefined)));
  const added = (Array.isArray(projectSpec['versions']) ? projectSpec['versions'] : []).filter(
    (version) => isJsonObject(version) && !names.has(version['name']),
  );
  if (added.length === 0) return cellSpec;
  return {
    ...cellSpec,
    versions: [...present, ...added.map((version) => ({ ...(version as JsonObject), storage: false }))],
  };
}

/**
 * The definition with a storage version that the edge serves, if it serves any of its versions: a copy goes to the edge in the
 * version that it is stored in, and an edge's own definition may be older or newer than the project's. `served`:
 * `<group>/<version>/<Kind>`, undefined when nobody tells. The same object when nothing is to be changed.
 */
export function storedAsServed(spec: JsonObject, served: readonly string[] | undefined): JsonObject {
  const { group, names, versions } = spec;
  if (served === undefined || !isJsonObject(names) || !Array.isArray(versions)) return spec;
  const isServed = (version: JsonValue): version is JsonObject =>
    isJsonObject(version) &&
    version['served'] === true &&
    served.includes(`${String(group)}/${String(version['name'])}/${String(names['kind'])}`);
  const common = versions.filter(isServed);
  const [first] = common;
  if (first === undefined || common.some((version) => version['storage'] === true)) return spec;
  return {
    ...spec,
    versions: versions.map((version) =>
      isJsonObject(version) ? { ...version, storage: version === first } : version,
    ),
  };
}
