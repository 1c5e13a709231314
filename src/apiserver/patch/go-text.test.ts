import assert from 'node:assert/strict';
import { test } from 'node:test';
import { goString, goSyntax, goText, goTypeOf } from './go-text.ts';

test('values as Go prints them', () => {
  assert.equal(goText({ b: [1, 'x y', null], a: { c: true } }), 'map[a:map[c:true] b:[1 x y <nil>]]');
  assert.equal(
    goText([1e20, 2 ** 62, 1.5, 1e30, 0.00001, 1234567.5]),
    '[1e+20 4611686018427387904 1.5 1e+30 1e-05 1.2345675e+06]',
  );
  assert.equal(
    goSyntax({ b: [1, 'x"', null], a: { c: true } }),
    'map[string]interface {}{"a":map[string]interface {}{"c":true}, "b":[]interface {}{1, "x\\"", interface {}(nil)}}',
  );
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
