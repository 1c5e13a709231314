import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import { digestOf } from '../digest.ts';
import { fieldsDigestOf } from './fields-digest.ts';

test('the digest of a field set is the same however often, in whatever order and of whatever length', () => {
  const wide: JsonObject = {};
  for (let index = 0; index < 1_000; index++) wide[`f:key-${index}`] = {};
  const rows: readonly JsonObject[] = [{}, { 'f:data': { 'f:a': {}, 'f:b': {} } }, wide];
  for (const fields of rows) {
    assert.equal(fieldsDigestOf(fields), digestOf(fields));
    assert.equal(fieldsDigestOf(structuredClone(fields)), digestOf(fields));
  }
  assert.equal(
    fieldsDigestOf({ 'f:data': { 'f:b': {}, 'f:a': {} } }),
    fieldsDigestOf({ 'f:data': { 'f:a': {}, 'f:b': {} } }),
  );
  assert.equal(fieldsDigestOf(undefined), '');
});

test('more shapes than are remembered have their own digests all the same', () => {
  const shape = (index: number): JsonObject => ({ 'f:data': { [`f:${index}`]: {} } });
  const first = fieldsDigestOf(shape(0));
  for (let index = 1; index < 3_000; index++) fieldsDigestOf(shape(index));
  assert.equal(fieldsDigestOf(shape(0)), first);
  assert.notEqual(fieldsDigestOf(shape(1)), first);
});
