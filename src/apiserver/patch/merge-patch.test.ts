import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isApiError } from '#apimachinery/api-error.ts';
import { isJsonObject, type JsonValue } from '#apimachinery/json.ts';
import { jsonFromOutside } from '#apimachinery/testing/json-arbitrary.ts';
import { applyMergePatch } from './merge-patch.ts';

// RFC 7386, appendix A.
const rows: [JsonValue, JsonValue, JsonValue][] = [
  [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
  [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
  [{ a: 'b' }, { a: null }, {}],
  [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
  [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
  [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
  [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
  [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
  [
    ['a', 'b'],
    ['c', 'd'],
    ['c', 'd'],
  ],
  [{ a: 'b' }, ['c'], ['c']],
  [{ a: 'foo' }, null, null],
  [{ a: 'foo' }, 'bar', 'bar'],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [[1, 2], { a: 'b', c: null }, { a: 'b' }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  // evanphx/json-patch.
  [{ a: [] }, { a: [{ b: null, c: [{ d: null }, null] }] }, { a: [{ c: [{}, null] }] }],
];

test('RFC 7386 appendix A', () => {
  for (const [document, patch, expected] of rows) {
    const before = JSON.stringify([document, patch]);
    assert.deepEqual(applyMergePatch(document, patch), expected, before);
    assert.equal(JSON.stringify([document, patch]), before);
  }
});

test('a patch that changes nothing returns the document itself', () => {
  const document = { a: { b: 1 }, c: [1] };
  assert.equal(applyMergePatch(document, { a: { b: 1 }, d: null }), document);
});

test('__proto__ is refused, constructor is an ordinary key', () => {
  const patch = JSON.parse('{"a":{"__proto__":{"polluted":1}}}') as JsonValue;
  assert.throws(
    () => applyMergePatch({}, patch),
    (error) => isApiError(error, 'BadRequest'),
  );
  assert.deepEqual(applyMergePatch({}, { constructor: { x: 1 } }), { constructor: { x: 1 } });
  assert.equal(({} as { polluted?: number }).polluted, undefined);
});

const json = jsonFromOutside();

function withoutNulls(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, child]) => child !== null)
      .map(([key, child]) => [key, withoutNulls(child as JsonValue)]),
  );
}

test('laws: idempotent, {} is neutral, a patch without nulls over nothing is itself', () => {
  fc.assert(
    fc.property(json, json, (document, patch) => {
      const once = applyMergePatch(document, patch);
      assert.deepEqual(applyMergePatch(once, patch), once);
      if (isJsonObject(document)) assert.equal(applyMergePatch(document, {}), document);
      assert.deepEqual(applyMergePatch(undefined, patch), withoutNulls(patch));
    }),
  );
});
