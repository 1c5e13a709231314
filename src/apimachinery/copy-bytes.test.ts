import assert from 'node:assert/strict';
import { it } from 'node:test';
import { copyBytes } from './copy-bytes.ts';

it('copies what it is told to and nothing beside it, whatever memory is on either side', () => {
  const memory = (shared: boolean): Buffer =>
    Buffer.from(shared ? new SharedArrayBuffer(4096) : new ArrayBuffer(4096));
  for (const [fromShared, toShared] of [
    [false, false],
    [false, true],
    [true, false],
    [true, true],
  ] as const) {
    for (const length of [0, 1, 255, 256, 257, 2000]) {
      const source = memory(fromShared);
      for (let index = 0; index < source.length; index++) source[index] = (index * 7 + 1) & 0xff;
      const target = memory(toShared).fill(0xee);
      const piece = source.subarray(3, 3 + length);
      assert.equal(copyBytes(piece, target, 11), length);
      assert.ok(target.subarray(11, 11 + length).equals(piece));
      assert.ok(target.subarray(0, 11).every((byte) => byte === 0xee));
      assert.ok(target.subarray(11 + length).every((byte) => byte === 0xee));
    }
  }
});
