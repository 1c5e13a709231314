import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../digest.ts';
import { PendingStatuses } from './pending-statuses.ts';

test('the newest status of an object waits, unless it was written already', () => {
  const pending = new PendingStatuses(1_000);
  pending.put('a', { ready: 1 }, undefined);
  pending.put('a', { ready: 2 }, undefined);
  const second = pending.get('a');
  assert.deepEqual(second?.status, { ready: 2 });
  pending.put('b', { y: 1, x: 2 }, digestOf({ x: 2, y: 1 }));
  assert.equal(pending.get('b'), undefined, 'the order of keys does not matter');
  pending.put('a', { ready: 3 }, undefined);
  assert.ok(second);
  pending.written('a', second);
  assert.deepEqual(pending.get('a')?.status, { ready: 3 }, 'a newer one has come while it was written');
  const third = pending.get('a');
  assert.ok(third);
  pending.written('a', third);
  assert.equal(pending.size, 0);
});

test('beyond the bound only the digest is kept, and room is given back', () => {
  const pending = new PendingStatuses(30);
  const status = { text: 'x'.repeat(10) };
  pending.put('a', status, undefined);
  pending.put('b', status, undefined);
  assert.deepEqual(pending.get('a')?.status, status);
  assert.equal(pending.get('b')?.status, undefined);
  assert.equal(pending.get('b')?.digest, digestOf(status));
  pending.delete('a');
  pending.put('b', status, undefined);
  assert.deepEqual(pending.get('b')?.status, status);
});
