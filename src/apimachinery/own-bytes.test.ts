import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ownBytes } from './own-bytes.ts';

test('bytes cut from a block are copied, bytes of their own are not', () => {
  const cut = Buffer.from('a few bytes');
  assert.ok(cut.buffer.byteLength > 1_000, 'Node cuts small Buffers from blocks');
  const own = ownBytes(cut);
  assert.deepEqual([own.toString(), own.buffer.byteLength], ['a few bytes', 11]);
  assert.equal(ownBytes(own), own);
  const large = Buffer.alloc(100_000);
  assert.equal(ownBytes(large), large);
  assert.equal(ownBytes(large.subarray(0, 10)).buffer.byteLength, 10);
});
