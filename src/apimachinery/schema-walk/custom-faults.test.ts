import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonValue } from '../json.ts';
import { schemaFromJsonSchemaProps } from '../schema-from-openapi.ts';
import { customFaults } from './custom-faults.ts';
import { validateValue } from './validate.ts';

const schemaOf = schemaFromJsonSchemaProps;

const validateChange = (...given: Parameters<typeof customFaults>) => {
  const { schema, embedded, lists } = customFaults(...given);
  return [...schema, ...embedded, ...lists];
};

test('an embedded resource must say what it is', () => {
  const schema = schemaOf({
    type: 'object',
    'x-kubernetes-embedded-resource': true,
    'x-kubernetes-preserve-unknown-fields': true,
  });
  const fields = (value: JsonValue) =>
    validateValue(schema, value).map(({ field, message }) => `${field}: ${message}`);
  assert.deepEqual(fields({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x' }, spec: 1 }), []);
  assert.deepEqual(fields({ kind: 3, metadata: 'x' }), [
    'apiVersion: Required value',
    'kind: Invalid value: 3: must be a string',
    'metadata: Invalid value: "x": must be an object',
  ]);
  const parent = schemaOf({
    type: 'object',

    properties: {
      open: { type: 'object', additionalProperties: { type: 'string' } },
      one: {
        type: 'object',
        'x-kubernetes-embedded-resource': true,
        'x-kubernetes-preserve-unknown-fields': true,
      },
    },
  });
  // Names of its own are fields, whatever keys of maps were there before.
  const told = validateValue(parent, { open: { k: 'v' }, one: { apiVersion: 'v1' } });
  assert.deepEqual(
    told.map(({ field }) => field),
    ['one.kind'],
  );
});

// apiextensions customResourceStrategy.ValidateUpdate.
test('repeated items pass an update of what had some before (R5)', () => {
  const list = { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string', maxLength: 2 } };
  const schema = schemaOf({ type: 'object', properties: { a: list, b: list } });
  const told = (value: JsonValue, old: JsonValue) =>
    validateChange(schema, value, old).map(({ field, message }) => `${field}: ${message}`);
  assert.deepEqual(told({ a: ['x', 'x'], b: ['y', 'y'] }, { a: ['z', 'z'] }), []);
  assert.deepEqual(told({ a: ['x', 'x', 'long'] }, { b: ['y', 'y'] }), [
    'a[2]: Too long: may not be more than 2 bytes',
  ]);
  assert.deepEqual(told({ a: ['x', 'x'] }, { a: ['x'] }), ['a[1]: Duplicate value: "x"']);
});

test('an embedded resource is checked at every update (R5)', () => {
  const schema = schemaOf({
    type: 'object',
    'x-kubernetes-embedded-resource': true,
    'x-kubernetes-preserve-unknown-fields': true,
  });
  assert.equal(validateChange(schema, { kind: 'P' }, { kind: 'P' }).length, 1);
});

test('an unchanged invalid value passes an update (R5)', () => {
  const schema = schemaOf({
    type: 'object',
    required: ['r'],
    properties: {
      a: { type: 'integer', minimum: 10 },
      b: { type: 'integer' },
      atomic: { type: 'array', items: { type: 'integer', minimum: 10 } },
      map: {
        type: 'array',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['n'],
        items: { type: 'object', properties: { n: { type: 'string' }, v: { type: 'integer', minimum: 10 } } },
      },
      r: { type: 'string' },
    },
  });
  const fields = (value: JsonValue, old: JsonValue) =>
    validateChange(schema, value, old).map(({ field }) => field);
  assert.deepEqual(fields({ r: '', a: 1, b: 2 }, { r: '', a: 1, b: 1 }), []);
  assert.deepEqual(fields({ r: '', a: 2 }, { r: '', a: 1 }), ['a']);
  assert.deepEqual(fields({ r: '', atomic: [1, 2] }, { r: '', atomic: [1, 2] }), []);
  assert.deepEqual(fields({ r: '', atomic: [1, 20] }, { r: '', atomic: [1, 2] }), ['atomic[0]']);
  assert.deepEqual(
    fields(
      {
        r: '',
        map: [
          { n: 'y', v: 2 },
          { n: 'x', v: 1 },
        ],
      },
      { r: '', map: [{ n: 'x', v: 1 }] },
    ),
    ['map[0].v'],
  );
  assert.deepEqual(fields({ b: 1 }, { b: 1 }), []);
  assert.deepEqual(fields({ b: 2 }, { b: 1 }), ['r']);
  // What no schema describes counts as changed (apiserver cel/common CorrelatedObject).
  const open = schemaOf({
    type: 'object',
    properties: {
      f: { type: 'object', required: ['r'], 'x-kubernetes-preserve-unknown-fields': true },
    },
  });
  const told = (value: JsonValue) => validateChange(open, value, value).map(({ field }) => field);
  assert.deepEqual(told({ f: {} }), []);
  assert.deepEqual(told({ f: { x: 1 } }), ['f.r']);
});
