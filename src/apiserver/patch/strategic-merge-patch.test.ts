import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isApiError } from '#apimachinery/api-error.ts';
import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import type { Schema } from '#apimachinery/schema.ts';
import { applyMergePatch } from './merge-patch.ts';
import { mergeStrategically } from './strategic-merge-patch.ts';

const string: Schema = { type: 'string' };
const port: Schema = { type: 'object', properties: new Map([['containerPort', { type: 'integer' }]]) };
const env: Schema = { type: 'object', properties: new Map([['name', string]]) };
const item: Schema = {
  type: 'object',
  properties: new Map<string, Schema>([
    ['name', string],
    ['value', string],
    ['env', { type: 'array', items: env, patchStrategy: 'merge', patchMergeKey: 'name' }],
    ['ports', { type: 'array', items: port, patchStrategy: 'merge', patchMergeKey: 'containerPort' }],
    ['args', { type: 'array', items: string }],
  ]),
};
const schema: Schema = {
  type: 'object',
  properties: new Map<string, Schema>([
    ['list', { type: 'array', items: item, patchStrategy: 'merge', patchMergeKey: 'name' }],
    ['volumes', { type: 'array', items: item, patchStrategy: 'merge,retainKeys', patchMergeKey: 'name' }],
    ['finalizers', { type: 'array', items: string, patchStrategy: 'merge' }],
    ['atomic', { type: 'array', items: item }],
    ['strategy', { type: 'object', patchStrategy: 'retainKeys', properties: new Map([['type', string]]) }],
    ['replaced', { type: 'object', patchStrategy: 'replace', additionalProperties: string }],
    ['labels', { type: 'object', additionalProperties: string }],
    ['keyless', { type: 'array', items: item, patchStrategy: 'merge' }],
  ]),
};

const copy = (one: JsonObject) => JSON.parse(JSON.stringify(one)) as JsonObject;
const merge = (kind: Schema | undefined, document: JsonObject, patch: JsonObject) =>
  mergeStrategically(kind, copy(document), copy(patch));
const named = (...names: string[]) => names.map((name) => ({ name }));

// name, document, patch, expected. All rows: KUBERNETES.md P2 and the strategic merge patch design documents.
const rows: [string, JsonObject, JsonObject, JsonObject][] = [
  ['scalar set and null', { a: 1, b: 2 }, { a: null, b: 3, c: null }, { b: 3 }],
  [
    'map merges',
    { labels: { a: '1', b: '2' } },
    { labels: { b: null, c: '3' } },
    { labels: { a: '1', c: '3' } },
  ],
  ['new map drops nulls', {}, { labels: { a: '1', b: null } }, { labels: { a: '1' } }],
  ['strategy replace on a map', { replaced: { a: '1' } }, { replaced: { b: '2' } }, { replaced: { b: '2' } }],
  ['atomic list replaced', { atomic: named('a', 'b') }, { atomic: named('c') }, { atomic: named('c') }],
  [
    'list of scalars merges',
    { finalizers: ['a', 'b'] },
    { finalizers: ['b', 'c'] },
    { finalizers: ['a', 'b', 'c'] },
  ],
  [
    'list of maps merges by key',
    { list: [{ name: 'a', value: '1' }, { name: 'b' }] },
    { list: [{ name: 'a', value: '2' }] },
    { list: [{ name: 'a', value: '2' }, { name: 'b' }] },
  ],
  [
    'new element goes before server-only ones',
    { list: named('a', 'b') },
    { list: named('c') },
    { list: named('c', 'a', 'b') },
  ],
  [
    'numeric merge key',
    { list: [{ name: 'a', ports: [{ containerPort: 80 }, { containerPort: 443 }] }] },
    { list: [{ name: 'a', ports: [{ containerPort: 443, name: 'https' }] }] },
    { list: [{ name: 'a', ports: [{ containerPort: 80 }, { containerPort: 443, name: 'https' }] }] },
  ],
  [
    'nested list inside a merged element',
    { list: [{ name: 'a', env: named('x', 'y') }] },
    { list: [{ name: 'a', env: [{ name: 'y', value: '1' }] }] },
    { list: [{ name: 'a', env: [{ name: 'x' }, { name: 'y', value: '1' }] }] },
  ],
  [
    'atomic list inside a merged element',
    { list: [{ name: 'a', args: ['1', '2'] }] },
    { list: [{ name: 'a', args: ['3'] }] },
    { list: [{ name: 'a', args: ['3'] }] },
  ],
  [
    '$patch delete element',
    { list: named('a', 'b') },
    { list: [{ name: 'a', $patch: 'delete' }] },
    { list: named('b') },
  ],
  [
    '$patch delete of an absent element',
    { list: named('a') },
    { list: [{ name: 'x', $patch: 'delete' }] },
    { list: named('a') },
  ],
  [
    '$patch delete removes duplicates too',
    { list: named('a', 'b', 'a') },
    { list: [{ name: 'a', $patch: 'delete' }] },
    { list: named('b') },
  ],
  [
    '$patch delete the last element',
    { list: named('a') },
    { list: [{ name: 'a', $patch: 'delete' }] },
    { list: [] },
  ],
  [
    '$patch replace list',
    { list: named('a', 'b') },
    { list: [{ name: 'c' }, { $patch: 'replace' }] },
    { list: named('c') },
  ],
  [
    '$patch replace map',
    { labels: { a: '1' } },
    { labels: { $patch: 'replace', b: '2' } },
    { labels: { b: '2' } },
  ],
  ['$patch delete map', { labels: { a: '1' } }, { labels: { $patch: 'delete' } }, { labels: {} }],
  [
    '$patch in a new element of a new list',
    {},
    { list: [{ name: 'a', env: [{ name: 'x', $patch: 'delete' }, { name: 'y' }] }] },
    { list: [{ name: 'a', env: [{ name: 'y' }] }] },
  ],
  [
    '$patch delete in a list new to the document',
    {},
    { list: [{ name: 'a', $patch: 'delete' }, { name: 'b' }] },
    { list: named('b') },
  ],
  [
    '$retainKeys',
    { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } },
    { strategy: { $retainKeys: ['type'], type: 'Recreate' } },
    { strategy: { type: 'Recreate' } },
  ],
  [
    '$retainKeys with null',
    { strategy: { type: 'a', x: 1 } },
    { strategy: { $retainKeys: ['type'], x: null } },
    { strategy: { type: 'a' } },
  ],
  [
    '$retainKeys in an element',
    { volumes: [{ name: 'v', emptyDir: {} }] },
    { volumes: [{ $retainKeys: ['name', 'hostPath'], name: 'v', hostPath: { path: '/' } }] },
    { volumes: [{ name: 'v', hostPath: { path: '/' } }] },
  ],
  [
    '$deleteFromPrimitiveList',
    { finalizers: ['a', 'b', 'c'] },
    { '$deleteFromPrimitiveList/finalizers': ['b', 'x'] },
    { finalizers: ['a', 'c'] },
  ],
  [
    '$deleteFromPrimitiveList and add',
    { finalizers: ['a', 'b'] },
    { '$deleteFromPrimitiveList/finalizers': ['b'], finalizers: ['c'] },
    { finalizers: ['c', 'a'] },
  ],
  ['$deleteFromPrimitiveList of an absent list', {}, { '$deleteFromPrimitiveList/finalizers': ['b'] }, {}],
  [
    '$setElementOrder reorders',
    { list: named('a', 'b', 'c') },
    { '$setElementOrder/list': named('c', 'a', 'b') },
    { list: named('c', 'a', 'b') },
  ],
  [
    '$setElementOrder, patch and server-only',
    { list: named('a', 's', 'b') },
    { '$setElementOrder/list': named('b', 'a', 'n'), list: [{ name: 'n' }] },
    { list: [{ name: 's' }, { name: 'b' }, { name: 'a' }, { name: 'n' }] },
  ],
  [
    '$setElementOrder keeps server-only behind',
    { list: named('a', 'b', 's') },
    { '$setElementOrder/list': named('a', 'b'), list: [{ name: 'a', value: '1' }] },
    { list: [{ name: 'a', value: '1' }, { name: 'b' }, { name: 's' }] },
  ],
  [
    '$setElementOrder with a deletion',
    { list: named('a', 'b', 'c') },
    { '$setElementOrder/list': named('c', 'a'), list: [{ name: 'b', $patch: 'delete' }] },
    { list: named('c', 'a') },
  ],
  [
    '$setElementOrder of scalars',
    { finalizers: ['a', 'b', 'c'] },
    { '$setElementOrder/finalizers': ['c', 'd', 'a'], finalizers: ['d'] },
    { finalizers: ['b', 'c', 'd', 'a'] },
  ],
  ['$setElementOrder for an absent list', {}, { '$setElementOrder/list': named('a') }, {}],
  [
    '$setElementOrder for a new list',
    {},
    { '$setElementOrder/list': named('b', 'a'), list: named('b', 'a') },
    { list: named('b', 'a') },
  ],
  [
    '$deleteFromPrimitiveList with null takes the list',
    { finalizers: ['a'] },
    { '$deleteFromPrimitiveList/finalizers': null },
    {},
  ],
  [
    '$deleteFromPrimitiveList of another type is passed over',
    { finalizers: ['a'] },
    { '$deleteFromPrimitiveList/finalizers': 'a' },
    { finalizers: ['a'] },
  ],
  [
    'a new element keeps its directives and nulls',
    { list: named('a') },
    { list: [{ name: 'b', value: null, $retainKeys: ['name'] }] },
    { list: [{ name: 'b', value: null, $retainKeys: ['name'] }, { name: 'a' }] },
  ],
  [
    'a replaced list keeps its directives',
    { atomic: named('a') },
    { atomic: [{ $patch: 'delete' }] },
    { atomic: [{ $patch: 'delete' }] },
  ],
  ['$patch of any kind in a new map leaves it out', {}, { labels: { $patch: 'replace', a: '1' } }, {}],
  ['type changes', { a: [1] }, { a: { b: 1 } }, { a: { b: 1 } }],
  ['unknown list is replaced', { other: [1] }, { other: [2] }, { other: [2] }],
  [
    'constructor is an ordinary key',
    { labels: {} },
    { labels: { constructor: 'x', toString: 'y' } },
    { labels: { constructor: 'x', toString: 'y' } },
  ],
];

for (const [name, document, patch, expected] of rows) {
  test(`strategic merge: ${name}`, () => {
    assert.deepEqual(merge(schema, document, patch), expected);
  });
}

const errorRows: [string, JsonObject, JsonObject, string, RegExp][] = [
  [
    'no merge key',
    { list: named('a') },
    { list: [{ value: '1' }] },
    'BadRequest',
    /does not contain declared merge key: name/,
  ],
  [
    'unknown directive',
    { labels: {} },
    { labels: { $patch: 'frob' } },
    'BadRequest',
    /unknown patch type: frob/,
  ],
  [
    'merge directive in a list',
    { list: named('a') },
    { list: [{ name: 'a', $patch: 'merge' }] },
    'BadRequest',
    /merging lists cannot yet/,
  ],
  [
    'retainKeys form',
    { strategy: {} },
    { strategy: { $retainKeys: 'type' } },
    'BadRequest',
    /invalid patch format of retainKeys/,
  ],
  [
    'retainKeys content',
    { strategy: {} },
    { strategy: { $retainKeys: ['type'], x: 1 } },
    'BadRequest',
    /invalid patch format of retainKeys/,
  ],
  [
    'setElementOrder form',
    {},
    { '$setElementOrder/list': 'x' },
    'BadRequest',
    /^expected a \[\]interface \{\}, but received a string$/,
  ],
  [
    'setElementOrder without a field',
    {},
    { $setElementOrder: [] },
    'BadRequest',
    /^invalid patch format of setElementOrder list$/,
  ],
  [
    'setElementOrder of an unknown field',
    {},
    { '$setElementOrder/zork': ['a'] },
    'BadRequest',
    /^unable to find api field in struct {2}for the json field "zork"$/,
  ],
  [
    'setElementOrder with null',
    { list: named('a') },
    { '$setElementOrder/list': named('a'), list: null },
    'BadRequest',
    /^expected a \[\]interface \{\}, but received a %!s\(<nil>\)$/,
  ],
  [
    'setElementOrder of a list of maps without a key',
    { atomic: named('a') },
    { '$setElementOrder/atomic': named('a') },
    'BadRequest',
    /without a merge key/,
  ],
  [
    'setElementOrder disagrees',
    { list: named('a') },
    { '$setElementOrder/list': named('a', 'b'), list: named('b', 'a') },
    'BadRequest',
    /doesn't match \$setElementOrder list/,
  ],
  [
    'primitive list without a field',
    { finalizers: ['a'] },
    { $deleteFromPrimitiveList: ['a'] },
    'BadRequest',
    /^invalid patch format of primitive list$/,
  ],
  [
    'scalars to delete from a list of maps',
    { list: named('a') },
    { '$deleteFromPrimitiveList/list': ['a'] },
    'BadRequest',
    /^list element types are not identical: \[\[map\[name:a\]\] \[a\]\]$/,
  ],
  [
    'merge list without key',
    { keyless: named('a') },
    { keyless: named('b') },
    'BadRequest',
    /without merge key/,
  ],
  ['list of lists', { finalizers: [['a']] }, { finalizers: [['b']] }, 'Invalid', /rejected our request/],
  [
    'a list among scalars',
    { finalizers: ['a'] },
    { finalizers: [['b']] },
    'BadRequest',
    /: \[\[a\] \[\[b\]\]\]$/,
  ],
  ['mixed list', { list: named('a') }, { list: ['b'] }, 'BadRequest', /not identical/],
  [
    '__proto__',
    { labels: { a: '1' } },
    { labels: JSON.parse('{"__proto__":{"polluted":"1"}}') as JsonObject },
    'BadRequest',
    /__proto__/,
  ],
  [
    '__proto__ in a new value',
    {},
    { labels: JSON.parse('{"__proto__":{"polluted":"1"}}') as JsonObject },
    'BadRequest',
    /__proto__/,
  ],
];

for (const [name, document, patch, reason, message] of errorRows) {
  test(`strategic merge error: ${name}`, () => {
    assert.throws(
      () => merge(schema, document, patch),
      (error) => isApiError(error) && error.reason === reason && message.test(error.message),
    );
    assert.equal(({} as { polluted?: unknown }).polluted, undefined);
  });
}

const value = fc.constantFrom('1', '2', '3');
const elements = fc.uniqueArray(fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd', 'e'), value }), {
  selector: (one) => one.name,
});

test('property: a merged list is the union by key, patch values win, both orders kept', () => {
  fc.assert(
    fc.property(elements, elements, (before, patch) => {
      const result = merge(schema, { list: before }, { list: patch })['list'] as typeof before;
      const expected = new Map([...before, ...patch].map((one) => [one.name, one.value]));
      assert.deepEqual(new Map(result.map((one) => [one.name, one.value])), expected);
      assert.equal(result.length, expected.size);
      const inPatch = new Set(patch.map((one) => one.name));
      const names = result.map((one) => one.name);
      assert.deepEqual(
        names.filter((name) => inPatch.has(name)),
        patch.map((one) => one.name),
      );
      assert.deepEqual(
        names.filter((name) => !inPatch.has(name)),
        before.map((one) => one.name).filter((name) => !inPatch.has(name)),
      );
    }),
  );
});

test('property: deleting every element leaves none; order directive alone permutes', () => {
  fc.assert(
    fc.property(elements, fc.nat(), (before, seed) => {
      const gone = merge(
        schema,
        { list: before },
        { list: before.map(({ name }) => ({ name, $patch: 'delete' })) },
      );
      assert.deepEqual(gone['list'], []);
      const order = before.map(({ name }) => ({ name }));
      if (order.length > 1) order.push(...order.splice(0, seed % order.length));
      const sorted = merge(schema, { list: before }, { '$setElementOrder/list': order });
      assert.deepEqual(
        (sorted['list'] as typeof before).map((one) => one.name),
        order.map((one) => one.name),
      );
    }),
  );
});

test('property: without lists and directives it is a JSON merge patch', () => {
  const leaf = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null));
  const key = fc.string().filter((one) => one !== '__proto__' && !one.startsWith('$'));
  const map = fc.dictionary(key, fc.oneof(leaf, fc.dictionary(key, leaf, { noNullPrototype: true })), {
    noNullPrototype: true,
  }) as fc.Arbitrary<JsonObject>;
  fc.assert(
    fc.property(map, map, (document, patch) => {
      assert.deepEqual(merge(undefined, document, patch) as JsonValue, applyMergePatch(document, patch));
    }),
  );
});
