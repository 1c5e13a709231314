import type { JsonObject } from '#apimachinery/json.ts';
import { until } from '../harness/until.ts';
import type { Pair } from './pair.ts';

const group = 'published.oracle.example.com';
const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

const spec: JsonObject = {
  description: 'What is wanted.',
  type: 'object',
  required: ['size', 'mode'],
  properties: {
    size: { type: 'integer', format: 'int32', minimum: 1, exclusiveMaximum: true, maximum: 9, default: 3 },
    ratio: { type: 'number', format: 'double', multipleOf: 0.5, description: 'A share.' },
    mode: { type: 'string', enum: ['on', 'off', ''], default: 'off' },
    port: { 'x-kubernetes-int-or-string': true, description: 'A number or a name.' },
    ports: {
      type: 'array',
      items: { anyOf: [{ type: 'integer' }, { type: 'string' }], 'x-kubernetes-int-or-string': true },
      'x-kubernetes-list-type': 'set',
    },
    raw: {
      type: 'object',
      'x-kubernetes-preserve-unknown-fields': true,
      properties: { a: { type: 'string' } },
    },
    any: { 'x-kubernetes-preserve-unknown-fields': true },
    embedded: {
      type: 'object',
      'x-kubernetes-embedded-resource': true,
      'x-kubernetes-preserve-unknown-fields': true,
    },
    maybe: { type: 'string', nullable: true, maxLength: 5, minLength: 1, pattern: '^a+$' },
    deep: {
      type: 'object',
      nullable: true,
      properties: {
        list: {
          type: 'array',
          nullable: true,
          items: { type: 'object', properties: { x: { type: 'string', nullable: true } } },
        },
      },
    },
    choice: {
      type: 'object',
      maxProperties: 2,
      properties: { a: { type: 'string' }, b: { type: 'string' }, c: { type: 'integer' } },
      oneOf: [{ required: ['a'] }, { required: ['b'] }],
      not: { required: ['c'], properties: { c: { minimum: 5 } } },
      allOf: [{ properties: { a: { maxLength: 4 } } }],
    },
    labels: { type: 'object', additionalProperties: { type: 'string' }, 'x-kubernetes-map-type': 'atomic' },
    rules: {
      type: 'array',
      maxItems: 4,
      items: {
        type: 'object',
        required: ['name'],
        properties: { name: { type: 'string', default: 'x' }, at: { type: 'string', format: 'date-time' } },
      },
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
    },
    when: { type: 'string', format: 'date-time', title: 'When', example: '2024-01-01T00:00:00Z' },
    data: {
      type: 'string',
      format: 'byte',
      externalDocs: { url: 'https://example.com/', description: 'more' },
    },
  },
  'x-kubernetes-validations': [
    { rule: 'self.size > 1', message: 'too small', fieldPath: '.size', reason: 'FieldValueInvalid' },
    { rule: 'self.size >= oldSelf.size', messageExpression: "'not less'" },
  ],
};

const root = (more: JsonObject): JsonObject => ({
  description: 'A thing that is published.',
  type: 'object',
  properties: {
    apiVersion: { type: 'string', description: 'Own words.' },
    kind: { type: 'string' },
    metadata: { type: 'object', properties: { name: { type: 'string', maxLength: 20 } } },
    ...more,
  },
});

/** Definitions of which discovery and OpenAPI have much to tell. */
const definitions: readonly JsonObject[] = [
  {
    metadata: { name: `widgets.${group}` },
    spec: {
      ...{ group, scope: 'Namespaced' },
      names: {
        ...{ plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'Widgets' },
        ...{ shortNames: ['wg', 'w'], categories: ['all', 'things'] },
      },
      versions: [
        {
          ...{ name: 'v1beta1', served: true, storage: false, deprecated: true },
          schema: {
            openAPIV3Schema: root({ spec: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } }),
          },
        },
        {
          ...{ name: 'v1', served: true, storage: true },
          schema: {
            openAPIV3Schema: root({
              spec,
              status: { type: 'object', properties: { n: { type: 'integer' }, s: { type: 'string' } } },
            }),
          },
          subresources: {
            status: {},
            scale: {
              specReplicasPath: '.spec.size',
              statusReplicasPath: '.status.n',
              labelSelectorPath: '.status.s',
            },
          },
          additionalPrinterColumns: [
            { name: 'Size', type: 'integer', jsonPath: '.spec.size', description: 'how large' },
          ],
          selectableFields: [{ jsonPath: '.spec.mode' }],
        },
        { ...{ name: 'v2', served: false, storage: false }, schema: { openAPIV3Schema: root({ spec }) } },
      ],
    },
  },
  {
    metadata: { name: `opens.${group}` },
    spec: {
      ...{ group, scope: 'Cluster', names: { plural: 'opens', kind: 'Open' } },
      versions: [
        {
          ...{ name: 'v1', served: true, storage: true },
          schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
        },
        {
          ...{ name: 'v10', served: true, storage: false },
          schema: { openAPIV3Schema: { type: 'object', properties: { data: { type: 'object' } } } },
          subresources: { status: {} },
        },
      ],
    },
  },
];

const isTold = async (pair: Pair, path: string, pattern: RegExp): Promise<boolean> => {
  const { oracle, ours } = await pair.send({ path });
  return pattern.test(oracle.text) && pattern.test(ours.text);
};

/** Makes the kinds and waits until both tell of them everywhere. */
export async function publishKinds(pair: Pair): Promise<void> {
  for (const definition of definitions) {
    const body = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', ...definition };
    const { oracle, ours } = await pair.send({ path: crds, body: JSON.stringify(body) });
    if (oracle.status !== 201 || ours.status !== 201) throw new Error(`${oracle.text} ${ours.text}`);
  }
  for (const version of ['v1', 'v10', 'v1beta1'])
    await until(`both tell of ${version}`, () =>
      isTold(pair, `/openapi/v3/apis/${group}/${version}`, /\/(?:opens|widgets)\//),
    );
  const isComplete = () =>
    isTold(pair, `/openapi/v3/apis/${group}/v1`, /"Widgets"[\s\S]*"Open"|"Open"[\s\S]*"Widgets"/);
  await until('both tell of both kinds', isComplete);
  const plain = new RegExp(`"/apis/${group}/v10/opens/\\{name\\}/status"`);
  await until('both tell of them in OpenAPI 2', () => isTold(pair, '/openapi/v2', plain));
}

/** Takes them away and waits until neither tells of them. */
export async function withdrawKinds(pair: Pair): Promise<void> {
  for (const { metadata } of definitions) {
    const { name } = metadata as { name: string };
    await pair.send({ path: `${crds}/${name}`, method: 'DELETE' });
  }
  for (const path of ['/openapi/v2', '/openapi/v3', '/apis'])
    await until(`nothing is left in ${path}`, async () => {
      const { oracle, ours } = await pair.send({ path });
      return !oracle.text.includes(group) && !ours.text.includes(group);
    });
}
