import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cloneJson, type JsonObject, type JsonValue } from '../json.ts';
import { schemaFromJsonSchemaProps } from '../schema-from-openapi.ts';
import { applyDefaults, fillDefaults } from './defaults.ts';

const schemaOf = schemaFromJsonSchemaProps;

// Source: k8s.io/apiextensions-apiserver pkg/apiserver/schema/defaulting (KUBERNETES.md R3).
test('defaults are filled in as structural schemas say', () => {
  const rows: readonly [JsonObject, JsonValue, JsonValue][] = [
    [{ type: 'object', properties: { a: { type: 'string', default: 'x' } } }, {}, { a: 'x' }],
    [{ type: 'object', properties: { a: { type: 'string', default: 'x' } } }, { a: 'y' }, { a: 'y' }],
    [
      { type: 'object', properties: { constructor: { type: 'string', default: 'x' } } },
      {},
      { constructor: 'x' },
    ],
    [{ type: 'object', properties: { a: { type: 'string', default: 'x' } } }, { a: null }, { a: 'x' }],
    [
      { type: 'object', properties: { a: { type: 'string', default: 'x', nullable: true } } },
      { a: null },
      { a: null },
    ],
    [{ type: 'object', properties: { a: { type: 'string' } } }, { a: null, b: null }, { b: null }],
    [{ type: 'object', properties: { a: { type: 'string', nullable: true } } }, { a: null }, { a: null }],
    [
      {
        type: 'object',
        properties: {
          a: { type: 'object', default: {}, properties: { b: { type: 'integer', default: 1 } } },
        },
      },
      {},
      { a: { b: 1 } },
    ],
    [{ type: 'object', properties: { a: { type: 'object', properties: { b: { default: 1 } } } } }, {}, {}],
    [
      { type: 'array', items: { type: 'object', properties: { a: { default: 1 } } } },
      [{}, { a: 2 }],
      [{ a: 1 }, { a: 2 }],
    ],
    [{ type: 'array', items: { type: 'string', default: 'x' } }, [null], ['x']],
    [
      { type: 'object', additionalProperties: { type: 'object', properties: { a: { default: 1 } } } },
      { k: {} },
      { k: { a: 1 } },
    ],
    [{ type: 'object', additionalProperties: { type: 'string', default: 'x' } }, { k: null }, { k: 'x' }],
  ];
  for (const [props, value, expected] of rows) {
    const copy = cloneJson(value);
    applyDefaults(schemaOf(props), copy);
    assert.deepEqual(copy, expected, JSON.stringify([props, value]));
  }
});

test('defaults are copies', () => {
  const schema = schemaOf({
    type: 'object',
    properties: { a: { type: 'array', default: ['x'], items: { type: 'string' } } },
  });
  const first: JsonObject = {};
  applyDefaults(schema, first);
  (first['a'] as JsonValue[]).push('y');
  const second: JsonObject = {};
  applyDefaults(schema, second);
  assert.deepEqual(second, { a: ['x'] });
});

// Source: k8s.io/apiextensions-apiserver pkg/apiserver/schema/defaulting: what is applied is pruned after it was validated.
test('an applied null stays where it may be told of, or counts for what holds it', () => {
  const open = { 'x-kubernetes-preserve-unknown-fields': true };
  const rows: readonly [JsonObject, JsonValue][] = [
    [{ properties: { a: { type: 'string' } } }, { a: null }],
    [{ properties: { a: open } }, {}],
    [{ properties: { a: open }, required: ['a'] }, { a: null }],
    [{ properties: { a: open }, oneOf: [{ required: ['a'] }] }, { a: null }],
    [{ properties: { a: open }, minProperties: 1 }, { a: null }],
    [{ properties: { a: { ...open, default: 1 } } }, { a: 1 }],
  ];
  for (const [schema, expected] of rows) {
    const value: JsonValue = { a: null };
    fillDefaults(schemaOf({ type: 'object', ...schema }), value);
    assert.deepEqual(value, expected, JSON.stringify(schema));
  }
});
