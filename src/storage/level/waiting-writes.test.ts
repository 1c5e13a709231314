import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StorageError } from '../errors.ts';
import type { Revision } from '../storage.ts';
import { type Waiting, WaitingWrites } from './waiting-writes.ts';

const waiting = (bytes: number): Waiting => ({
  job: { type: 'compact', revision: 1 as Revision },
  bytes,
  resolve: () => {},
  reject: () => {},
});

const fill = (writes: WaitingWrites, ...sizes: number[]) => {
  for (const bytes of sizes) writes.push(waiting(bytes));
};

test('what is taken fits the room, in order; the first is taken whatever it has', () => {
  const writes = new WaitingWrites();
  fill(writes, 5, 3, 4, 1);
  assert.deepEqual(
    writes.take(8).map(({ bytes }) => bytes),
    [5, 3],
  );
  assert.deepEqual(
    writes.take(2).map(({ bytes }) => bytes),
    [4],
  );
  assert.equal(writes.size, 1);
  assert.deepEqual(
    writes.takeAll().map(({ bytes }) => bytes),
    [1],
  );
  assert.deepEqual([writes.size, writes.takeAll()], [0, []]);
});

test('beyond 20,000 writes, or 128 MiB, none is let in until some were taken', () => {
  const many = new WaitingWrites();
  for (let i = 0; i < 20_000; i++) {
    assert.equal(many.refusal(1), undefined);
    fill(many, 1);
  }
  const refusal = many.refusal(1);
  assert.ok(refusal instanceof StorageError && refusal.code === 'unavailable', String(refusal));
  many.take(1);
  assert.equal(many.refusal(1), undefined);

  const large = new WaitingWrites();
  const half = 64 * 1024 * 1024;
  fill(large, half);
  assert.equal(large.refusal(half), undefined);
  fill(large, half);
  assert.ok(large.refusal(1) instanceof StorageError);
  large.take(half);
  assert.equal(large.refusal(half), undefined);
  fill(large, half);
  large.takeAll();
  assert.equal(large.refusal(2 * half), undefined);
});
