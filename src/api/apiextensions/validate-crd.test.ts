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

/** What a kube-apiserver 1.36 answered, word for word; of a field the path is relative to it. */
const exactRows: readonly [props: JsonObject, ...errors: string[]][] = [
  // schema validateStructuralInvariants, validateNestedValueValidation
  [{}, '.type: Required value: must not be empty for specified object fields'],
  [{ type: 'array', items: {} }, '.items.type: Required value: must not be empty for specified array items'],
  [
    { type: 'string', anyOf: [{ description: 'x', default: 'q', nullable: true }] },
    '.anyOf[0].default: Forbidden: must be undefined to be structural',
    '.anyOf[0].description: Forbidden: must be empty to be structural',
    '.anyOf[0].nullable: Forbidden: must be false to be structural',
  ],
  [
    { type: 'object', allOf: [{ additionalProperties: { type: 'string' } }] },
    '.allOf[0].additionalProperties: Forbidden: must be undefined to be structural',
  ],
  [
    { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'string' }, { type: 'integer' }] },
    '.anyOf[0].type: Forbidden: must be empty to be structural',
    '.anyOf[1].type: Forbidden: must be empty to be structural',
  ],
  [
    { 'x-kubernetes-int-or-string': true, 'x-kubernetes-preserve-unknown-fields': true },
    '.x-kubernetes-preserve-unknown-fields: Invalid value: true: must be false if x-kubernetes-int-or-string is true',
  ],
  [
    { type: 'object', 'x-kubernetes-embedded-resource': true, properties: { kind: { type: 'boolean' } } },
    '.properties[kind].type: Invalid value: "boolean": must be string',
  ],
  // specStandardValidatorV3, ValidateCustomResourceDefinitionOpenAPISchema
  [
    { type: 'null' },
    '.type: Unsupported value: "null": supported values: "array", "boolean", "integer", "number", "object", "string"',
    '.type: Forbidden: type cannot be set to null, use nullable as an alternative',
  ],
  [{ type: 'object', dependencies: { a: ['b'] } }, '.dependencies: Forbidden: dependencies is not supported'],
  [
    { type: 'array', items: [{ type: 'string' }] },
    '.items: Forbidden: items must be a schema object and not an array',
  ],
  [
    {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['k', 'k', 'z'],
      items: { type: 'object', properties: { k: { type: 'string' } } },
    },
    '.x-kubernetes-list-map-keys: Invalid value: ["k","k","z"]: must not contain duplicate entries',
    '.x-kubernetes-list-map-keys: Invalid value: ["k","k","z"]: entries must all be names of item properties',
    '.items.properties[k].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property',
    '.items.properties[k].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property',
  ],
  // defaulting ValidateDefaults
  [
    { type: 'string', default: 3 },
    '.default: Invalid value: "integer":  in body must be of type string: "integer"',
  ],
  [
    { type: 'array', items: { type: 'string' }, default: ['a', 1] },
    '.default.[1]: Invalid value: "integer": [1] in body must be of type string: "integer"',
  ],
  [
    { type: 'object', default: {}, required: ['a'], properties: { a: { type: 'string', default: 'x' } } },
    '.default.a: Required value',
  ],
  [
    { type: 'object', default: { z: '<' }, properties: { a: { type: 'string' } } },
    '.default: Invalid value: {"z":"\\u003c"}: must not have unknown fields',
  ],
  // x-kubernetes-validations
  [
    { type: 'string', 'x-kubernetes-validations': [{ rule: 'self == ""', message: ' ' }] },
    '.x-kubernetes-validations[0].message: Invalid value: " ": must be non-empty if specified',
  ],
  [
    { type: 'string', 'x-kubernetes-validations': [{ rule: 'self == ""', reason: 'X' }] },
    '.x-kubernetes-validations[0].reason: Unsupported value: "X": supported values: "FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"',
  ],
  [
    { type: 'string', 'x-kubernetes-validations': [{ rule: 'self' }] },
    '.x-kubernetes-validations[0].rule: Invalid value: {"Rule":"self","Message":"","MessageExpression":"","Reason":null,"FieldPath":"","OptionalOldSelf":null}: cel expression must evaluate to a bool',
  ],
  [
    { type: 'integer', 'x-kubernetes-validations': [{ rule: 'self && true' }] },
    '.x-kubernetes-validations[0].rule: Invalid value: {"Rule":"self \\u0026\\u0026 true","Message":"","MessageExpression":"","Reason":null,"FieldPath":"","OptionalOldSelf":null}: compilation failed: ERROR: <input>:1:1: expected type \'bool\' but found \'int\'\n | self && true\n | ^',
  ],
  [
    { type: 'object', 'x-kubernetes-validations': [{ rule: 'true', fieldPath: '.zz' }] },
    '.x-kubernetes-validations[0].fieldPath: Invalid value: ".zz": must be a valid path',
  ],
];

test('schemas are refused in the words of a kube-apiserver', () => {
  const path = 'spec.validation.openAPIV3Schema.properties[f]';
  for (const [props, ...expected] of exactRows) {
    const errors = errorsOf(created((o) => field(o, props)));
    assert.deepEqual(errors.sort(), expected.map((one) => `${path}${one}`).sort(), JSON.stringify(props));
  }
});

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

test('what is valid in spite of looking odd passes', () => {
  const rows: readonly JsonObject[] = [
    { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] },
    { 'x-kubernetes-preserve-unknown-fields': true },
    { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true },
    {
      type: 'object',
      properties: { a: { type: 'string' }, b: { type: 'string' } },
      oneOf: [{ required: ['a'] }, { required: ['b'] }],
    },
    { type: 'object', additionalProperties: true },
    { type: 'string', nullable: true, enum: ['a'] },
    { type: 'string', 'x-kubernetes-int-or-string': true },
    { type: 'object', additionalProperties: false },
    { type: 'object', anyOf: [{ properties: { a: { minLength: 1 } } }] },
    { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set', default: ['a', 'a'] },
    {
      type: 'object',
      'x-kubernetes-map-type': 'atomic',
      properties: { a: { type: 'string', 'x-kubernetes-validations': [{ rule: 'self == oldSelf' }] } },
    },
  ];
  for (const props of rows)
    assert.deepEqual(errorsOf(created((o) => field(o, props))), [], JSON.stringify(props));
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

test('the type at the root, and defaults of a type that nobody knows', () => {
  const withStatus = (root: JsonObject) =>
    errorsOf(
      created((o) => {
        Object.assign(schemaOf(o), root);
        Object.assign(specOf(o).versions[0]!, { subresources: { status: {} } });
      }),
    );
  const only =
    'only "object" is allowed as the type at the root of the schema if the status subresource is enabled';
  const at = 'spec.validation.openAPIV3Schema.type';
  const mustBe = `${at}: Invalid value: "array": must be object at the root`;
  const items = 'spec.validation.openAPIV3Schema.items: Required value: must be specified';
  const told = withStatus({ type: 'array', enum: [1] });
  assert.deepEqual(told, [`${at}: Invalid value: "array": ${only}`, items, mustBe]);
  assert.match(withStatus({ type: 'array', id: 'x' })[0] ?? '', /Invalid value: "id": only description type/);
  const unknown = errorsOf(created((o) => field(o, { type: 'colour', default: 'red' })));
  const path = 'spec.validation.openAPIV3Schema.properties[f]';
  assert.equal(
    unknown[0],
    `${path}.default: Invalid value: "string":  in body must be of type colour: "string"`,
  );
  assert.match(unknown[1] ?? '', /type: Unsupported value: "colour"/);
  assert.equal(unknown.length, 2);
});

test('CEL rules need no warning, unknown formats do', () => {
  const object = created((o) =>
    field(o, { type: 'string', 'x-kubernetes-validations': [{ rule: 'self != ""' }] }),
  );
  assert.deepEqual(strategy.warnings?.(object, undefined), []);
  const odd = created((o) => field(o, { type: 'string', format: 'colour' }));
  assert.deepEqual(strategy.warnings?.(odd, undefined), ['unrecognized format "colour"']);
});

test('rules are held against defaults first, and looked at themselves when those keep them', () => {
  const f = (schema: JsonObject) => errorsOf(created((o) => field(o, schema)));
  const path = 'spec.validation.openAPIV3Schema.properties[f]';
  const broken = { type: 'string', 'x-kubernetes-validations': [{ rule: 'self.absent' }] };
  const few = { type: 'integer', 'x-kubernetes-validations': [{ rule: 'self < 5', message: 'few' }] };
  // Beside what else is wrong with defaults, and not below additionalProperties.
  assert.deepEqual(
    f({
      type: 'object',
      properties: {
        broken,
        few: { ...few, default: 7 },
        text: { type: 'string', default: 1 },
        map: { type: 'object', additionalProperties: { ...few, default: 8 } },
      },
    }),
    [
      `${path}.properties[few].default: Invalid value: 7: few`,
      `${path}.properties[text].default: Invalid value: "integer":  in body must be of type string: "integer"`,
    ],
  );
  // What replaces itself keeps what a change must keep; what is new need not have been anything.
  const changed = {
    type: 'integer',
    'x-kubernetes-validations': [{ rule: 'self > oldSelf', message: 'more' }],
  };
  assert.deepEqual(f({ ...changed, default: 1 }), [`${path}.default: Invalid value: 1: more`]);
  const rule = { rule: 'oldSelf.hasValue() && self >= 0', message: 'had', optionalOldSelf: true };
  assert.deepEqual(f({ type: 'integer', 'x-kubernetes-validations': [rule], default: 1 }), [
    `${path}.default: Invalid value: 1: had`,
  ]);
  // What is wrong within a node keeps its own rules from being looked at, and those above it, not others.
  const told = f({
    type: 'object',
    'x-kubernetes-validations': [{ rule: 'self.absent' }],
    properties: {
      broken,
      wrong: { type: 'string', uniqueItems: true, 'x-kubernetes-validations': [{ rule: '1' }] },
    },
  });
  assert.equal(told.length, 2, told.join('\n'));
  assert.match(told[0] ?? '', /properties\[wrong\]\.uniqueItems: Forbidden/);
  assert.match(
    told[1] ?? '',
    /properties\[broken\]\.x-kubernetes-validations\[0\]\.rule: .*compilation failed/,
  );
  // Rules of fields come before those of what holds them.
  const both = f({
    type: 'object',
    'x-kubernetes-validations': [{ rule: 'self.absent' }],
    properties: { broken },
  });
  assert.deepEqual(
    both.map((error) => error.slice(0, error.indexOf(': '))),
    [`${path}.properties[broken]`, path].map((at) => `${at}.x-kubernetes-validations[0].rule`),
  );
  // Texts keep the dot before a key of a map that is a default as a whole.
  const map = { type: 'object', additionalProperties: { type: 'integer', allOf: [{ minimum: 3 }] } };
  assert.deepEqual(f({ ...map, default: { k: 1 } }), [
    `${path}.default.k: Invalid value: 1: .k in body should be greater than or equal to 3`,
    `${path}.default: Invalid value: "": ".k" must validate all the schemas (allOf). None validated`,
  ]);
});

// Each rule is within its budget of 10 million, all together are beyond that of 100 million.
test('rules that are too much together are refused with the most costly of them (R4)', () => {
  const errors = errorsOf(
    created((o) => {
      const rules = Array.from({ length: 30 }, (_, at) => ({ rule: `self.all(x, x.size() >= ${at})` }));
      const items = { type: 'string', maxLength: 10 };
      field(o, { type: 'array', maxItems: 900_000, items, 'x-kubernetes-validations': rules });
    }),
  );
  assert.match(
    errors.at(-1) ?? '',
    /x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema exceeds budget by factor of 1\.\d+x/,
  );
  const contributed = errors.filter((one) => /contributed to estimated rule cost total exceeding/.test(one));
  assert.equal(contributed.length, 4);
  assert.equal(errors.length, 5);
});
