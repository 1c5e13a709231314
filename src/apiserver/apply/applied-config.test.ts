import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import { schemaFromJsonSchemaProps } from '#apimachinery/schema-from-openapi.ts';
import { checkConfig } from './applied-config.ts';
import { rootTypeOf } from './apply-type.ts';

const list = (key: JsonObject): JsonObject => ({
  type: 'array',
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': ['key'],
  items: { type: 'object', properties: { key, note: { type: 'string' } } },
});
const type = rootTypeOf(
  schemaFromJsonSchemaProps({
    type: 'object',
    properties: {
      plain: list({ type: 'string' }),
      defaulted: list({ type: 'string', default: 'x' }),
      numbered: list({ type: 'integer' }),
    },
  }),
);

test('P6: elements that are one by their keys, given or by default, are found in every kind of list', () => {
  const rows: readonly (readonly [JsonObject, RegExp | undefined])[] = [
    [{ plain: [{ key: 'a' }, { key: 'b', note: 'a' }] }, undefined],
    [{ plain: [{ key: 'a' }, { key: 'b' }, { key: 'a' }] }, /\.plain: duplicate entries for key \[key="a"\]/],
    // A null is a key like any other (structured-merge-diff typed/helpers.go).
    [{ plain: [{ key: null }, { key: 'a' }] }, undefined],
    [{ defaulted: [{ key: null }, { note: 'a' }] }, undefined],
    [{ plain: [{ key: null }, { key: null }] }, /\.plain: duplicate entries for key \[key=null\]/],
    [{ plain: [{ note: 'a' }] }, /\.plain: element 0: .*omits all key fields/],
    [{ plain: ['a'] }, /non-map elements/],
    [{ defaulted: [{ key: 'y' }, { note: 'a' }] }, undefined],
    [{ defaulted: [{ key: 'x' }, { note: 'a' }] }, /\.defaulted: duplicate entries for key \[key="x"\]/],
    [{ numbered: [{ key: 1 }, { key: 2 }] }, undefined],
    [{ numbered: [{ key: 1 }, { key: 1 }] }, /\.numbered: duplicate entries for key \[key=1\]/],
    [{ numbered: [{ key: 'a' }, { key: 'b' }] }, /expected numeric/],
  ];
  for (const [config, fault] of rows) {
    const faults = checkConfig(type, config);
    const text = JSON.stringify([config, faults]);
    if (fault === undefined) assert.deepEqual(faults, [], text);
    else assert.match(faults.join('\n'), fault, text);
  }
});
