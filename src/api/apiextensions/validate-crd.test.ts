import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cloneJson, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { crdCleanupFinalizer, storedVersionsOf } from './crd.ts';
import { customResourceDefinitionStrategy as strategy } from './strategy.ts';
import { created, errorsOf, field, schemaOf, specOf } from './testing/draft-crd.ts';

// Source: apiextensions-apiserver pkg/apis/apiextensions/validation (KUBERNETES.md R1).
const invalidRows: readonly [string, (crd: KubeObject) => void, RegExp][] = [
  [
    'name',
    (o) => Object.assign(o.metadata, { name: 'x' }),
    /^metadata\.name: Invalid value: "x": must be spec\.names\.plural\+"\."\+spec\.group$/,
  ],
  [
    'group',
    (o) => Object.assign(specOf(o), { group: 'example' }),
    /spec\.group: Invalid value: "example": should be a domain with at least one dot/,
  ],
  [
    'scope',
    (o) => Object.assign(specOf(o), { scope: 'Global' }),
    /spec\.scope: Unsupported value: "Global": supported values: "Cluster", "Namespaced"/,
  ],
  [
    'kind',
    (o) => Object.assign(specOf(o).names, { kind: 'Wid_get' }),
    /spec\.names\.kind: .*may have mixed case/,
  ],
  [
    'listKind',
    (o) => Object.assign(specOf(o).names, { listKind: 'Widget' }),
    /kind and listKind may not be the same/,
  ],
  [
    'shortName',
    (o) => Object.assign(specOf(o).names, { shortNames: ['W'] }),
    /^spec\.names\.shortNames\[0\]: Invalid value/,
  ],
  [
    'no versions',
    (o) => Object.assign(specOf(o), { versions: [] }),
    /^spec\.versions: Invalid value: \[\]: must have exactly one version marked as storage version/,
  ],
  [
    'two storage versions',
    (o) => specOf(o).versions.push({ ...specOf(o).versions[0]!, name: 'v2' }),
    /must have exactly one version marked as storage version/,
  ],
  [
    'version twice',
    (o) => specOf(o).versions.push({ ...specOf(o).versions[0]!, storage: false }),
    /must contain unique version names/,
  ],
  [
    'version name',
    (o) => Object.assign(specOf(o).versions[0]!, { name: 'V1' }),
    /^spec\.versions\[0\]\.name: Invalid value: "V1"/,
  ],
  [
    'no schema',
    (o) => Object.assign(specOf(o).versions[0]!, { schema: {} }),
    /openAPIV3Schema: Required value/,
  ],
  [
    'conversion',
    (o) => Object.assign(specOf(o), { conversion: { strategy: 'Webhook' } }),
    /spec\.conversion\.webhookClientConfig: Required value: required when strategy is set to Webhook/,
  ],
  [
    'preserveUnknownFields',
    (o) => Object.assign(specOf(o), { preserveUnknownFields: true }),
    /spec\.preserveUnknownFields: Invalid value: true/,
  ],
  [
    'protected group',
    (o) => {
      Object.assign(specOf(o), { group: 'x.k8s.io' });
      o.metadata.name = 'widgets.x.k8s.io';
    },
    /^metadata\.annotations\[api-approved\.kubernetes\.io\]: Required value: protected groups must have approval annotation/,
  ],
  [
    'column type',
    (o) =>
      Object.assign(specOf(o).versions[0]!, {
        additionalPrinterColumns: [{ name: 'a', type: 'text', jsonPath: '.a' }],
      }),
    /must be one of boolean,date,integer,number,string/,
  ],
  [
    'selectable field',
    (o) => Object.assign(specOf(o).versions[0]!, { selectableFields: [{ jsonPath: '.spec.none' }] }),
    /does not refer to a valid field/,
  ],
  [
    'selectable object',
    (o) => Object.assign(specOf(o).versions[0]!, { selectableFields: [{ jsonPath: '.spec' }] }),
    /must point to a field of type string, boolean or integer/,
  ],
  [
    'too many selectable fields (R6)',
    (o) => {
      const [version] = specOf(o).versions;
      const names = Array.from({ length: 9 }, (_, at) => `f${at}`);
      Object.assign(version!, { selectableFields: names.map((name) => ({ jsonPath: `.spec.${name}` })) });
      const properties = Object.fromEntries(names.map((name) => [name, { type: 'string' }]));
      Object.assign(schemaOf(o)['properties']!, { spec: { type: 'object', properties } });
    },
    /^spec\.selectableFields: Too many: 9: must have at most 8 items$/,
  ],
  [
    'selectable metadata',
    (o) => Object.assign(specOf(o).versions[0]!, { selectableFields: [{ jsonPath: '.metadata.name' }] }),
    /is an invalid path: does not refer to a valid field/,
  ],
  [
    'scale path',
    (o) =>
      Object.assign(specOf(o).versions[0]!, {
        subresources: { scale: { specReplicasPath: '.status.x', statusReplicasPath: '.status.x' } },
      }),
    /specReplicasPath: Invalid value: "\.status\.x": should be a json path under \.spec/,
  ],
  [
    'deprecation',
    (o) => Object.assign(specOf(o).versions[0]!, { deprecationWarning: 'x' }),
    /can only be set for deprecated versions/,
  ],
  [
    'root type',
    (o) => Object.assign(schemaOf(o), { type: 'string' }),
    /openAPIV3Schema\.type: Invalid value: "string": must be object at the root/,
  ],
  [
    'no type',
    (o) => field(o, {}),
    /properties\[f\]\.type: Required value: must not be empty for specified object fields/,
  ],
  [
    'no item type',
    (o) => field(o, { type: 'array', items: {} }),
    /properties\[f\]\.items\.type: Required value: must not be empty for specified array items/,
  ],
  ['$ref', (o) => field(o, { type: 'object', $ref: '#/x' }), /\$ref is not supported/],
  [
    'uniqueItems',
    (o) => field(o, { type: 'array', items: { type: 'string' }, uniqueItems: true }),
    /uniqueItems cannot be set to true/,
  ],
  [
    'both properties',
    (o) =>
      field(o, {
        type: 'object',
        properties: { a: { type: 'string' } },
        additionalProperties: { type: 'string' },
      }),
    /mutual exclusive/,
  ],
  [
    'pattern',
    (o) => field(o, { type: 'string', pattern: '(?=a)' }),
    /must be a valid regular expression, but isn't: error parsing regexp/,
  ],
  [
    'embedded type',
    (o) => field(o, { type: 'string', 'x-kubernetes-embedded-resource': true }),
    /must be object if x-kubernetes-embedded-resource is true/,
  ],
  [
    'list keys',
    (o) =>
      field(o, {
        type: 'array',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['a'],
        items: { type: 'object', properties: { b: { type: 'string' } } },
      }),
    /entries must all be names of item properties/,
  ],
  [
    'list key default',
    (o) =>
      field(o, {
        type: 'array',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['a'],
        items: { type: 'object', properties: { a: { type: 'string' } } },
      }),
    /must have a default or be a required property/,
  ],
  [
    'set of maps',
    (o) => field(o, { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'object' } }),
    /must be atomic as item of a list/,
  ],
  [
    'list type',
    (o) => field(o, { type: 'string', 'x-kubernetes-list-type': 'set' }),
    /must be array if x-kubernetes-list-type is specified/,
  ],
  [
    'not structural',
    (o) => field(o, { type: 'object', anyOf: [{ type: 'object' }] }),
    /anyOf\[0\]\.type: Forbidden: must be empty to be structural/,
  ],
  [
    'metadata',
    (o) => {
      (schemaOf(o)['properties'] as JsonObject)['metadata'] = {
        type: 'object',
        properties: { labels: { type: 'object' } },
      };
    },
    /must not specify anything other than name and generateName/,
  ],
  ['default type', (o) => field(o, { type: 'integer', default: 'x' }), /must be of type integer: "string"/],
  [
    'default unknown',
    (o) => field(o, { type: 'object', default: { a: 1 }, properties: {} }),
    /default: Invalid value: {"a":1}: must not have unknown fields/,
  ],
  ['nullable type', (o) => field(o, { type: 'null' }), /type cannot be set to null, use nullable/],
  [
    'root beside status',
    (o) => {
      Object.assign(specOf(o).versions[0]!, { subresources: { status: {} } });
      schemaOf(o)['oneOf'] = [{}];
    },
    /fields are allowed at the root of the schema if the status subresource is enabled/,
  ],
  [
    'empty rule',
    (o) => field(o, { type: 'string', 'x-kubernetes-validations': [{ rule: ' ' }] }),
    /x-kubernetes-validations\[0\]\.rule: Required value/,
  ],
];

test('invalid CRDs are refused by field', () => {
  const unfound = invalidRows.flatMap(([name, change, expected]) => {
    const errors = errorsOf(created(change));
    return errors.some((error) => expected.test(error)) ? [] : [`${name}: ${errors.join('\n')}`];
  });
  assert.deepEqual(unfound, []);
});

const dnsLabelText =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";

test('what versions have alike is named once, what they do not is named in each', () => {
  const rows: readonly [(crd: KubeObject) => void, ...string[]][] = [
    [
      (o) =>
        Object.assign(specOf(o).versions[0]!, { additionalPrinterColumns: [{ name: 'A', jsonPath: 'a' }] }),
      'spec.additionalPrinterColumns[0].type: Required value: must be one of boolean,date,integer,number,string',
      'spec.additionalPrinterColumns[0].JSONPath: Invalid value: "a": must be a simple json path starting with .',
    ],
    [
      (o) => Object.assign(specOf(o).versions[0]!, { subresources: { scale: {} } }),
      'spec.subresources.scale.specReplicasPath: Required value',
      'spec.subresources.scale.statusReplicasPath: Required value',
    ],
    [
      (o) => Object.assign(specOf(o).versions[0]!, { selectableFields: [{ jsonPath: '.nope' }] }),
      'spec.selectableFields[0].jsonPath: Invalid value: ".nope": is an invalid path: does not refer to a valid field',
    ],
    [
      (o) => {
        const second = { ...cloneJson(specOf(o).versions[0]!), name: 'v2', storage: false };
        second.schema['openAPIV3Schema'] = { type: 'object', nullable: true };
        specOf(o).versions.push(second as never);
      },
      'spec.versions[1].schema.openAPIV3Schema.nullable: Forbidden: nullable cannot be true at the root',
    ],
    [
      (o) => Object.assign(specOf(o).versions[0]!, { name: 'V1' }),
      `spec.versions[0].name: Invalid value: "V1": ${dnsLabelText}`,
      `spec.version: Invalid value: "V1": ${dnsLabelText}`,
    ],
    [
      (o) => Object.assign(specOf(o), { conversion: { strategy: 'Webhook' } }),
      'spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook',
      'spec.conversion.conversionReviewVersions: Required value',
    ],
    [
      (o) => {
        const clientConfig = { url: 'https://u:p@/z?q#f' };
        const webhook = { clientConfig, conversionReviewVersions: ['v1'] };
        Object.assign(specOf(o), { conversion: { strategy: 'Webhook', webhook } });
      },
      'spec.conversion.webhookClientConfig.url: Invalid value: "": host must be specified; desired format: https://host[/path]',
      'spec.conversion.webhookClientConfig.url: Invalid value: "u:p": user information is not permitted in the URL',
      'spec.conversion.webhookClientConfig.url: Invalid value: "f": fragments are not permitted in the URL',
      'spec.conversion.webhookClientConfig.url: Invalid value: "q": query parameters are not permitted in the URL',
    ],
  ];
  for (const [change, ...expected] of rows) assert.deepEqual(errorsOf(created(change)), expected);
});

test('updates keep what instances rely on', () => {
  const old = created();
  old['status'] = {
    conditions: [{ type: 'Established', status: 'True' }],
    acceptedNames: {},
    storedVersions: ['v1'],
  };
  const update = (change: (crd: KubeObject) => void) => {
    const next = cloneJson(old);
    change(next);
    strategy.prepareForUpdate?.(next, old, '');
    return {
      next,
      errors: (strategy.validateUpdate?.(next, old, '') ?? []).map(
        ({ field: at, message }) => `${at}: ${message}`,
      ),
    };
  };
  const rows: readonly [(crd: KubeObject) => void, RegExp][] = [
    [
      (o) => Object.assign(specOf(o), { scope: 'Cluster' }),
      /spec\.scope: Invalid value: "Cluster": field is immutable/,
    ],
    [(o) => Object.assign(specOf(o).names, { kind: 'Other' }), /spec\.names\.kind: .*field is immutable/],
    [(o) => Object.assign(specOf(o), { group: 'other.com' }), /spec\.group: .*field is immutable/],
    [
      (o) => Object.assign(specOf(o).versions[0]!, { name: 'v2' }),
      /status\.storedVersions\[0\]: Invalid value: "v1": missing from spec\.versions/,
    ],
  ];
  for (const [change, expected] of rows) {
    const { errors } = update(change);
    assert.ok(
      errors.some((error) => expected.test(error)),
      `${expected}: ${errors.join('\n')}`,
    );
  }
  const { next, errors } = update((o) => {
    specOf(o).versions[0]!['storage'] = false;
    specOf(o).versions.push({ ...cloneJson(specOf(o).versions[0]!), name: 'v2', storage: true } as never);
    delete o.metadata.finalizers;
  });
  assert.deepEqual(errors, []);
  assert.deepEqual(storedVersionsOf(next), ['v1', 'v2']);
  assert.deepEqual(storedVersionsOf(old), ['v1']);
  assert.deepEqual(next.metadata.finalizers, [crdCleanupFinalizer]);
});

test('what is stored may be said in any way by who writes status, and is the storage version where nothing is said', () => {
  const old = created();
  const next = { ...cloneJson(old), status: { storedVersions: ['v9'] } } as KubeObject;
  assert.deepEqual(strategy.validateUpdate?.(next, old, 'status'), []);
  next['status'] = { storedVersions: [] };
  strategy.defaults?.(next, 'v1');
  assert.deepEqual(storedVersionsOf(next), ['v1']);
});

/** Two versions, of which one can be selected by a field: alike otherwise, or not. */
function selectable(first: JsonObject, second: JsonObject): string[] {
  return errorsOf(
    created((o) => {
      const [one] = specOf(o).versions;
      Object.assign(schemaOf(o), { title: 'one' });
      specOf(o).versions.push({ ...cloneJson(one!), name: 'v2', storage: false, ...second } as never);
      Object.assign(one!, first);
    }),
  );
}

test('selectable fields stand where the schema stands, as Kubernetes gathers what versions have alike', () => {
  const fields = { selectableFields: [{ jsonPath: '.spec.colour' }] };
  const own =
    'spec.versions[0].selectableFields: Invalid value: "": may only be set when `version.schema.openAPIV3Schema` is not included';
  const shared =
    'spec.selectableFields: Invalid value: "": may only be set when validations.schema is included';
  const other = {
    schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
  };
  assert.deepEqual(selectable(fields, {}), [own]);
  assert.deepEqual(selectable(fields, fields), []);
  assert.deepEqual(selectable(fields, other), []);
  assert.deepEqual(selectable(fields, { ...other, ...fields }), [shared]);
});
