import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#apimachinery/clock.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { RecentObjects } from './recent-objects.ts';

function object(resourceVersion: string, text = ''): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', resourceVersion }, data: { text } };
}

test('an object is given once, in the revision that is asked for, while it is recent', () => {
  let nowMs = 0;
  const clock = { ...systemClock, monotonic: () => nowMs };
  const recent = new RecentObjects({ clock, bytesMax: 10_000, ageMaxMs: 100 });
  recent.put('a', object('1'));
  recent.put('a', object('2'));
  assert.equal(recent.take('a', '1'), undefined);
  assert.equal(recent.take('a', '2')?.metadata.resourceVersion, '2');
  assert.equal(recent.take('a', '2'), undefined);
  assert.equal(recent.bytes, 0);
  recent.put('a', object('3'));
  nowMs = 101;
  assert.equal(recent.take('a', '3'), undefined);
  assert.equal(recent.bytes, 0);
});

test('the oldest make room, and what is too large is not kept', () => {
  const recent = new RecentObjects({ clock: systemClock, bytesMax: 3_000, ageMaxMs: 1_000 });
  recent.put('large', object('1', 'x'.repeat(4_000)));
  assert.equal(recent.bytes, 0);
  for (const key of ['a', 'b', 'c']) recent.put(key, object('1', 'x'.repeat(1_000)));
  assert.ok(recent.bytes <= 3_000);
  assert.equal(recent.take('a', '1'), undefined);
  assert.ok(recent.take('c', '1'));
});
