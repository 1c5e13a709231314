import { canonicalJson } from '#apimachinery/canonical-json.ts';
import { sha256Hex } from '#apimachinery/hash.ts';
import { asText, isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import { compileJsonPath, type JsonPath } from '#apimachinery/jsonpath.ts';
import { compareKubeVersions } from '#apimachinery/kube-version.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type {
  Column,
  ResourceDefinition,
  ResourceVersion,
  Subresource,
  Verb,
} from '#apimachinery/resource-definition.ts';
import type { Schema } from '#apimachinery/schema.ts';
import { schemaFromJsonSchemaProps } from '#apimachinery/schema-from-openapi.ts';
import { objectMetaSchema } from '../builtin/builtin-schema.ts';
import {
  type CrdNames,
  type CrdVersion,
  hasCondition,
  namesOf,
  specOf,
  statusOf,
  versionsOf,
} from './crd.ts';
import { finalizerWarnings } from './finalizer-warnings.ts';

const verbs: readonly Verb[] = [
  'delete',
  'deletecollection',
  'get',
  'list',
  'patch',
  'create',
  'update',
  'watch',
];
const subresourceVerbs: readonly Verb[] = ['get', 'patch', 'update'];

/** Definitions of equal content are one object over all workspaces; held weakly, so that the last user decides. */
const shared = new Map<string, WeakRef<ResourceDefinition>>();
const registry = new FinalizationRegistry<string>((hash) => {
  if (shared.get(hash)?.deref() === undefined) shared.delete(hash);
});

/**
 * What a valid CustomResourceDefinition defines (KUBERNETES.md R3, R6, R7), under its accepted names where it has any.
 * Equal content gives the same object.
 */
export function definitionFromCrd(crd: KubeObject): ResourceDefinition {
  const names = acceptedOrRequestedNames(crd);
  const isTerminating = crd.metadata.deletionTimestamp !== undefined || hasCondition(crd, 'Terminating');
  const { group, scope, versions } = specOf(crd);
  const parts = [group, names, scope, versions, isTerminating];
  const conversion = conversionOf(crd);
  const hash = sha256Hex(JSON.stringify(conversion === undefined ? parts : [...parts, conversion]));
  let definition = shared.get(hash)?.deref();
  if (definition === undefined) {
    definition = build(crd, names, isTerminating, hash);
    shared.set(hash, new WeakRef(definition));
    registry.register(definition, hash);
  }
  return definition;
}

/** The webhook that converts between versions, where there is one and something to convert. */
function conversionOf(crd: KubeObject): JsonObject | undefined {
  const { conversion } = specOf(crd);
  if (!isJsonObject(conversion) || conversion['strategy'] !== 'Webhook' || versionsOf(crd).length < 2) {
    return undefined;
  }
  return isJsonObject(conversion['webhook']) ? conversion['webhook'] : undefined;
}

/** Short names and categories may change later and be refused then: the accepted ones stay in force. */
function acceptedOrRequestedNames(crd: KubeObject): CrdNames {
  const requested = namesOf(specOf(crd)['names']);
  const accepted = namesOf(statusOf(crd)['acceptedNames']);
  if (accepted.plural === '' || accepted.kind === '') return requested;
  return {
    ...accepted,
    singular: accepted.singular === '' ? requested.singular : accepted.singular,
    listKind: accepted.listKind === '' ? requested.listKind : accepted.listKind,
  };
}

function build(crd: KubeObject, names: CrdNames, isTerminating: boolean, hash: string): ResourceDefinition {
  const spec = specOf(crd);
  const group = asText(spec['group']);
  const versions = versionsOf(crd).sort((a, b) => compareKubeVersions(a.name, b.name));
  const storage = versions.find((version) => version.storage) ?? (versions[0] as CrdVersion);
  // Instances of a kind that no version serves must still be reachable for the clean-up.
  const mustServeStorage = isTerminating && !versions.some((version) => version.served);
  return {
    group,
    resource: names.plural,
    kind: names.kind,
    listKind: names.listKind,
    singular: names.singular,
    shortNames: names.shortNames,
    categories: names.categories,
    namespaced: spec['scope'] === 'Namespaced',
    storedAs: { group, resource: names.plural },
    storageVersion: storage.name,
    versions: versions.map((version) => ({
      ...resourceVersion(version, group, names.kind),
      served: version.served || (mustServeStorage && version === storage),
    })),
    strategy: { unconditionalUpdate: false, warnings: finalizerWarnings },
    origin: 'custom',
    conversion: conversionOf(crd),
    ...(isTerminating ? { isTerminating } : {}),
    contentHash: hash,
  };
}

function resourceVersion(version: CrdVersion, group: string, kind: string): ResourceVersion {
  return {
    version: version.name,
    served: version.served,
    schema: rootSchema(
      version.openApiV3Schema ?? { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    ),
    verbs,
    subresources: subresourcesOf(version, group, kind),
    columns: [nameColumn, ...(version.columns.length === 0 ? [ageColumn] : version.columns.map(columnOf))],
    selectableFields: new Map(
      version.selectableFields.map((field) => {
        const path = withoutDot(asText(field['jsonPath']));
        return [path, path];
      }),
    ),
    ...(version.deprecated
      ? { deprecationWarning: version.deprecationWarning ?? `${group}/${version.name} ${kind} is deprecated` }
      : {}),
  };
}

const plainText: Schema = { type: 'string' };

/** The CRD's schema, with what every object has: apiVersion, kind, and ObjectMeta narrowed by what the CRD says of names. */
function rootSchema(props: JsonObject): Schema {
  const schema = schemaFromJsonSchemaProps(props);
  const properties = new Map<string, Schema>([
    ['apiVersion', schema.properties?.get('apiVersion') ?? plainText],
    ['kind', schema.properties?.get('kind') ?? plainText],
    ['metadata', metadataSchema(schema.properties?.get('metadata'))],
  ]);
  for (const [name, child] of schema.properties ?? []) if (!properties.has(name)) properties.set(name, child);
  return { ...schema, type: 'object', properties };
}

let looseMetadata: Schema | undefined;

/** ObjectMeta of which an owner's fields may be absent: they read as empty then, which the rules of metadata tell. */
function looseObjectMeta(): Schema {
  if (looseMetadata !== undefined) return looseMetadata;
  const meta = objectMetaSchema();
  const owners = meta.properties?.get('ownerReferences');
  if (owners?.items === undefined) return meta;
  const items: Schema = { ...owners.items, required: undefined };
  const properties = new Map(meta.properties).set('ownerReferences', { ...owners, items });
  looseMetadata = { ...meta, properties };
  return looseMetadata;
}

function metadataSchema(narrowed: Schema | undefined): Schema {
  const meta = looseObjectMeta();
  if (narrowed?.properties === undefined || narrowed.properties.size === 0) return meta;
  return { ...meta, validation: { ...meta.validation, allOf: [{ properties: narrowed.properties }] } };
}

function subresourcesOf(version: CrdVersion, group: string, kind: string): Subresource[] {
  const subresources: Subresource[] = [];
  if (version.hasStatus) {
    subresources.push({ name: 'status', kind, group, version: version.name, verbs: subresourceVerbs });
  }
  if (version.scale !== undefined) {
    const selector = asText(version.scale['labelSelectorPath']);
    subresources.push({
      name: 'scale',
      kind: 'Scale',
      group: 'autoscaling',
      version: 'v1',
      verbs: subresourceVerbs,
      scale: {
        specReplicasPath: withoutDot(asText(version.scale['specReplicasPath'])),
        statusReplicasPath: withoutDot(asText(version.scale['statusReplicasPath'])),
        ...(selector === '' ? {} : { labelSelectorPath: withoutDot(selector) }),
      },
    });
  }
  return subresources;
}

const withoutDot = (path: string) => (path.startsWith('.') ? path.slice(1) : path);

const nameColumn: Column = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name must be unique within a namespace.',
  priority: 0,
  value: (object) => object.metadata.name ?? '',
};

const ageColumn: Column = {
  name: 'Age',
  type: 'date',
  description: 'CreationTimestamp is a timestamp representing the server time when this object was created.',
  priority: 0,
  value: (object) => object.metadata.creationTimestamp ?? null,
};

function columnOf(column: JsonObject): Column {
  const type = asText(column['type']) as Column['type'];
  const source = asText(column['jsonPath']);
  const path = columnPath(source);
  return {
    name: asText(column['name']),
    type,
    format: asText(column['format']),
    description:
      asText(column['description']) || `Custom resource definition column (in JSONPath format): ${source}`,
    priority: typeof column['priority'] === 'number' ? column['priority'] : 0,
    value: (object) => cellOf(path?.first(object), type),
  };
}

/** Undefined for a path that no longer compiles: its cells are empty, and the kind is still served. */
function columnPath(source: string): JsonPath | undefined {
  try {
    return compileJsonPath(source);
  } catch {
    return undefined;
  }
}

/** As apiextensions' tableconvertor: text columns print any value, the others only values of their type. */
function cellOf(value: JsonValue | undefined, type: Column['type']): JsonValue {
  if (value === undefined || value === null) return null;
  switch (type) {
    case 'string':
      return typeof value === 'object' ? canonicalJson(value) : String(value);
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : null;
    case 'number':
      return typeof value === 'number' ? value : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    case 'date':
      return typeof value === 'string' ? value : null;
  }
}
