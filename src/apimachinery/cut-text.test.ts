import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cutText } from './cut-text.ts';

test('a text is as long as it may be, and says so where more was there', () => {
  for (const [text, expected] of [
    ['', ''],
    ['abc', 'abc'],
    ['abcd', 'abcd'],
    ['abcde', 'abc…'],
    ['a long one', 'a l…'],
  ] as const)
    assert.equal(cutText(text, 4), expected);
});
