import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  decodeFieldSet,
  difference,
  emptySet,
  equalSets,
  type FieldSet,
  type FieldSetDraft,
  forEachPath,
  intersection,
  isEmptySet,
  leaf,
  sorted,
  union,
  withoutSubtrees,
} from './field-set.ts';
import { keyElement, printPath, self, sortElements, valueElement } from './path-element.ts';

function fromPaths(paths: readonly (readonly string[])[]): FieldSet {
  const root: FieldSetDraft = {};
  const members = new Set<FieldSetDraft>();
  for (const path of paths) {
    let node: FieldSetDraft = root;
    for (const element of path) {
      node[element] ??= {};
      node = node[element] as FieldSetDraft;
    }
    if (path.length > 0) members.add(node);
  }
  const finish = (node: FieldSetDraft): FieldSet => {
    const keys = Object.keys(node);
    const result: FieldSetDraft = {};
    if (members.has(node) && keys.length > 0) result[self] = leaf;
    for (const key of keys) result[key] = finish(node[key] as FieldSetDraft);
    return result;
  };
  return finish(root);
}

function toPaths(set: FieldSet): Set<string> {
  const paths = new Set<string>();
  forEachPath(set, (path) => paths.add(path.join('\0')));
  return paths;
}

const element = fc.constantFrom('f:a', 'f:b', 'k:{"name":"x"}', 'v:1', 'v:"y"', 'i:0');
const path = fc.array(element, { minLength: 1, maxLength: 4 });
const set = fc.array(path, { maxLength: 12 }).map(fromPaths);

test('property: union, intersection and difference are those of the path sets', () => {
  fc.assert(
    fc.property(set, set, (a, b) => {
      const before = JSON.stringify([a, b]);
      const inA = toPaths(a);
      const inB = toPaths(b);
      assert.deepEqual(toPaths(union(a, b)), new Set([...inA, ...inB]));
      assert.deepEqual(toPaths(intersection(a, b)), new Set([...inA].filter((one) => inB.has(one))));
      assert.deepEqual(toPaths(difference(a, b)), new Set([...inA].filter((one) => !inB.has(one))));
      assert.equal(JSON.stringify([a, b]), before, 'inputs changed');
      assert.ok(isEmptySet(difference(a, a)));
      assert.equal(union(a, a), a);
      assert.ok(equalSets(union(a, b), union(b, a)));
    }),
  );
});

test('property: decode of encode is the same set, sorting keeps it and is stable', () => {
  fc.assert(
    fc.property(set, (a) => {
      const wire = JSON.parse(JSON.stringify(sorted(a)));
      const back = decodeFieldSet(wire);
      assert.ok(back !== undefined && equalSets(back, a));
      assert.equal(JSON.stringify(sorted(back)), JSON.stringify(sorted(a)));
    }),
  );
});

test('P4: the order in which FieldsV1 is written', () => {
  const elements = ['i:10', 'i:2', 'v:"a"', 'v:1', 'k:{"name":"b"}', 'k:{"name":"a"}', 'f:b', 'f:a', '.'];
  assert.deepEqual(sortElements(elements), [
    '.',
    'f:a',
    'f:b',
    'k:{"name":"a"}',
    'k:{"name":"b"}',
    'v:1',
    'v:"a"',
    'i:2',
    'i:10',
  ]);
  assert.deepEqual(
    sortElements([
      'k:{"port":443,"protocol":"TCP"}',
      'k:{"port":80,"protocol":"UDP"}',
      'k:{"port":80,"protocol":"TCP"}',
    ]),
    ['k:{"port":80,"protocol":"TCP"}', 'k:{"port":80,"protocol":"UDP"}', 'k:{"port":443,"protocol":"TCP"}'],
  );
});

test('P4, P5: keys as Go writes them, paths as conflicts print them', () => {
  assert.equal(keyElement(['name', 'port'], ['<a>&', 80]), 'k:{"name":"\\u003ca\\u003e\\u0026","port":80}');
  assert.equal(valueElement('x'), 'v:"x"');
  assert.equal(
    printPath(['f:spec', 'f:ports', 'k:{"port":80,"protocol":"TCP"}', 'f:name']),
    '.spec.ports[port=80,protocol="TCP"].name',
  );
  assert.equal(printPath(['f:set', 'v:"a"']), '.set[="a"]');
  assert.equal(printPath(['f:set', 'v:1e-7']), '.set[=1e-07]');
  assert.equal(printPath(['f:list', 'i:3']), '.list[3]');
});

test('what is no tree of objects does not decode, unknown elements are left out', () => {
  assert.equal(decodeFieldSet({ 'f:a': 1 }), undefined);
  assert.equal(decodeFieldSet([]), undefined);
  assert.deepEqual(decodeFieldSet({ 'f:a': {}, 'z:b': {}, nonsense: {}, 'f:c': { '.': {} } }), {
    'f:a': {},
    'f:c': { '.': {} },
  });
  let deep: FieldSet = {};
  for (let i = 0; i < 10_000; i++) deep = { 'f:a': deep };
  assert.equal(decodeFieldSet(deep as never), undefined);
});

test('withoutSubtrees takes all that lies below', () => {
  const a = fromPaths([['f:status'], ['f:status', 'f:phase'], ['f:metadata', 'f:labels', 'f:a'], ['f:spec']]);
  assert.deepEqual(withoutSubtrees(a, [['f:status'], ['f:metadata', 'f:labels']]), { 'f:spec': {} });
  assert.deepEqual(withoutSubtrees({ 'f:status': {} }, [['f:status']]), emptySet);
  assert.deepEqual(withoutSubtrees({ 'f:a': { '.': {}, 'f:b': {} } }, [['f:a', 'f:b']]), { 'f:a': {} });
});

test('a value of a set that nests deeper than any object is sorted as text', () => {
  const deep = (levels: number) => `v:${'['.repeat(levels)}${']'.repeat(levels)}`;
  const elements = [deep(50_001), deep(50_000), valueElement('a')];
  assert.deepEqual(sortElements([...elements]).length, elements.length);
  assert.equal(printPath([deep(50_000)]), `[=${JSON.stringify(deep(50_000).slice(2))}]`);
});
