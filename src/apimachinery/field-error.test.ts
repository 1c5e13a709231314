import assert from 'node:assert/strict';
import { test } from 'node:test';
import { invalid } from './field-error.ts';

// value, as Go's strconv.Quote and its JSON encoder have it.
const rows: [unknown, string][] = [
  ['a"b\\c', '"a\\"b\\\\c"'],
  ['a\u0001b\n\t\u007f', '"a\\x01b\\n\\t\\x7f"'],
  ['\u0007\b\f\r\u000b"', '"\\a\\b\\f\\r\\v\\""'],
  ['é\u00a0😀\u0001', '"é\\u00a0😀\\x01"'],
  [['a<b'], '["a\\u003cb"]'],
  [null, 'null'],
];

test('values in errors are told as Go prints them', () => {
  for (const [value, told] of rows) {
    assert.equal(invalid('f', value, 'why').message, `Invalid value: ${told}: why`);
  }
});
