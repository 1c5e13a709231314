import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError, badRequest } from '#apimachinery/api-error.ts';
import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import type { Schema } from '#apimachinery/schema.ts';
import { strategicRefusal } from './patch-refusal.ts';

const text: Schema = { type: 'string' };
const schema: Schema = {
  type: 'object',
  properties: new Map<string, Schema>([
    ['text', text],
    ['flag', { type: 'boolean' }],
    ['count', { type: 'integer', validation: { format: 'int32' } }],
    ['texts', { type: 'array', items: text }],
    ['map', { type: 'object', additionalProperties: text }],
    ['struct', { type: 'object', properties: new Map([['text', text]]) }],
    ['port', { intOrString: true }],
    ['time', { type: 'string', validation: { format: 'date-time' } }],
  ]),
};

// field, value, the converter's words (apimachinery pkg/runtime/converter.go fromUnstructured).
const rows: [string, JsonValue, string][] = [
  ['text', 1, 'cannot convert int64 to string'],
  ['text', [], 'unrecognized type: string'],
  ['flag', 'yes', 'unrecognized type: bool'],
  ['count', '1', 'unrecognized type: int32'],
  ['count', 1.5, 'cannot convert float64 to int32'],
  ['texts', 'x', 'cannot restore slice from string'],
  ['texts', [{ $patch: 'delete' }], 'unrecognized type: string'],
  ['map', ['x'], 'cannot restore map from slice'],
  ['struct', true, 'cannot restore struct from: bool'],
  ['time', 'bad', 'parsing time "bad" as "2006-01-02T15:04:05Z07:00": cannot parse "bad" as "2006"'],
  ['port', {}, 'json: cannot unmarshal object into Go value of type int32'],
];

for (const [field, value, why] of rows) {
  test(`a strategic patch that brings ${JSON.stringify(value)} for a ${field} is refused as a whole`, () => {
    const refusal = strategicRefusal(schema, { [field]: value }, { z: null, a: ['b'] }, badRequest('?'));
    assert.ok(refusal instanceof ApiError);
    const message = `Invalid value: "map[a:[b] z:<nil>]": ${why}`;
    assert.equal(refusal.code, 422);
    assert.equal(refusal.message, ` "" is invalid: patch: ${message}`);
    assert.deepEqual(refusal.details, { causes: [{ reason: 'FieldValueInvalid', field: 'patch', message }] });
  });
}

test('unknown fields are told the same way, and other errors stay as they are', () => {
  const patch: JsonObject = { zork: 1 };
  const strict = badRequest(
    'X in version "v1" cannot be handled as a X: strict decoding error: unknown field "zork"',
  );
  const refusal = strategicRefusal(schema, {}, patch, strict);
  assert.ok(refusal instanceof ApiError);
  assert.equal(
    refusal.message,
    ' "" is invalid: patch: Invalid value: "map[zork:1]": strict decoding error: unknown field "zork"',
  );
  const other = badRequest('something else');
  assert.equal(strategicRefusal(schema, {}, patch, other), other);
});
