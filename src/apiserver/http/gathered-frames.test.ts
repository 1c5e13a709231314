import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FrameChannel } from './frame-channel.ts';
import { GatheredFrames } from './gathered-frames.ts';

class Recorder implements FrameChannel {
  readonly writes: string[] = [];
  readonly backlogBytes = 7;
  close: () => void = () => {};
  open(): void {}
  write(frames: readonly Buffer[]): void {
    this.writes.push(Buffer.concat(frames).toString());
  }
  drained(): Promise<void> {
    return Promise.resolve();
  }
  end(): void {
    this.writes.push('end');
  }
  cut(): void {
    this.writes.push('cut');
  }
  onClose(callback: () => void): void {
    this.close = callback;
  }
}

const frames = (...texts: string[]) => texts.map((text) => Buffer.from(text));

test('a lone frame goes at once, what follows closely goes together and in order', async () => {
  const recorder = new Recorder();
  const channel = new GatheredFrames(recorder);
  channel.write(frames('a'));
  assert.deepEqual(recorder.writes, ['a']);
  channel.write(frames('b', 'c'));
  channel.write(frames('d'));
  assert.deepEqual(recorder.writes, ['a']);
  assert.equal(channel.backlogBytes, 10);
  while (recorder.writes.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.deepEqual(recorder.writes, ['a', 'bcd']);
  assert.equal(channel.backlogBytes, 7);
});

test('an end, a slow client and much that waits send what was gathered; a cut and a close drop it', async () => {
  for (const [act, expected] of [
    [(channel) => channel.end(), ['a', 'b', 'end']],
    [(channel) => void channel.drained(), ['a', 'b']],
    [(channel) => channel.write(frames('x'.repeat(100_000))), ['a', `b${'x'.repeat(100_000)}`]],
    [(channel) => channel.cut(), ['a', 'cut']],
  ] as readonly (readonly [(channel: GatheredFrames) => void, readonly string[]])[]) {
    const recorder = new Recorder();
    const channel = new GatheredFrames(recorder);
    channel.write(frames('a'));
    channel.write(frames('b'));
    act(channel);
    assert.deepEqual(recorder.writes, expected);
  }
  const recorder = new Recorder();
  const channel = new GatheredFrames(recorder);
  let closed = false;
  channel.onClose(() => {
    closed = true;
  });
  channel.write(frames('a'));
  channel.write(frames('b'));
  recorder.close();
  assert.ok(closed);
  assert.equal(channel.backlogBytes, 7);
});
