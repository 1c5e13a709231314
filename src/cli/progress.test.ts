import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Progress } from './progress.ts';

function terminal(isTTY: boolean) {
  const written: string[] = [];
  return { written, isTTY, write: (text: string | Uint8Array) => written.push(String(text)) > 0 };
}

test('progress is shown on a terminal, not too often, and always its end', () => {
  const stream = terminal(true);
  let nowMs = 0;
  const progress = new Progress(stream, () => nowMs);
  for (let done = 0; done <= 1_000; done++) {
    nowMs = done;
    progress.report('restoring', done, 1_000);
  }
  assert.equal(stream.written.length, 11, 'ten times a second');
  assert.equal(
    stream.written.at(-1),
    `\r\x1b[2Krestoring [${'#'.repeat(24)}] 100 %, 1,000 of 1,000 objects, 1,000/s`,
  );
  progress.end();
  assert.equal(stream.written.at(-1), '\r\x1b[2K');
});

test('nothing is written where there is no terminal', () => {
  const stream = terminal(false);
  const progress = new Progress(stream);
  progress.report('restoring', 5, undefined);
  progress.end();
  assert.deepEqual(stream.written, []);
});
