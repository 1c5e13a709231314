import { sha256Hex } from './hash.ts';
import type { ResourceDefinition } from './resource-definition.ts';
import type { Scheme, ServedResource } from './scheme.ts';

interface VersionIndex {
  readonly byResource: Map<string, ServedResource>;
  readonly byKind: Map<string, ServedResource>;
}

/** Nested maps rather than joined keys: a look-up builds no string. */
interface Index {
  readonly versions: Map<string, Map<string, VersionIndex>>;
  readonly byGroupResource: Map<string, Map<string, ResourceDefinition>>;
}

function getOrAdd<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}

function buildIndex(definitions: readonly ResourceDefinition[]): Index {
  const index: Index = { versions: new Map(), byGroupResource: new Map() };
  for (const definition of definitions) {
    const resources = getOrAdd(
      index.byGroupResource,
      definition.group,
      () => new Map<string, ResourceDefinition>(),
    );
    if (resources.has(definition.resource)) {
      throw new RangeError(`resource defined twice: ${definition.resource}.${definition.group}`);
    }
    resources.set(definition.resource, definition);
    const versions = getOrAdd(index.versions, definition.group, () => new Map<string, VersionIndex>());
    for (const version of definition.versions) {
      if (!version.served) continue;
      const served: ServedResource = { definition, version };
      const one = getOrAdd(versions, version.version, () => ({ byResource: new Map(), byKind: new Map() }));
      one.byResource.set(definition.resource, served);
      // Several resources may share a kind (reviews, `bindings`): the stored one answers for it.
      const standing = one.byKind.get(definition.kind);
      if (standing === undefined || (standing.definition.virtual === true && definition.virtual !== true)) {
        one.byKind.set(definition.kind, served);
      }
    }
  }
  return index;
}

const compareText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

function byGroupThenResource(a: ResourceDefinition, b: ResourceDefinition): number {
  return compareText(a.group, b.group) || compareText(a.resource, b.resource);
}

const fingerprints = new WeakMap<ResourceDefinition, string>();

/**
 * Stands for a definition's content. Custom definitions bring a hash of theirs; the others are part of the program,
 * so that their outline tells them apart.
 */
function fingerprintOf(definition: ResourceDefinition): string {
  let fingerprint = fingerprints.get(definition);
  if (fingerprint === undefined) {
    const outline = {
      ...definition,
      strategy: undefined,
      versions: definition.versions.map((version) => ({
        version: version.version,
        served: version.served,
        verbs: version.verbs,
        subresources: version.subresources,
        columns: version.columns.map((column) => [column.name, column.type, column.priority]),
        fields: [...version.selectableFields],
        definition: version.schema.definition,
      })),
    };
    fingerprint = sha256Hex(JSON.stringify(outline));
    fingerprints.set(definition, fingerprint);
  }
  return fingerprint;
}

function hashOf(parts: readonly string[]): string {
  return sha256Hex(parts.join('\n')).slice(0, 32);
}

/** Throws RangeError when two definitions have one group and resource. Look-ups take constant time. */
export function createScheme(definitions: readonly ResourceDefinition[]): Scheme {
  const ordered = [...definitions].sort(byGroupThenResource);
  const index = buildIndex(ordered);
  return {
    hash: hashOf(ordered.map(fingerprintOf)),
    definitions: ordered,
    lookupResource: (group, version, resource) =>
      index.versions.get(group)?.get(version)?.byResource.get(resource),
    lookupKind: (group, version, kind) => index.versions.get(group)?.get(version)?.byKind.get(kind),
    definitionOf: (group, resource) => index.byGroupResource.get(group)?.get(resource),
    hasGroupVersion: (group, version) => index.versions.get(group)?.has(version) === true,
  };
}

/** Whether a base scheme already serves this group's resource name, or its kind in any of the versions. */
function displaced(base: Scheme, definition: ResourceDefinition): boolean {
  if (base.definitionOf(definition.group, definition.resource) !== undefined) return true;
  return definition.versions.some(
    ({ version }) => base.lookupKind(definition.group, version, definition.kind) !== undefined,
  );
}

/**
 * The base scheme with further definitions. The base's indexes are shared, not copied, so that it costs what the extra
 * definitions cost. An extra definition whose resource or kind the base serves is left out, as is the second of two
 * extra ones with one resource.
 */
export function extendScheme(base: Scheme, extra: readonly ResourceDefinition[]): Scheme {
  const added: ResourceDefinition[] = [];
  const seen = new Set<string>();
  for (const definition of [...extra].sort(byGroupThenResource)) {
    const name = `${definition.resource}.${definition.group}`;
    if (seen.has(name) || displaced(base, definition)) continue;
    seen.add(name);
    added.push(definition);
  }
  if (added.length === 0) return base;
  const index = buildIndex(added);
  let merged: readonly ResourceDefinition[] | undefined;
  return {
    hash: hashOf([base.hash, ...added.map(fingerprintOf)]),
    get definitions() {
      merged ??= [...base.definitions, ...added].sort(byGroupThenResource);
      return merged;
    },
    lookupResource: (group, version, resource) =>
      base.lookupResource(group, version, resource) ??
      index.versions.get(group)?.get(version)?.byResource.get(resource),
    lookupKind: (group, version, kind) =>
      base.lookupKind(group, version, kind) ?? index.versions.get(group)?.get(version)?.byKind.get(kind),
    definitionOf: (group, resource) =>
      base.definitionOf(group, resource) ?? index.byGroupResource.get(group)?.get(resource),
    hasGroupVersion: (group, version) =>
      base.hasGroupVersion(group, version) || index.versions.get(group)?.has(version) === true,
  };
}
