import { builtinSchema, objectMetaSchema } from '#api/builtin/builtin-schema.ts';
import type { GroupVersionKind } from '#apimachinery/gvk.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { ResourceDefinition, Verb } from '#apimachinery/resource-definition.ts';
import type { Schema } from '#apimachinery/schema.ts';
import type { ServedResource } from '#apimachinery/scheme.ts';
import type { ApiGroupVersion } from '../discovery/api-groups.ts';
import { describedAs, emitSchema, refTo } from './emit-schema.ts';
import { definitionName, kindOfDefinition } from './kind-names.ts';
import type { OpenApiVersion } from './openapi-version.ts';

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1';
export const metaNames = {
  deleteOptions: `${meta}.DeleteOptions`,
  status: `${meta}.Status`,
  watchEvent: `${meta}.WatchEvent`,
  resourceList: `${meta}.APIResourceList`,
  patch: `${meta}.Patch`,
  listMeta: `${meta}.ListMeta`,
};

/** One named schema of a document. */
interface Component {
  readonly name: string;
  readonly json: JsonObject;
  /** Names of the components that it refers to. */
  readonly refs: readonly string[];
}

const gvkExtension = 'x-kubernetes-group-version-kind';

const builtins: { readonly [version in OpenApiVersion]: Map<string, Component> } = {
  v2: new Map(),
  v3: new Map(),
};

/** A component of the catalogue; each is made once for all documents. */
function builtinComponent(name: string, version: OpenApiVersion): Component | undefined {
  let component = builtins[version].get(name);
  if (component === undefined) {
    const schema = builtinSchema(name);
    if (schema === undefined) return undefined;
    component = makeComponent(name, schema, version, gvksOf(name));
    builtins[version].set(name, component);
  }
  return component;
}

function gvksOf(name: string): readonly GroupVersionKind[] {
  const kind = kindOfDefinition(name);
  if (kind !== undefined) return [kind];
  if (name === metaNames.status || name === metaNames.resourceList) {
    return [{ group: '', version: 'v1', kind: name.slice(meta.length + 1) }];
  }
  return [];
}

function makeComponent(
  name: string,
  schema: Schema,
  version: OpenApiVersion,
  kinds: readonly GroupVersionKind[],
): Component {
  const refs = new Set<string>();
  const json = emitSchema(schema, version, (ref) => refs.add(ref), true);
  return { name, json: withKinds(json, kinds), refs: [...refs] };
}

function withKinds(json: JsonObject, kinds: readonly GroupVersionKind[]): JsonObject {
  if (kinds.length === 0) return json;
  return { ...json, [gvkExtension]: kinds.map(({ group, kind, version }) => ({ group, kind, version })) };
}

/** The definition's name of a served kind. */
export function kindName({ definition, version }: ServedResource): string {
  return (
    version.schema.definition ??
    definitionName({ group: definition.group, version: version.version, kind: definition.kind })
  );
}

export function listName({ definition, version }: ServedResource): string {
  return definitionName({ group: definition.group, version: version.version, kind: definition.listKind });
}

/** Every component that the documents of a group version need, by name: its kinds and all that they refer to. */
export function componentsOf(
  groupVersion: ApiGroupVersion,
  group: string,
  version: OpenApiVersion,
): ReadonlyMap<string, Component> {
  const components = new Map<string, Component>();
  const queue = commonNames(groupVersion);
  for (const served of groupVersion.resources) {
    for (const component of ownComponents(served, version)) {
      components.set(component.name, component);
      queue.push(...component.refs);
    }
    const builtinList = listName(served);
    if (served.version.verbs.includes('list') && !components.has(builtinList)) queue.push(builtinList);
    for (const subresource of served.version.subresources) queue.push(definitionName(subresource));
  }
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (components.has(name)) continue;
    const component = builtinComponent(name, version);
    if (component === undefined) continue;
    components.set(name, component);
    queue.push(...component.refs);
  }
  for (const name of kindsOfEveryGroup(groupVersion)) {
    const at = isCustomGroup(groupVersion) ? undefined : { group, version: groupVersion.version };
    addForEveryGroup(components, name, at, version);
  }
  return components;
}

/** Kubernetes tells of custom kinds alone what it takes to write them. */
export const isCustomGroup = ({ resources }: ApiGroupVersion) =>
  resources.every(({ definition }) => definition.origin === 'custom');

const isServed = ({ resources }: ApiGroupVersion, ...verbs: readonly Verb[]) =>
  resources.some(({ version }) => verbs.some((verb) => version.verbs.includes(verb)));

/** What operations of the verbs that are served refer to: a group of reviews alone is created only. */
function commonNames(groupVersion: ApiGroupVersion): string[] {
  return [
    ...(isCustomGroup(groupVersion) ? [] : [metaNames.resourceList]),
    ...(isServed(groupVersion, 'delete', 'deletecollection') ? [metaNames.status] : []),
    ...(isServed(groupVersion, 'patch') ? [metaNames.patch] : []),
    ...(isServed(groupVersion, 'list') ? [metaNames.listMeta] : []),
  ];
}

/** DeleteOptions and WatchEvent are kinds of every group version that has a use for them. */
function kindsOfEveryGroup(groupVersion: ApiGroupVersion): string[] {
  return [
    ...(isServed(groupVersion, 'delete', 'deletecollection') ? [metaNames.deleteOptions] : []),
    ...(isServed(groupVersion, 'watch') && !isCustomGroup(groupVersion) ? [metaNames.watchEvent] : []),
  ];
}

function addForEveryGroup(
  components: Map<string, Component>,
  name: string,
  at: { readonly group: string; readonly version: string } | undefined,
  version: OpenApiVersion,
): void {
  const base = builtinComponent(name, version);
  if (base === undefined) return;
  const kind = name.slice(meta.length + 1);
  const kinds: GroupVersionKind[] = [{ group: '', version: 'v1', kind }];
  if (at !== undefined && (at.group !== '' || at.version !== 'v1')) kinds.push({ ...at, kind });
  components.set(name, { ...base, json: withKinds(base.json, kinds) });
  for (const ref of base.refs) {
    const nested = builtinComponent(ref, version);
    if (nested !== undefined) components.set(ref, nested);
  }
}

/** The kind itself, and its list, where the catalogue has neither. */
function ownComponents(served: ServedResource, version: OpenApiVersion): Component[] {
  const name = kindName(served);
  if (builtinComponent(name, version) !== undefined) {
    return [builtinComponent(name, version) as Component];
  }
  const { definition, version: resourceVersion } = served;
  const kind = { group: definition.group, version: resourceVersion.version, kind: definition.kind };
  // Old kubectl would refuse what is not declared (apiextensions-apiserver, controller/openapi/builder, buildKubeNative).
  const isOpen = version === 'v2' && resourceVersion.schema.preserveUnknownFields === true;
  const schema: Schema = isOpen ? { type: 'object' } : rootSchema(resourceVersion.schema);
  const own = makeComponent(name, schema, version, [kind]);
  const made = [own];
  if (resourceVersion.verbs.includes('list')) {
    const listKind = { ...kind, kind: definition.listKind };
    made.push(listComponent(name, definition.kind, listName(served), listKind, version));
  }
  return made.map((one) => withSelectableFields(one, served));
}

function withSelectableFields(component: Component, { definition, version }: ServedResource): Component {
  if (definition.origin !== 'custom' || version.selectableFields.size === 0) return component;
  const fields = [...version.selectableFields.values()].map((fieldPath) => ({ fieldPath }));
  return { ...component, json: { ...component.json, 'x-kubernetes-selectable-fields': fields } };
}

/** A custom kind's schema need not say what every object has. */
function rootSchema(schema: Schema): Schema {
  const properties = new Map<string, Schema>([
    ['apiVersion', { type: 'string', ...describedAs('apiVersion'), ...schema.properties?.get('apiVersion') }],
    ['kind', { type: 'string', ...describedAs('kind'), ...schema.properties?.get('kind') }],
    ['metadata', { ...objectMetaSchema(), ...describedAs('metadata') }],
  ]);
  for (const [name, property] of schema.properties ?? []) {
    if (!properties.has(name)) properties.set(name, property);
  }
  return { ...schema, type: 'object', definition: undefined, properties };
}

function listComponent(
  itemName: string,
  itemKind: string,
  name: string,
  kind: GroupVersionKind,
  version: OpenApiVersion,
): Component {
  const listMeta = { $ref: refTo(version, metaNames.listMeta) };
  const json: JsonObject = {
    description: `A list of ${itemKind}.`,
    type: 'object',
    required: ['items'],
    properties: {
      apiVersion: { ...describedAs('apiVersion'), type: 'string' },
      items: { ...describedAs('items'), type: 'array', items: { $ref: refTo(version, itemName) } },
      kind: { ...describedAs('kind'), type: 'string' },
      // OpenAPI 3 ignores what stands beside a $ref.
      metadata: { ...(version === 'v2' ? listMeta : { allOf: [listMeta] }), ...describedAs('metadata') },
    },
  };
  return { name, json: withKinds(json, [kind]), refs: [metaNames.listMeta] };
}

/** Strategic merge patch is for built-in kinds only (KUBERNETES.md P1). */
export function patchTypes(definition: ResourceDefinition): readonly string[] {
  return definition.origin === 'builtin' ? builtinPatchTypes : customPatchTypes;
}

const customPatchTypes = [
  'application/apply-patch+yaml',
  'application/json-patch+json',
  'application/merge-patch+json',
];
const builtinPatchTypes = [...customPatchTypes, 'application/strategic-merge-patch+json'];
