import assert from 'node:assert/strict';
import { test } from 'node:test';
import { copyAnnotations } from '#api/federation/copy-contract.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { retainedFields, retainedForm } from './retained-form.ts';

const object = (content: JsonObject): KubeObject => ({
  apiVersion: 'example.com/v1',
  kind: 'Farm',
  metadata: { name: 'a' },
  ...content,
});

test('the annotation is read as far as it is what it should be', () => {
  const told = (text: string | undefined) =>
    retainedFields({
      ...object({}),
      metadata: { annotations: { [copyAnnotations.retainedFields]: text ?? '' } },
    });
  assert.deepEqual(told('["/spec/paused","/metadata/annotations/a~1b~0c"]'), [
    ['spec', 'paused'],
    ['metadata', 'annotations', 'a/b~c'],
  ]);
  assert.deepEqual(told('["", "spec", "/", "/a//b", "/x~2", 3, "/ok"]'), [['ok']]);
  assert.deepEqual(told('{'), []);
  assert.deepEqual(told('"/spec"'), []);
  assert.deepEqual(retainedFields(object({})), []);
});

const rows: [string, string[], JsonObject, JsonObject, JsonObject, JsonObject][] = [
  ['ours: the edge’s value', ['spec', 'size'], { size: 5 }, { size: 3 }, { 'f:size': {} }, { size: 3 }],
  [
    'another’s: left to it',
    ['spec', 'size'],
    { size: 5, on: 1 },
    { size: 3, on: 1 },
    { 'f:on': {} },
    { on: 1 },
  ],
  ['removed there: not brought back', ['spec', 'size'], { size: 5 }, {}, {}, {}],
  ['not in the copy: nothing', ['spec', 'size'], { on: 1 }, { size: 3 }, { 'f:size': {} }, { on: 1 }],
  [
    'below a map that is not there',
    ['spec', 'parts', 'size'],
    { parts: { size: 5, on: 1 } },
    {},
    {},
    { parts: { on: 1 } },
  ],
  [
    'a list that is one value',
    ['spec', 'list'],
    { list: [1] },
    { list: [2, 3] },
    { 'f:list': {} },
    { list: [2, 3] },
  ],
  [
    'inside of a map that is one value',
    ['spec', 'map', 'a'],
    { map: { a: '1', b: '1' } },
    { map: { a: '2', b: '2' } },
    { 'f:map': {} },
    { map: { a: '2', b: '1' } },
  ],
  [
    'of a list of members, ours',
    ['spec', 'list'],
    { list: [{ name: 'a', x: 1 }] },
    { list: [{ name: 'a', x: 2 }, { name: 'sidecar' }] },
    { 'f:list': { 'k:{"name":"a"}': { '.': {}, 'f:name': {}, 'f:x': {} } } },
    { list: [{ name: 'a', x: 2 }] },
  ],
  [
    'of a map, ours',
    ['spec', 'map'],
    { map: { a: '1', b: '1' } },
    { map: { a: '2', b: '2', c: '2' } },
    { 'f:map': { 'f:a': {} } },
    { map: { a: '2' } },
  ],
];
for (const [what, path, form, edge, owned, expected] of rows) {
  test(`a field that the edge keeps: ${what}`, () => {
    const given = { spec: form, data: { a: '1' } };
    const before = structuredClone(given);
    const kept = retainedForm(given, object({ spec: edge }), { 'f:spec': owned }, [path]);
    assert.deepEqual(kept, { spec: expected, data: { a: '1' } });
    assert.deepEqual(given, before, 'what is given is left as it is');
    assert.equal(kept['data'], given.data);
  });
}
