import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cloneJson, type JsonObject, type JsonValue } from '../json.ts';
import type { Schema } from '../schema.ts';
import { schemaFromJsonSchemaProps, schemaToOpenApi } from '../schema-from-openapi.ts';
import { jsonFromOutside } from '../testing/json-arbitrary.ts';
import { applyDefaults } from './defaults.ts';
import { pruneUnknown } from './prune.ts';
import { validateValue } from './validate.ts';

const schemaOf = schemaFromJsonSchemaProps;

test('what validates still validates after pruning and defaulting; both are idempotent', () => {
  const schema = schemaOf({
    type: 'object',
    properties: {
      a: { type: 'string', default: 'x' },
      o: { type: 'object', properties: { b: { type: 'boolean' } }, additionalProperties: undefined },
      l: { type: 'array', items: { type: 'object', properties: { c: { type: 'integer', default: 3 } } } },
      m: { type: 'object', additionalProperties: { type: 'string' } },
    },
  });
  fc.assert(
    fc.property(jsonFromOutside({ maxDepth: 4 }), fc.boolean(), (any, wrapped) => {
      const value = JSON.parse(JSON.stringify(wrapped ? { l: [any], m: any, o: any } : any)) as JsonValue;
      pruneUnknown(schema, value);
      applyDefaults(schema, value);
      const once = cloneJson(value);
      assert.deepEqual(pruneUnknown(schema, value), []);
      applyDefaults(schema, value);
      assert.deepEqual(value, once);
      validateValue(schema, value);
    }),
    { numRuns: 300 },
  );
});

test('the OpenAPI form comes back as the same schema', () => {
  const props: JsonObject = {
    type: 'object',
    description: 'A thing',
    required: ['a'],
    properties: {
      a: { type: 'string', enum: ['x', 'y'], default: 'x', nullable: true },
      l: {
        type: 'array',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['n'],
        items: { type: 'object', properties: { n: { type: 'string', maxLength: 3 } } },
      },
      i: { 'x-kubernetes-int-or-string': true },
      any: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
      choice: { type: 'integer', oneOf: [{ minimum: 1 }, { maximum: -1 }] },
    },
    'x-kubernetes-validations': [{ rule: 'self.a != ""', message: 'no' }],
  };
  assert.deepEqual(schemaToOpenApi(schemaOf(props), { version: 'v3' }), props);
  const v2 = schemaToOpenApi(schemaOf(props), { version: 'v2' });
  assert.deepEqual((v2['properties'] as JsonObject)['a'], { enum: ['x', 'y'], default: 'x' });
  assert.deepEqual((v2['properties'] as JsonObject)['choice'], { type: 'integer' });
  assert.equal(schemaOf(props), schemaOf(cloneJson(props)));
  const named: Schema = {
    type: 'object',
    properties: new Map([['m', { definition: 'x.Y', type: 'object' }]]),
  };
  assert.deepEqual(schemaToOpenApi(named, { version: 'v3', refOf: (name) => `#/${name}` }), {
    type: 'object',
    properties: { m: { $ref: '#/x.Y' } },
  });
});
