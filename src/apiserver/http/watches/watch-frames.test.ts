import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { CacheEvent } from '#storage/cached-storage.ts';
import type { Revision, StorageKey } from '#storage/storage.ts';
import { HttpMetrics } from '../metrics/metrics.ts';
import { frameBlockBytes } from './frame-blocks.ts';
import { FrameCache, frameAgeMsMax } from './watch-frames.ts';

function event(isForOne = false): CacheEvent {
  const [key, revision] = ['/core/pods/c//a' as StorageKey, 2 as Revision];
  const made = { type: 'delete', key, revision, value: undefined, previous: undefined, entry: undefined };
  return { ...made, memo: undefined, isForOne } as CacheEvent;
}

it('frames are kept for others while there are any, and for them alone', () => {
  const metrics = new HttpMetrics('1.2.3');
  const cache = new FrameCache(1_000, metrics);
  let made = 0;
  const look = (one: CacheEvent, shape = 's') =>
    cache.get(one, shape, `M ${shape}`, () => Buffer.from(String(++made)));
  const leave = cache.join('s');
  cache.join('other');
  const alone = event();
  assert.equal(look(alone).toString(), '1');
  assert.equal(alone.memo, undefined);
  const leaveToo = cache.join('s');
  const shared = event();
  assert.equal(look(shared).toString(), '2');
  assert.equal(look(shared).toString(), '2');
  assert.equal(metrics.watchFramesShared, 1);
  assert.equal(look(event(true)).toString(), '3');
  assert.equal(look(shared, 'other').toString(), '4');
  leaveToo();
  leaveToo();
  assert.equal(look(shared).toString(), '5');
  const again = cache.join('s');
  assert.equal(look(shared).toString(), '2');
  again();
  leave();
});

/** Memory that holds these, whatever else is in it. */
function heldBytes(frames: readonly Buffer[]): number {
  return [...new Set(frames.map(({ buffer }) => buffer))].reduce(
    (sum, { byteLength }) => sum + byteLength,
    0,
  );
}

/** What others cut from Node's blocks between two events. */
function cutABlock(): Buffer {
  return Buffer.from('x'.repeat(Buffer.poolSize / 2 - 1));
}

it('frames that are kept hold no more memory than they are counted for', () => {
  const cache = new FrameCache(1_000_000, new HttpMetrics('1.2.3'));
  cache.join('s');
  cache.join('s');
  const frames: Buffer[] = [];
  for (let i = 0; i < 1_000; i++) {
    const text = String(i).padStart(300, '-');
    const frame = cache.get(event(), 's', 'M s', () => Buffer.from(text));
    assert.equal(frame.toString(), text);
    frames.push(frame);
    cutABlock();
    cutABlock();
  }
  assert.ok(
    frames.every((frame, i) => frame.toString().endsWith(`-${i}`)),
    'none is written over',
  );
  const bytes = heldBytes(frames);
  assert.ok(bytes < 300 * 1_000 + 2 * frameBlockBytes, `${bytes} bytes for 1,000 frames of 300`);
  const large = cache.get(event(), 's', 'M s', () => Buffer.alloc(frameBlockBytes));
  assert.equal(large.buffer.byteLength, frameBlockBytes);
});

it('frames are let go of when they are old, with the event that they are of', () => {
  let nowMs = 0;
  const cache = new FrameCache(1_000_000, new HttpMetrics('1.2.3'), () => nowMs);
  cache.join('s');
  cache.join('s');
  const look = (one: CacheEvent) => cache.get(one, 's', 'M s', () => Buffer.from('frame'));
  const old = event();
  look(old);
  nowMs = frameAgeMsMax;
  const younger = event();
  look(younger);
  assert.notEqual(old.memo, undefined);
  nowMs = 1.5 * frameAgeMsMax;
  look(event());
  assert.deepEqual([old.memo === undefined, younger.memo === undefined], [true, false]);
});
