import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  addQuantity,
  canonicalQuantity,
  compareQuantity,
  formatQuantity,
  isQuantity,
  multiplyQuantity,
  parseQuantity,
  quantityMilliValue,
  quantityValue,
} from './quantity.ts';

// Source: k8s.io/apimachinery/pkg/api/resource/quantity.go and its tests.
test('quantities take their canonical form', () => {
  const rows: readonly [string | number, string][] = [
    ['0', '0'],
    ['0.0', '0'],
    ['1', '1'],
    [1, '1'],
    [0.5, '500m'],
    ['0.5', '500m'],
    ['.5', '500m'],
    ['5.', '5'],
    ['+1', '1'],
    ['-1.5', '-1500m'],
    ['100m', '100m'],
    ['1000m', '1'],
    ['1500m', '1500m'],
    ['1000', '1k'],
    ['1500', '1500'],
    ['1000000', '1M'],
    ['1k', '1k'],
    ['1Ki', '1Ki'],
    ['1024Ki', '1Mi'],
    ['0.5Gi', '512Mi'],
    ['1.5Gi', '1536Mi'],
    ['100Ki', '100Ki'],
    ['0.5Ki', '512'],
    ['0.1Ki', '102400m'],
    ['1e3', '1e3'],
    ['12e2', '1200'],
    ['1E3', '1e3'],
    ['1e-3', '1e-3'],
    ['1E', '1E'],
    ['1Ei', '1Ei'],
    ['1n', '1n'],
    ['0.1n', '1n'],
    ['-0.1n', '-1n'],
    ['1u', '1u'],
    ['9223372036854775807', '9223372036854775807'],
    ['9999999999999999999', '9999999999999999999'],
    ['9999999999999999999Ki', '9223372036854775807'],
    ['1e30', '1e30'],
    ['1e20', '100e18'],
    // Kubernetes keeps any exponent; so large a number is not made here.
    ['1e1000000', '10e390'],
    ['0e1000000', '0'],
    ['1e-1000000', '1e-9'],
  ];
  for (const [text, expected] of rows) assert.equal(canonicalQuantity(text), expected, String(text));
});

test('what is no quantity is refused', () => {
  for (const text of [
    '',
    ' ',
    '1 ',
    'a',
    '1..2',
    '1Kib',
    '1ki',
    '--1',
    '1e',
    '.',
    '1e1.5',
    'Ki',
    '1mm',
    '1\n',
  ]) {
    assert.equal(isQuantity(text), false, JSON.stringify(text));
  }
  assert.equal(isQuantity(true), false);
  assert.throws(() => parseQuantity('1Kib'), /quantities must match|unable to parse quantity's suffix/);
});

test('arithmetic is exact', () => {
  const q = parseQuantity;
  assert.equal(formatQuantity(addQuantity(q('100m'), q('0.9'))), '1');
  assert.equal(formatQuantity(addQuantity(q('1Gi'), q('1M'))), '1074741824');
  assert.equal(formatQuantity(addQuantity(q('0'), q('1Gi'))), '1Gi');
  assert.equal(formatQuantity(multiplyQuantity(q('250m'), 4)), '1');
  assert.equal(compareQuantity(q('1Ki'), q('1024')), 0);
  assert.equal(compareQuantity(q('1k'), q('1Ki')), -1);
  assert.equal(quantityValue(q('1100m')), 2n);
  assert.equal(quantityValue(q('-1100m')), -1n);
  assert.equal(quantityMilliValue(q('1.5')), 1500n);
});

test('the canonical form keeps the value', () => {
  const suffix = fc.constantFrom('', 'n', 'u', 'm', 'k', 'M', 'G', 'Ki', 'Mi', 'Gi', 'e3', 'e-3');
  fc.assert(
    fc.property(fc.integer({ min: -1_000_000, max: 1_000_000 }), suffix, (number, unit) => {
      const quantity = parseQuantity(`${number}${unit}`);
      assert.equal(parseQuantity(formatQuantity(quantity)).nano, quantity.nano);
    }),
    { numRuns: 500 },
  );
});
