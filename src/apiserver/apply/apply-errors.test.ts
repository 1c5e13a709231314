import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isApiError } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { apply, config } from './testing/appliers.ts';

const errorRows: [name: string, applied: JsonObject, message: RegExp, reason?: 'BadRequest'][] = [
  [
    'P3: managedFields in the body',
    config({}, { managedFields: [] }),
    /metadata.managedFields must be nil/,
    'BadRequest',
  ],
  [
    'P3: other version',
    { ...config({}), apiVersion: 'example.com/v2' },
    /^invalid object type: example\.com\/v2, Kind=/,
    'BadRequest',
  ],
  [
    'C9: unknown field',
    config({ frob: 1 }),
    /failed to create typed patch object \(\/w; example\.com\/v1, Kind=Widget\): \.spec\.frob: field not declared in schema/,
  ],
  [
    'wrong type',
    config({ replicas: 'x' }),
    /\.spec\.replicas: expected numeric \(int or float\), got string/,
  ],
  ['wrong form', config({ labels: [] }), /\.spec\.labels: expected map, got &\{\[\]\}/],
  // structured-merge-diff typed/validate.go prints what holds the value.
  [
    'text expected',
    config({ items: [{ name: 'n', value: [1, 'x'] }] }),
    /\.spec\.items\[name="n"\]\.value: expected string, got &value\.valueUnstructured\{Value:\[\]interface \{\}\{1, "x"\}\}/,
  ],
  ['P6: duplicate in a set', config({ set: ['a', 'a'] }), /\.spec\.set: duplicate entries for key \[="a"\]/],
  [
    'P6: duplicate in a keyed list',
    config({ ports: [{ port: 80 }, { port: 80, protocol: 'TCP' }] }),
    /\.spec\.ports: duplicate entries for key \[port=80,protocol="TCP"\]/,
  ],
  [
    'P6: element without keys',
    config({ items: [{ value: '1' }] }),
    /\.spec\.items: element 0: associative list with keys has an element that omits all key fields \["name"\]/,
  ],
  [
    'keys that are no scalars',
    config({ items: [{ name: { a: null, b: [1, { c: 'x' }] } }, { name: {} }] }),
    /\.spec\.items\[name=a=nullb=\[1,c="x"\]\]\.name: expected string, got .*\.spec\.items\[name=\]\.name: /s,
  ],
  ['several faults', config({ frob: 1, grob: 1 }), /errors:\n {2}\.spec\.frob: .*\n {2}\.spec\.grob: /],
];

// What does not fit the schema has no class in Kubernetes: 500 without a reason (structuredMergeManager.Apply).
for (const [name, applied, message, reason = ''] of errorRows) {
  test(`apply error: ${name}`, () => {
    assert.throws(
      () => apply(undefined, 'a', applied),
      (error) => isApiError(error, reason) && message.test(error.message),
    );
  });
}

test('apply error: other kind than the live object', () => {
  const live = apply(undefined, 'a', config({}));
  assert.throws(
    () => apply(live, 'a', { ...config({}), kind: 'Gadget' }),
    /invalid object type: example.com\/v1, Kind=Gadget/,
  );
});
