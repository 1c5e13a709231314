import assert from 'node:assert/strict';
import { test } from 'node:test';
import { goString, goText, goTypeOf } from './go-text.ts';

test('values as Go prints them', () => {
  assert.equal(goText({ b: [1, 'x y', null], a: { c: true } }), 'map[a:map[c:true] b:[1 x y <nil>]]');
  assert.equal(goString(['a', 1, null, { k: false }]), '[a %!s(int64=1) %!s(<nil>) map[k:%!s(bool=false)]]');
  assert.deepEqual([null, 1, 1.5, 'x', true, [], {}].map(goTypeOf), [
    '%!s(<nil>)',
    'int64',
    'float64',
    'string',
    'bool',
    '[]interface {}',
    'map[string]interface {}',
  ]);
});
