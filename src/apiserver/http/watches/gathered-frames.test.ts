import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import type { FrameChannel } from './frame-channel.ts';
import { FramePause } from './frame-pause.ts';
import { FrameGatherer } from './gathered-frames.ts';

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

/** A watch over a connection that nothing has gone over yet. */
function gathered(gatherer = new FrameGatherer(new ManualClock()), connection: object = {}) {
  const recorder = new Recorder();
  return { recorder, channel: gatherer.gather(recorder, connection) };
}

test('a lone frame goes at once, what follows closely goes together and in order', async () => {
  const clock = new ManualClock();
  const { recorder, channel } = gathered(new FrameGatherer(clock));
  channel.write(frames('a'));
  assert.deepEqual(recorder.writes, ['a']);
  await Promise.resolve();
  channel.write(frames('b', 'c'));
  channel.write(frames('d'));
  clock.advance(4);
  assert.deepEqual(recorder.writes, ['a']);
  assert.equal(channel.backlogBytes, 10);
  clock.advance(1);
  assert.deepEqual(recorder.writes, ['a', 'bcd']);
  assert.equal(channel.backlogBytes, 7);
  clock.advance(5);
  channel.write(frames('e'));
  assert.deepEqual(recorder.writes, ['a', 'bcd', 'e']);
  assert.equal(clock.pendingCount, 0);
});

test('while the server is busy frames wait longer for one another', async () => {
  const clock = new ManualClock();
  const times = { active: 0, idle: 0 };
  const { recorder, channel } = gathered(
    new FrameGatherer(clock, new FramePause(clock, () => ({ ...times }))),
  );
  times.active = 100;
  clock.advance(100);
  channel.write(frames('a'));
  await Promise.resolve();
  channel.write(frames('b'));
  clock.advance(19);
  assert.deepEqual(recorder.writes, ['a']);
  clock.advance(1);
  assert.deepEqual(recorder.writes, ['a', 'b']);
});

test('what comes in the turn of a frame that goes at once goes with it', async () => {
  const gatherer = new FrameGatherer(new ManualClock());
  const connection = {};
  const first = gathered(gatherer, connection);
  const second = gathered(gatherer, connection);
  first.channel.write(frames('a'));
  second.channel.write(frames('b'));
  first.channel.write(frames('c'));
  assert.deepEqual([first.recorder.writes, second.recorder.writes], [['a', 'c'], ['b']]);
  await Promise.resolve();
  second.channel.write(frames('d'));
  assert.deepEqual(second.recorder.writes, ['b']);
});

test('watches over one connection wait for one another, and for nobody else', async () => {
  const clock = new ManualClock();
  const gatherer = new FrameGatherer(clock);
  const connection = {};
  const first = gathered(gatherer, connection);
  const second = gathered(gatherer, connection);
  const other = gathered(gatherer);
  first.channel.write(frames('a'));
  await Promise.resolve();
  clock.advance(3);
  second.channel.write(frames('b'));
  other.channel.write(frames('x'));
  first.channel.write(frames('c'));
  assert.deepEqual([first.recorder.writes, second.recorder.writes], [['a'], []]);
  assert.deepEqual(other.recorder.writes, ['x']);
  clock.advance(2);
  assert.deepEqual([first.recorder.writes, second.recorder.writes], [['a', 'c'], ['b']]);
});

test('an end, a slow client and much that waits send what was gathered; a cut and a close drop it', async () => {
  for (const [act, expected] of [
    [(channel) => channel.end(), ['a', 'b', 'end']],
    [(channel) => void channel.drained(), ['a', 'b']],
    [(channel) => channel.write(frames('x'.repeat(100_000))), ['a', `b${'x'.repeat(100_000)}`]],
    [(channel) => channel.cut(), ['a', 'cut']],
  ] as readonly (readonly [(channel: FrameChannel) => void, readonly string[]])[]) {
    const clock = new ManualClock();
    const { recorder, channel } = gathered(new FrameGatherer(clock));
    channel.write(frames('a'));
    await Promise.resolve();
    channel.write(frames('b'));
    act(channel);
    assert.deepEqual(recorder.writes, expected);
    assert.equal(clock.pendingCount, 0);
  }
  const clock = new ManualClock();
  const { recorder, channel } = gathered(new FrameGatherer(clock));
  let closed = false;
  channel.onClose(() => {
    closed = true;
  });
  channel.write(frames('a'));
  await Promise.resolve();
  channel.write(frames('b'));
  recorder.close();
  assert.ok(closed);
  assert.equal(channel.backlogBytes, 7);
  assert.equal(clock.pendingCount, 0);
});
