import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { builtinDefinitions } from '#api/builtin/definitions.ts';
import { membersOf } from '../decode-json.ts';
import { cloneJson, type JsonObject, type JsonValue } from '../json.ts';
import type { Schema } from '../schema.ts';
import { schemaFromJsonSchemaProps } from '../schema-from-openapi.ts';
import { hasDefaults, isPlainlyValid, isTidy, membersIfPlainlyValid } from './fits.ts';
import { pruneUnknown } from './prune.ts';
import { validateValue } from './validate.ts';

const props: JsonObject = {
  type: 'object',
  required: ['name'],
  properties: {
    name: { type: 'string', maxLength: 3 },
    count: { type: 'integer', format: 'int32' },
    ratio: { type: 'number' },
    on: { type: 'boolean' },
    at: { type: 'string', format: 'date-time' },
    port: { 'x-kubernetes-int-or-string': true },
    amount: { anyOf: [{ type: 'string' }, { type: 'number' }] },
    maybe: { type: 'string', nullable: true },
    any: { 'x-kubernetes-preserve-unknown-fields': true },
    open: {
      type: 'object',
      'x-kubernetes-preserve-unknown-fields': true,
      properties: { name: { type: 'string' } },
    },
    map: { type: 'object', additionalProperties: { type: 'string' }, minProperties: 1 },
    set: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set' },
    list: {
      type: 'array',
      items: { type: 'object', required: ['name'], properties: { name: { type: 'string' } } },
    },
  },
};
const schema = schemaFromJsonSchemaProps(props);

const scalar = fc.constantFrom<JsonValue>(
  null,
  'a',
  'long text',
  '2026-01-01T00:00:00Z',
  1,
  1.5,
  2 ** 40,
  2 ** 60,
  true,
);
const names = Object.keys(props['properties'] as JsonObject);
const value: fc.Arbitrary<JsonValue> = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    scalar,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...names, 'unknown'), tie('value'), { maxKeys: 4, noNullPrototype: true }),
  ),
})).value;

function hasNull(one: JsonValue | undefined): boolean {
  if (one === null) return true;
  return typeof one === 'object' && Object.values(one).some(hasNull);
}

test('property: what is tidy has nothing to prune and no wrong type', () => {
  fc.assert(
    fc.property(value, (one) => {
      if (!isTidy(schema, one)) return;
      const copy = cloneJson(one);
      assert.deepEqual(pruneUnknown(schema, copy), []);
      assert.deepEqual(copy, one);
      const wrong = validateValue(schema, one).filter(({ type }) => type === 'FieldValueTypeInvalid');
      assert.deepEqual(wrong, []);
    }),
    { numRuns: 3_000 },
  );
});

test('property: what is plainly valid has no error', () => {
  fc.assert(
    fc.property(value, (one) => {
      if (!isPlainlyValid(schema, one)) return;
      assert.deepEqual(validateValue(schema, one), []);
      assert.equal(membersIfPlainlyValid(schema, one), membersOf(one));
    }),
    { numRuns: 3_000 },
  );
});

test('ordinary values are found to be in order', () => {
  const ordinary: JsonObject = {
    name: 'a',
    count: 3,
    ratio: 0.5,
    on: true,
    at: '2026-01-01T00:00:00Z',
    port: 'http',
    amount: '100m',
    any: { x: [null, { y: 1 }] },
    open: { name: 'x', other: { z: null } },
    set: ['a'],
    list: [{ name: 'a' }, { name: 'b' }],
  };
  assert.ok(isTidy(schema, ordinary));
  assert.ok(isPlainlyValid(schema, ordinary));
  assert.equal(membersIfPlainlyValid(schema, ordinary), membersOf(ordinary));
  assert.equal(membersIfPlainlyValid(schema, { name: 'a', unknown: 1 }), undefined);
  assert.ok(isTidy(schema, { list: [{}] }), 'what is required may come by defaulting');
  const rows: readonly JsonValue[] = [
    { name: 'a', unknown: 1 },
    { name: 'a', maybe: null },
    { name: 1 },
    { name: 'a', count: 1.5 },
    { name: 'a', count: 2 ** 40 },
    { name: 'a', list: {} },
    { name: 'a', list: ['a'] },
    [],
    'text',
    null,
  ];
  for (const row of rows) {
    assert.ok(!isTidy(schema, row), JSON.stringify(row));
    assert.ok(!isPlainlyValid(schema, row) || hasNull(row), JSON.stringify(row));
  }
  assert.ok(!isPlainlyValid(schema, {}));
  assert.ok(!isPlainlyValid(schema, { name: 'long' }));
});

test('defaults are found wherever they are, in recursive schemas too', () => {
  assert.ok(!hasDefaults(schema));
  const rows: readonly JsonObject[] = [
    { type: 'object', properties: { a: { type: 'string', default: 'x' } } },
    { type: 'object', additionalProperties: { type: 'object', properties: { a: { default: 1 } } } },
    { type: 'array', items: { type: 'string', default: 'x' } },
  ];
  for (const row of rows) assert.ok(hasDefaults(schemaFromJsonSchemaProps(row)), JSON.stringify(row));
  const properties = new Map<string, Schema>();
  const recursive: Schema = { type: 'object', properties };
  properties.set('child', recursive);
  assert.ok(!hasDefaults(recursive));
  const found = builtinDefinitions().map(({ versions }) => versions.some((one) => hasDefaults(one.schema)));
  assert.equal(found.length, builtinDefinitions().length);
});
