import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cloneJson, type JsonObject, type JsonValue } from '../json.ts';
import { schemaFromJsonSchemaProps } from '../schema-from-openapi.ts';
import { pruneUnknown } from './prune.ts';

const schemaOf = schemaFromJsonSchemaProps;

// Source: k8s.io/apiextensions-apiserver pkg/apiserver/schema/pruning.
test('unknown fields are taken out and named', () => {
  const string = { type: 'string' };
  const rows: readonly [JsonObject, JsonValue, JsonValue, string[]][] = [
    [{ type: 'object', properties: { a: string } }, { a: 'x', b: 1 }, { a: 'x' }, ['b']],
    [
      {
        type: 'object',
        properties: { l: { type: 'array', items: { type: 'object', properties: { a: string } } } },
      },
      { l: [{ a: 'x' }, { b: 1, c: 2 }] },
      { l: [{ a: 'x' }, {}] },
      ['l[1].b', 'l[1].c'],
    ],
    [
      {
        type: 'object',
        'x-kubernetes-preserve-unknown-fields': true,
        properties: { k: { type: 'object', properties: { a: string } } },
      },
      { u: { v: 1 }, k: { a: 'x', b: 1 } },
      { u: { v: 1 }, k: { a: 'x' } },
      ['k.b'],
    ],
    [
      { type: 'object', additionalProperties: { type: 'object', properties: { a: string } } },
      { x: { a: '1', b: 2 } },
      { x: { a: '1' } },
      ['x.b'],
    ],
    [
      { type: 'object', 'x-kubernetes-embedded-resource': true, properties: { spec: { type: 'object' } } },
      { apiVersion: 'v1', kind: 'X', metadata: { name: 'n', labels: { a: 'b' } }, spec: { a: 1 }, other: 1 },
      { apiVersion: 'v1', kind: 'X', metadata: { name: 'n', labels: { a: 'b' } }, spec: {} },
      ['spec.a', 'other'],
    ],
    [{ type: 'object' }, { a: 1 }, {}, ['a']],
    [{}, { a: { b: 1 } }, { a: { b: 1 } }, []],
    [{ type: 'object', properties: { a: string } }, { a: { b: 1 } }, { a: {} }, ['a.b']],
    [
      { type: 'object', properties: { constructor: string } },
      { toString: 1, constructor: 'x' },
      { constructor: 'x' },
      ['toString'],
    ],
  ];
  for (const [props, value, expected, removed] of rows) {
    const copy = cloneJson(value);
    assert.deepEqual(pruneUnknown(schemaOf(props), copy), removed, JSON.stringify(value));
    assert.deepEqual(copy, expected);
  }
});
