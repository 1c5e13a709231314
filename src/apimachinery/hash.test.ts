import assert from 'node:assert/strict';
import { test } from 'node:test';
import { base32, base36, fnv32a, sha256, sha256Base32, sha256Base36 } from './hash.ts';
import { isUid, newUid } from './uid.ts';

test('base32 is RFC 4648, lower case', () => {
  assert.equal(base32(Buffer.from('foobar'), 9), 'mzxw6ytbo');
  assert.equal(base32(Buffer.from('fooba'), 8), 'mzxw6ytb');
  assert.throws(() => base32(Buffer.alloc(1), 2), RangeError);
  for (const text of ['x', 'a longer text', 'ü'])
    for (const length of [1, 8, 10, 16, 32, 48])
      assert.equal(sha256Base32(text, length), base32(sha256(text), length));
});

test('base36 keeps the low digits', () => {
  assert.equal(base36(Buffer.from([255]), 4), '0073');
  assert.match(sha256Base36('x', 16), /^[a-z0-9]{16}$/);
});

test('FNV-1a has its published values', () => {
  assert.equal(fnv32a(''), 0x811c9dc5);
  assert.equal(fnv32a('a'), 0xe40c292c);
  assert.equal(fnv32a('foobar'), 0xbf9cf968);
});

test('uids are version 4', () => {
  assert.ok(isUid(newUid()));
  assert.equal(isUid('x'), false);
});
