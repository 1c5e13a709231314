import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject, JsonValue } from './json.ts';
import { compileJsonPath, getAtPath, plainPath, setAtPath } from './jsonpath.ts';

const object: JsonObject = {
  kind: 'List',
  metadata: { labels: { 'a.b/c': 'x' }, name: 'n' },
  items: [
    {
      name: 'one',
      n: 1,
      status: {
        conditions: [
          { type: 'Ready', status: 'True' },
          { type: 'Other', status: 'False' },
        ],
      },
    },
    { name: 'two', n: 2 },
    { name: 'three', n: 3 },
  ],
};

test('paths find what kubectl finds', () => {
  const rows: readonly [string, JsonValue[]][] = [
    ['.kind', ['List']],
    ['{.kind}', ['List']],
    ['$.kind', ['List']],
    ['{ .metadata.name }', ['n']],
    ['.metadata.labels.a\\.b/c', ['x']],
    [".metadata.labels['a.b/c']", ['x']],
    ['.items[0].name', ['one']],
    ['.items[-1].name', ['three']],
    ['.items[0:2].name', ['one', 'two']],
    ['.items[::2].name', ['one', 'three']],
    ['.items[*].n', [1, 2, 3]],
    ['.items[0,2].n', [1, 3]],
    ['.items[?(@.n>1)].name', ['two', 'three']],
    ['.items[?(@.name=="two")].n', [2]],
    ['.items[?(@.status)].n', [1]],
    ["..conditions[?(@.type=='Ready')].status", ['True']],
    ['.items[0].status.conditions[?(@.type=="Ready")].status', ['True']],
    ['..type', ['Ready', 'Other']],
    [".items[1]['name','n']", ['two', 2]],
    ['.metadata.labels.*', ['x']],
    ['.absent.deeper', []],
    ['.kind.deeper', []],
    ['.items.name', []],
    ['.constructor', []],
    ['$', [object]],
  ];
  for (const [path, expected] of rows) assert.deepEqual(compileJsonPath(path).find(object), expected, path);
});

test('malformed paths are refused', () => {
  for (const path of [
    '',
    '{.a',
    '.a[',
    '.a[x]',
    '.a[0',
    'a b',
    '.',
    '.a..',
    '.a[?(@.b',
    '.a[?(b==1)]',
    '.a{}',
    ".a['b",
  ]) {
    assert.throws(() => compileJsonPath(path), RangeError, path);
  }
});

test('plain paths read and write', () => {
  assert.deepEqual(plainPath('.spec.replicas'), ['spec', 'replicas']);
  assert.equal(plainPath('.spec.a[0]'), undefined);
  assert.equal(plainPath('.spec..a'), undefined);
  const target: JsonObject = { spec: 'x' };
  assert.equal(setAtPath(target, ['status', 'a', 'b'], 3), true);
  assert.equal(getAtPath(target, ['status', 'a', 'b']), 3);
  assert.equal(setAtPath(target, ['spec', 'a'], 3), false);
});
