import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#apimachinery/clock.ts';
import { WorkQueue } from '../workqueue.ts';
import { RankedKeys, rankOf } from './ranked-keys.ts';

function taken(keys: RankedKeys): string {
  let text = '';
  for (let key = keys.shift(); key !== undefined; key = keys.shift()) text += key;
  return text;
}

test('the highest rank first, of one rank the first first', () => {
  const keys = new RankedKeys();
  const ranks = { a: 0, b: 5, c: -3, d: 5, e: 0, f: Number.POSITIVE_INFINITY, g: Number.NEGATIVE_INFINITY };
  for (const [key, rank] of Object.entries(ranks)) keys.push(key, rank);
  assert.equal(keys.size, 7);
  assert.equal(taken(keys), 'fbdaecg');
  assert.equal(keys.size, 0);
});

test('a key is moved up and never down', () => {
  const keys = new RankedKeys();
  for (const key of ['a', 'b', 'c']) keys.push(key, 0);
  keys.push('c', 2);
  keys.push('c', 1);
  keys.push('c', 0);
  keys.push('d', -1);
  keys.push('d', 0);
  assert.equal(keys.delete('a'), true);
  assert.equal(keys.delete('a'), false);
  assert.equal(taken(keys), 'cbd');
  keys.push('e', 7);
  assert.equal(keys.delete('e'), true);
  assert.equal(keys.size, 0);
  assert.equal(keys.shift(), undefined);
});

test('a queue gives keys by their number, normal ones as 0, and what is added again meanwhile too', async () => {
  const queue = new WorkQueue({ clock: systemClock });
  queue.add('normal');
  queue.add('low', -1);
  queue.add('background', 'background');
  queue.add('high', 10);
  assert.equal(queue.ready, 4);
  assert.equal(await queue.take(), 'high');
  queue.add('high', 'background');
  queue.add('high', 20);
  queue.add('higher', 15);
  queue.done('high');
  const order: (string | undefined)[] = [];
  while (queue.ready > 0) order.push(await queue.take());
  assert.deepEqual(order, ['high', 'higher', 'normal', 'low', 'background']);
  assert.equal(rankOf('normal'), 0);
  queue.close();
});
