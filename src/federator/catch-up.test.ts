import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CatchUp, Gate } from './catch-up.ts';

test('shares shrink with the number of cells that catch up, and none starves', () => {
  const catchUp = new CatchUp();
  assert.equal(catchUp.share, 64);
  for (let index = 0; index < 4; index++) catchUp.set(`cell-${index}`, true);
  catchUp.set('cell-0', true);
  assert.equal(catchUp.share, 16);
  for (let index = 0; index < 100; index++) catchUp.set(`cell-${index}`, true);
  assert.equal(catchUp.share, 2);
  for (let index = 1; index < 100; index++) catchUp.set(`cell-${index}`, false);
  assert.equal(catchUp.size, 1);
  assert.equal(catchUp.share, 64);
});

test('a gate lets so many through, in order, and more when its bound rises', async () => {
  let limit = 2;
  const gate = new Gate(() => limit);
  const through: number[] = [];
  const enter = async (id: number) => {
    const wait = gate.enter();
    if (wait !== undefined) await wait;
    through.push(id);
  };
  for (let id = 0; id < 6; id++) void enter(id);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(through, [0, 1]);
  gate.leave();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(through, [0, 1, 2]);
  limit = 4;
  gate.leave();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(through, [0, 1, 2, 3, 4, 5]);
});
