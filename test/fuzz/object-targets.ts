import fc from 'fast-check';
import { definitionFromCrd } from '#api/apiextensions/definition-from-crd.ts';
import { builtinDefinitions } from '#api/builtin/definitions.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import type { Schema } from '#apimachinery/schema.ts';
import type { ServedResource } from '#apimachinery/scheme.ts';
import { applyServerSide } from '#apiserver/apply/apply-server-side.ts';
import { decodeFieldSet } from '#apiserver/apply/field-set.ts';
import { decodeManagers, encodeManagers } from '#apiserver/apply/managed-fields.ts';
import { widgetSchema } from '#apiserver/apply/testing/widget-schema.ts';
import { updateManagedFields } from '#apiserver/apply/update-managed-fields.ts';
import { applyJsonPatch } from '#apiserver/patch/json-patch.ts';
import { applyMergePatch } from '#apiserver/patch/merge-patch.ts';
import { mergeStrategically } from '#apiserver/patch/strategic-merge-patch.ts';
import { servedObjectOf } from '#apiserver/registry/conversion.ts';
import { encodeStored } from '#apiserver/registry/encode-stored.ts';
import { prepareForCreate, prepareForUpdate } from '#apiserver/registry/prepare.ts';
import { entryOf } from '#apiserver/registry/stored-object.ts';
import type { Target as WriteTarget } from '#apiserver/registry/target.ts';
import { validateObject } from '#apiserver/registry/validate-object.ts';
import { renderTable } from '#apiserver/table/table.ts';
import { decodeObject } from '#apiserver/verbs/decode-body.ts';
import { parseDeletionOptions } from '#apiserver/verbs/options.ts';
import type { ClusterId, Workspace } from '#apiserver/workspace/workspace.ts';
import type { Revision, StorageKey } from '#storage/storage.ts';
import { mutatedJson } from './mutations.ts';
import { isRefusal, type Target, target } from './target.ts';

const workspace = {
  id: 'root' as ClusterId,
  path: 'root',
  type: 'universal',
  phase: 'Ready',
  inert: false,
} as Workspace;

const samples: { readonly [type: string]: JsonValue } = {
  string: 'a',
  integer: 1,
  number: 1.5,
  boolean: true,
};

/** Every kind in its first version, with a sample that has all its fields. */
const kinds = builtinDefinitions()
  .filter(({ virtual }) => virtual !== true)
  .map((definition) => {
    const served: ServedResource = { definition, version: definition.versions[0]! };
    return { served, sample: sampleOf(definition, served) };
  });
const deployments = kinds.find(({ served }) => served.definition.resource === 'deployments')!;

function sampleOf(definition: ResourceDefinition, { version }: ServedResource): JsonObject {
  const { group, kind } = definition;
  const apiVersion = group === '' ? version.version : `${group}/${version.version}`;
  const filled = filledIn(version.schema, 0);
  const content = isJsonObject(filled) ? filled : {};
  return { ...content, apiVersion, kind, metadata: { name: 'sample', labels: { a: 'b' } } };
}

/** A value in which every field stands; nesting is cut where schemas contain themselves. */
function filledIn(schema: Schema, depth: number): JsonValue {
  if (schema.intOrString === true) return '50%';
  if (depth > 7) return schema.type === 'array' ? [] : {};
  if (schema.type === 'array') return [filledIn(schema.items ?? {}, depth + 1)];
  if (schema.type !== 'object') return samples[schema.type ?? ''] ?? {};
  const value: JsonObject = {};
  for (const [name, field] of schema.properties ?? []) value[name] = filledIn(field, depth + 1);
  if (schema.additionalProperties !== undefined)
    value['a'] = filledIn(schema.additionalProperties, depth + 1);
  return value;
}

/** What a write and the reads after it do with an object, but for admission and the disk. */
function store({ served }: { readonly served: ServedResource }, value: JsonValue): void {
  const { definition } = served;
  const write: WriteTarget = {
    workspace,
    served,
    namespace: definition.namespaced ? 'default' : '',
    name: 'sample',
  };
  const decode = () =>
    decodeObject({ object: value }, { workspace, served, fieldValidation: 'Warn', warnings: [] });
  const object = decode();
  prepareForCreate(object, write, 0);
  validateObject(object, undefined, write, '');
  const entry = entryOf({
    key: '/core/things/root/default/sample' as StorageKey,
    value: encodeStored(object, definition),
    revision: 7 as Revision,
  });
  const read = servedObjectOf(entry, served);
  renderTable({
    served,
    objects: [read],
    includeObject: 'Metadata',
    apiVersion: 'v1',
    listMetadata: {},
    now: new Date(0),
    withColumns: true,
  });
  definition.strategy.warnings?.(read, undefined);
  definition.strategy.fields?.(read);
  const again = prepareForUpdate(decode(), servedObjectOf(entry, served), write, '');
  validateObject(again, read, write, '');
}

const patches: JsonValue[] = [
  {
    spec: {
      replicas: 2,
      template: { spec: { containers: [{ name: 'a', image: 'b' }], $retainKeys: ['containers'] } },
    },
  },
  { spec: { template: { spec: { $patch: 'replace', volumes: [{ name: 'v', $patch: 'delete' }] } } } },
  {
    metadata: {
      finalizers: ['a'],
      '$deleteFromPrimitiveList/finalizers': ['b'],
      '$setElementOrder/finalizers': ['a'],
    },
  },
  {
    spec: { template: { spec: { '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }] } } },
    status: null,
  },
];
const operations: JsonValue[] = [
  [
    { op: 'add', path: '/spec/template/spec/containers/-', value: { name: 'x' } },
    { op: 'test', path: '/metadata/name', value: 'sample' },
    { op: 'move', from: '/spec/replicas', path: '/spec/other' },
    { op: 'copy', from: '/spec', path: '/spec/selector/a' },
    { op: 'remove', path: '/metadata/labels/a~1b' },
    { op: 'replace', path: '', value: {} },
  ],
];
const managers: JsonValue[] = [
  [
    {
      manager: 'a',
      operation: 'Apply',
      apiVersion: 'apps/v1',
      time: '2020-01-01T00:00:00Z',
      fieldsType: 'FieldsV1',
      fieldsV1: {
        'f:spec': { '.': {}, 'f:list': { 'k:{"name":"a"}': { '.': {}, 'f:x': {} }, 'v:"s"': {}, 'i:0': {} } },
      },
    },
    {
      manager: 'b',
      operation: 'Update',
      apiVersion: 'v1',
      fieldsType: 'FieldsV1',
      fieldsV1: {},
      subresource: 'status',
    },
  ],
  [{}],
];
const widgets: JsonValue[] = [
  { apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name: 'w' }, spec: filledIn(widgetSchema, 0) },
  Object.assign({}, filledIn(widgetSchema, 0), {
    apiVersion: 'example.com/v1',
    kind: 'Widget',
    metadata: { name: 'w' },
  }),
];
const crd: JsonObject = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'things.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: {
      plural: 'things',
      singular: 'thing',
      kind: 'Thing',
      listKind: 'ThingList',
      shortNames: ['t'],
      categories: ['all'],
    },
    conversion: { strategy: 'None' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        selectableFields: [{ jsonPath: '.spec.color' }],
        additionalPrinterColumns: [{ name: 'C', type: 'string', jsonPath: '.spec.color', priority: 1 }],
        subresources: { status: {}, scale: { specReplicasPath: '.spec.n', statusReplicasPath: '.status.n' } },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: {
                type: 'object',
                required: ['color'],
                'x-kubernetes-validations': [
                  { rule: "self.n > 1 || self.color == 'a'", messageExpression: '"m"' },
                ],
                properties: {
                  color: {
                    type: 'string',
                    enum: ['a', 'b'],
                    pattern: '^[a-z]+$',
                    default: 'a',
                    maxLength: 9,
                  },
                  n: { type: 'integer', minimum: 1, multipleOf: 2, nullable: true },
                  port: { 'x-kubernetes-int-or-string': true },
                  list: {
                    type: 'array',
                    'x-kubernetes-list-type': 'map',
                    'x-kubernetes-list-map-keys': ['name'],
                    items: { type: 'object', required: ['name'], properties: { name: { type: 'string' } } },
                  },
                  any: {
                    type: 'object',
                    'x-kubernetes-preserve-unknown-fields': true,
                    additionalProperties: true,
                  },
                  inner: {
                    type: 'object',
                    'x-kubernetes-embedded-resource': true,
                    'x-kubernetes-preserve-unknown-fields': true,
                  },
                  one: {
                    type: 'integer',
                    oneOf: [{ minimum: 3 }, { not: { maximum: 5 } }],
                    allOf: [{ maximum: 9 }],
                  },
                },
              },
              status: { type: 'object', properties: { n: { type: 'integer' } } },
            },
          },
        },
      },
    ],
  },
};
const crds = kinds.find(({ served }) => served.definition.resource === 'customresourcedefinitions')!;
const instance: JsonObject = {
  apiVersion: 'example.com/v1',
  kind: 'Thing',
  metadata: { name: 'sample' },
  spec: {
    color: 'a',
    n: 2,
    port: '80%',
    list: [{ name: 'x' }],
    any: { b: [1] },
    inner: { apiVersion: 'v1', kind: 'X' },
    one: 4,
  },
};
const things = definitionFromCrd(crd as KubeObject);
const servedThings: ServedResource = { definition: things, version: things.versions[0]! };

function asObject(value: JsonValue): JsonObject {
  return isJsonObject(value) ? value : {};
}

function managedRequest(value: JsonValue, live: JsonValue) {
  return {
    schema: widgetSchema,
    live: liveWidget(live),
    manager: 'm',
    apiVersion: 'example.com/v1',
    subresource: '',
    now: '2026-01-01T00:00:00Z',
    value,
  };
}

/** What stands was decoded and stored once: its metadata has its types, and managedFields were checked. */
function liveWidget(managedFields: JsonValue): KubeObject {
  const isStorable = Array.isArray(managedFields) && decodeManagers(managedFields, false) !== undefined;
  const metadata = { name: 'w', ...(isStorable ? { managedFields } : {}) };
  return { ...asObject(widgets[1]!), apiVersion: 'example.com/v1', kind: 'Widget', metadata } as KubeObject;
}

/** Decoders of objects: what is inside of well-formed JSON. */
export const objectTargets: readonly Target[] = [
  target(
    'objects of all kinds',
    fc
      .nat(kinds.length - 1)
      .chain((which) => fc.tuple(fc.constant(which), mutatedJson([kinds[which]!.sample]))),
    ([which, value]) => store(kinds[which]!, value),
  ),
  target('CRD', mutatedJson([crd]), (value) => {
    store(crds, value);
    definitionFromCrd(asObject(value) as KubeObject);
  }),
  target('custom resource', mutatedJson([instance]), (value) => store({ served: servedThings }, value)),
  target('JSON patch', mutatedJson(operations), (value) => applyJsonPatch(deployments.sample, value)),
  target('merge patch', mutatedJson(patches), (value) => applyMergePatch(deployments.sample, value)),
  target('strategic merge patch', mutatedJson(patches), (value) => {
    const { schema } = deployments.served.version;
    store(deployments, mergeStrategically(schema, structuredClone(deployments.sample), asObject(value)));
  }),
  target('managed fields', mutatedJson(managers), (value) => {
    const decoded = decodeManagers(value, false);
    if (decoded !== undefined) encodeManagers(decoded);
    decodeFieldSet(value);
  }),
  target(
    'update of managed fields',
    fc.tuple(mutatedJson(widgets), mutatedJson(managers)),
    ([value, live]) => {
      const { metadata, ...content } = asObject(value);
      const updated = {
        ...content,
        apiVersion: 'example.com/v1',
        kind: 'Widget',
        metadata: { name: 'w' },
      } as KubeObject;
      updateManagedFields({ ...managedRequest(value, live), updated, operation: 'Update' });
    },
  ),
  target(
    'server-side apply',
    fc.tuple(mutatedJson(widgets), mutatedJson(managers), fc.boolean()),
    ([value, live, force]) =>
      applyServerSide({ ...managedRequest(value, live), applied: asObject(value), force }),
    // With Kubernetes too a configuration that does not fit its kind is 500, without a reason.
    (error) => isRefusal(error) || (isApiError(error) && /^failed to create typed patch/.test(error.message)),
  ),
  target(
    'DeleteOptions',
    mutatedJson([
      {
        kind: 'DeleteOptions',
        apiVersion: 'v1',
        preconditions: { uid: 'a' },
        propagationPolicy: 'Orphan',
        dryRun: ['All'],
      },
    ]),
    (value) => parseDeletionOptions(asObject(value), new URLSearchParams()),
  ),
];
