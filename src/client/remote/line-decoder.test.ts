import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LineDecoder } from './line-decoder.ts';

test('frames are the same however the bytes are cut (KUBERNETES.md W1)', () => {
  const line = fc.string({ minLength: 1 }).map((text) => JSON.stringify(text));
  fc.assert(
    fc.property(fc.array(line), fc.array(fc.nat({ max: 40 })), (lines, cuts) => {
      const bytes = Buffer.from(lines.map((one) => `${one}\n`).join(''));
      const decoder = new LineDecoder(1_000_000);
      const frames: string[] = [];
      let at = 0;
      for (const cut of [...cuts, bytes.length]) {
        const chunk = bytes.subarray(at, at + cut);
        at += chunk.length;
        for (const frame of decoder.push(chunk)) frames.push(frame.toString());
      }
      assert.deepEqual(frames, lines);
    }),
  );
});

test('a frame over the limit is refused before it fills memory', () => {
  const decoder = new LineDecoder(100);
  decoder.push(Buffer.alloc(90, 'x'));
  assert.throws(() => decoder.push(Buffer.alloc(20, 'x')), /larger than 100 bytes/);
});
