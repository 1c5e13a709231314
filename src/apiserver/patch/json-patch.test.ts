import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import fc from 'fast-check';
import { isApiError } from '#apimachinery/api-error.ts';
import { cloneJson, type JsonValue } from '#apimachinery/json.ts';
import { jsonFromOutside } from '#apimachinery/testing/json-arbitrary.ts';
import { applyJsonPatch } from './json-patch.ts';

interface SuiteCase {
  readonly comment?: string;
  readonly doc: JsonValue;
  readonly patch: JsonValue;
  readonly expected?: JsonValue;
  readonly error?: string;
  readonly disabled?: boolean;
}

/** Refused by RFC 6902, done by Kubernetes' library. */
const beyondTheRfc = new Set(['[{"op":"add","path":"/bar/-1","value":"5"}]']);

const load = createRequire(import.meta.url);

test('json-patch-test-suite', () => {
  let count = 0;
  for (const file of ['json-patch-test-suite/tests.json', 'json-patch-test-suite/spec_tests.json']) {
    for (const row of load(file) as SuiteCase[]) {
      if (row.disabled === true || row.doc === undefined) continue;
      count++;
      if (beyondTheRfc.has(JSON.stringify(row.patch)) || row.error === "missing 'value' parameter") continue;
      const label = `${file}: ${row.comment ?? JSON.stringify(row.patch)}`;
      const before = cloneJson(row.doc);
      const patchBefore = cloneJson(row.patch);
      if (row.error !== undefined) {
        assert.throws(
          () => applyJsonPatch(row.doc, row.patch),
          (error) => isApiError(error),
          label,
        );
      } else {
        const result = applyJsonPatch(row.doc, row.patch);
        if (row.expected !== undefined) assert.deepEqual(result, row.expected, label);
      }
      assert.deepEqual(row.doc, before, `${label}: document changed`);
      assert.deepEqual(row.patch, patchBefore, `${label}: patch changed`);
    }
  }
  assert.equal(count, 91);
});

const errorRows: [string, JsonValue, JsonValue, string, number][] = [
  ['P1 not a list', {}, { op: 'add' }, 'BadRequest', 400],
  ['P1 not objects', {}, ['x'], 'BadRequest', 400],
  ['P1 too many', {}, Array(10_001).fill({ op: 'test', path: '', value: {} }), 'RequestEntityTooLarge', 413],
  ['P1 remove of nothing', { a: 1 }, [{ op: 'remove', path: '/b' }], 'Invalid', 422],
  ['P1 replace of nothing', { a: 1 }, [{ op: 'replace', path: '/b/c', value: 1 }], 'Invalid', 422],
  ['P1 add below nothing', { a: 1 }, [{ op: 'add', path: '/b/c', value: 1 }], 'Invalid', 422],
  ['P1 failed test', { a: 1 }, [{ op: 'test', path: '/a', value: 2 }], 'Invalid', 422],
  ['P1 unknown operation', {}, [{ op: 'frob', path: '/a' }], 'Invalid', 422],
  ['RFC 6902 4: path required', {}, [{ op: 'add', value: 1 }], 'Invalid', 422],
  ['prototype by path', {}, [{ op: 'add', path: '/__proto__/x', value: 1 }], 'Invalid', 422],
  ['constructor by path', {}, [{ op: 'add', path: '/constructor/prototype/x', value: 1 }], 'Invalid', 422],
  ['negative index before the first', { a: [1] }, [{ op: 'remove', path: '/a/-2' }], 'Invalid', 422],
  ['replace of an absent element', { a: [1] }, [{ op: 'replace', path: '/a/1', value: 1 }], 'Invalid', 422],
  ['replace of the prototype', {}, [{ op: 'replace', path: '/__proto__', value: { x: 1 } }], 'Invalid', 422],
  ['move of what is inherited', {}, [{ op: 'move', from: '/toString', path: '/x' }], 'Invalid', 422],
  ['move into itself', { a: { b: 1 } }, [{ op: 'move', from: '/a', path: '/a/c' }], 'Invalid', 422],
  ['move of all into itself', { a: {} }, [{ op: 'move', from: '', path: '/a/c' }], 'Invalid', 422],
  ['remove of what is inherited', {}, [{ op: 'remove', path: '/hasOwnProperty' }], 'Invalid', 422],
  [
    'P1 copies that double',
    { a: 'x'.repeat(1000) },
    Array(40)
      .fill(0)
      .flatMap((_, i) => [{ op: 'copy', from: '', path: `/n${i}` }]),
    'RequestEntityTooLarge',
    413,
  ],
];

for (const [name, document, patch, reason, code] of errorRows) {
  test(`json patch error: ${name}`, () => {
    assert.throws(
      () => applyJsonPatch(document, patch),
      (error) => isApiError(error) && error.reason === reason && error.code === code,
    );
    assert.equal(({} as { x?: unknown }).x, undefined);
  });
}

test('a test for null passes on an absent member', () => {
  assert.deepEqual(
    applyJsonPatch({ metadata: {} }, [
      { op: 'test', path: '/metadata/annotations', value: null },
      { op: 'add', path: '/metadata/annotations', value: {} },
    ]),
    { metadata: { annotations: {} } },
  );
});

test('what Kubernetes takes beyond RFC 6902', () => {
  // evanphx/json-patch v4: partialDoc.get of an absent key is no error; SupportNegativeIndices.
  const rows: [JsonValue, JsonValue, JsonValue][] = [
    [{ m: {} }, [{ op: 'replace', path: '/m/a', value: 1 }], { m: { a: 1 } }],
    [{}, [{ op: 'replace', path: '/valueOf', value: 1 }], { valueOf: 1 }],
    [{ m: {} }, [{ op: 'copy', from: '/m/a', path: '/m/b' }], { m: { b: null } }],
    [{}, [{ op: 'copy', from: '/constructor', path: '/x' }], { x: null }],
    [{ m: {} }, [{ op: 'test', path: '/m/a' }], { m: {} }],
    [{ l: [1, 2] }, [{ op: 'replace', path: '/l/-1', value: 3 }], { l: [1, 3] }],
    [{ l: [1, 2] }, [{ op: 'remove', path: '/l/-2' }], { l: [2] }],
    [{ l: [1, 2] }, [{ op: 'add', path: '/l/-1', value: 3 }], { l: [1, 2, 3] }],
    [{ l: [{ a: 1 }] }, [{ op: 'replace', path: '/l/-1/a', value: 2 }], { l: [{ a: 2 }] }],
  ];
  for (const [document, patch, expected] of rows) {
    assert.deepEqual(applyJsonPatch(document, patch), expected, JSON.stringify(patch));
  }
});

test('untouched subtrees are shared, touched ones are not', () => {
  const document = { spec: { a: { x: 1 }, b: { y: 1 } } };
  const result = applyJsonPatch(document, [
    { op: 'replace', path: '/spec/b/y', value: 2 },
  ]) as typeof document;
  assert.equal(result.spec.a, document.spec.a);
  assert.notEqual(result.spec.b, document.spec.b);
  assert.equal(document.spec.b.y, 1);
});

test('a value used twice stays two values', () => {
  const value = { list: [1] };
  const result = applyJsonPatch({}, [
    { op: 'add', path: '/a', value },
    { op: 'add', path: '/b', value },
    { op: 'add', path: '/a/list/-', value: 2 },
  ]);
  assert.deepEqual(result, { a: { list: [1, 2] }, b: { list: [1] } });
  assert.deepEqual(value, { list: [1] });
});

test('property: replacing the root by any value gives that value, and inputs stay', () => {
  fc.assert(
    fc.property(jsonFromOutside(), jsonFromOutside(), (document, value) => {
      const before = JSON.stringify(document);
      const result = applyJsonPatch(document, [{ op: 'replace', path: '', value }]);
      assert.equal(JSON.stringify(result), JSON.stringify(value));
      assert.equal(JSON.stringify(document), before);
    }),
  );
});
