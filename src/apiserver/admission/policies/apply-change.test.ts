import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import type { Schema } from '#apimachinery/schema.ts';
import { rootTypeOf } from '../../apply/apply-type.ts';
import { applyChange } from './apply-change.ts';
import { type Change, MutationError } from './mutating-policy.ts';

const text: Schema = { type: 'string' };
const type = rootTypeOf({
  type: 'object',
  properties: new Map<string, Schema>([
    ['text', text],
    ['list', { type: 'array', items: text }],
    ['set', { type: 'array', items: text, listType: 'set' }],
    ['struct', { type: 'object', mapType: 'atomic', properties: new Map([['text', text]]) }],
    [
      'keyed',
      {
        type: 'array',
        listType: 'map',
        listMapKeys: ['text'],
        items: {
          type: 'object',
          properties: new Map<string, Schema>([
            ['text', text],
            ['args', { type: 'array', items: text }],
          ]),
        },
      },
    ],
  ]),
});

const config = (given: JsonObject): Change => ({ type: 'ApplyConfiguration', config: given });
const patch = (...operations: JsonObject[]): Change => ({ type: 'JSONPatch', operations });
const live: JsonObject = { text: 'a', set: ['x'] };

// change, what comes of it (apiserver pkg/admission/plugin/policy/mutating/patch).
const rows: [Change, JsonObject][] = [
  [config({ text: 'b', set: ['y'] }), { text: 'b', set: ['x', 'y'] }],
  [config({ keyed: [{ text: 'k' }] }), { ...live, keyed: [{ text: 'k' }] }],
  [patch({ op: 'replace', path: '/text', value: 'b' }), { ...live, text: 'b' }],
  // Nothing of a patch is done whose test finds something else.
  [patch({ op: 'add', path: '/new', value: 'b' }, { op: 'test', path: '/text', value: 'z' }), live],
  [patch({ op: 'add', path: '/new', value: 'b' }, { op: 'test', path: '/absent', value: 'z' }), live],
];

test('mutations', () => {
  for (const [change, expected] of rows) {
    assert.deepEqual(applyChange(type, structuredClone(live), change), expected);
  }
});

const typed = 'error applying patch: failed to convert patch object to typed object: ';
const atomic =
  'error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: ';
const refusals: [Change, string][] = [
  [config({ zork: 'x' }), `${typed}.zork: field not declared in schema`],
  [config({ text: 1 }), `${typed}.text: expected string, got &value.valueUnstructured{Value:1}`],
  [config({ list: ['x'] }), `${atomic}.list`],
  [config({ struct: { text: 'x' }, list: [] }), `${atomic}.struct, .list`],
  [config({ keyed: [{ text: 'k', args: ['x'] }] }), `${atomic}.keyed[0].args`],
  [patch({ op: 'frob', path: '/text' }), 'JSON Patch: Unexpected kind: frob'],
  [
    patch({ op: 'remove', path: '/nope/x' }),
    'JSON Patch: remove operation does not apply: doc is missing path: "/nope/x": missing value',
  ],
];

test('mutations that cannot be done', () => {
  for (const [change, why] of refusals) {
    assert.throws(() => applyChange(type, structuredClone(live), change), new MutationError(why));
  }
});
