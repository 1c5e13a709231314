import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import { created, errorsOf, field, schemaOf, specOf } from './testing/draft-crd.ts';

// Source: apiextensions-apiserver pkg/apis/apiextensions/validation, pkg/apiserver/schema (KUBERNETES.md R1).

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
