import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Exchange } from './exchange.ts';
import { Receiving } from './receiving.ts';

test('requests enter and leave in any order, and leave once', () => {
  const receiving = new Receiving();
  const [a, b, c] = [{ receivingAt: -1 }, { receivingAt: -1 }, { receivingAt: -1 }] as Exchange[];
  for (const one of [a!, b!, c!]) receiving.add(one);
  receiving.delete(a!);
  receiving.delete(a!);
  assert.deepEqual(new Set(receiving.list()), new Set([b, c]));
  receiving.delete(c!);
  assert.deepEqual(receiving.list(), [b]);
  receiving.add(a!);
  receiving.delete(b!);
  receiving.delete(a!);
  assert.deepEqual(receiving.list(), []);
});
