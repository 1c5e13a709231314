import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { CacheEvent } from '#storage/cached-storage.ts';
import type { Revision, StorageKey } from '#storage/storage.ts';
import { HttpMetrics } from '../metrics/metrics.ts';
import { FrameCache } from './watch-frames.ts';

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
