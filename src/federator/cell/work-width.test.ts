import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CatchUp } from '../catch-up.ts';
import { WorkWidth } from './work-width.ts';

const limits = { concurrency: 10, catchUpPending: 50 };

/** A cell's width, and how many more enter it until one has to wait. */
function cellOf(catchUp: CatchUp, cell = 'a') {
  const state = { pending: 0, isBreakerOpen: false };
  const width = new WorkWidth({
    cell,
    catchUp,
    limits,
    pending: () => state.pending,
    isBreakerOpen: () => state.isBreakerOpen,
  });
  const room = () => {
    let entered = 0;
    while (width.enter() === undefined) entered++;
    return entered;
  };
  return { state, width, room };
}

test('a cell that is hardly behind works on as many objects as it may, and takes no share', () => {
  const catchUp = new CatchUp();
  const { state, room } = cellOf(catchUp);
  state.pending = limits.catchUpPending;
  assert.equal(room(), limits.concurrency);
  assert.equal(catchUp.size, 0);
});

test('one that is far behind begins with two, and gets one more with each that is done, up to its limit', async () => {
  const catchUp = new CatchUp();
  const { state, width } = cellOf(catchUp);
  state.pending = 1_000;
  assert.deepEqual([width.enter(), width.enter()], [undefined, undefined]);
  const waits = width.enter();
  assert.ok(waits !== undefined, 'the third waits');
  assert.equal(catchUp.size, 1);
  for (let done = 0; done < 2; done++) width.leave();
  await waits;
  // Two are done, so that four may be worked on; the one that waited has begun.
  for (let more = 0; more < 3; more++) assert.equal(width.enter(), undefined);
  assert.ok(width.enter() !== undefined);
});

test('it is behind until it is done, with or without work for each object; stopped, it leaves its share', () => {
  const catchUp = new CatchUp();
  const { state, width } = cellOf(catchUp);
  state.pending = 1_000;
  assert.equal(width.enter(), undefined);
  state.pending = 3;
  width.passed();
  assert.equal(catchUp.size, 1, 'although that few would not have made it so');
  state.pending = 2;
  width.passed();
  assert.equal(catchUp.size, 0);
  state.pending = 1_000;
  width.leave();
  assert.equal(width.enter(), undefined);
  assert.equal(catchUp.size, 1);
  width.stop();
  assert.equal(catchUp.size, 0);
});

test('one whose breaker is open takes no share, and lets two try', () => {
  const catchUp = new CatchUp();
  const { state, room } = cellOf(catchUp);
  state.pending = 1_000;
  state.isBreakerOpen = true;
  assert.equal(room(), 2);
  assert.equal(catchUp.size, 0);
});
