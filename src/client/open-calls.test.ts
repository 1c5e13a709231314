import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { OpenCalls } from './open-calls.ts';

test('a call ends with its caller, and leaves no listener on the caller’s signal', () => {
  const calls = new OpenCalls();
  const caller = new AbortController();
  const ended = calls.begin(caller.signal);
  ended.end();
  const open = calls.begin(caller.signal);
  assert.equal(getEventListeners(caller.signal, 'abort').length, 1);
  caller.abort(new Error('enough'));
  assert.equal(open.signal.aborted, true);
  assert.equal((open.signal.reason as Error).message, 'enough');
  assert.equal(open.timedOut, false);
  assert.equal(ended.signal.aborted, false);
  open.end();
  assert.equal(calls.size, 0);
  assert.equal(calls.begin(caller.signal).signal.aborted, true);
});

test('calls under one signal share a listener while there are any', () => {
  const calls = new OpenCalls();
  const caller = new AbortController();
  const open = Array.from({ length: 20 }, () => calls.begin(caller.signal));
  assert.equal(getEventListeners(caller.signal, 'abort').length, 1);
  for (const call of open) call.end();
  open[0]?.end();
  assert.equal(getEventListeners(caller.signal, 'abort').length, 0);
  const [first, second] = [calls.begin(caller.signal), calls.begin(caller.signal)];
  const reasons: unknown[] = [];
  first.onAbort((reason) => reasons.push(reason));
  second.onAbort((reason) => reasons.push(reason));
  caller.abort('enough');
  assert.deepEqual(reasons, ['enough', 'enough']);
  for (const call of [first, second]) call.end();
  assert.equal(calls.size, 0);
});

test('a call that takes too long ends by itself', async () => {
  const call = new OpenCalls().begin(undefined, 1);
  await new Promise<void>((resolve) => {
    call.signal.addEventListener('abort', () => resolve());
  });
  assert.equal(call.timedOut, true);
  call.end();
});

test('closing ends all, and what begins later at once', () => {
  const calls = new OpenCalls();
  const [first, second] = [calls.begin(undefined), calls.begin(undefined)];
  calls.close(new Error('closed'));
  calls.close(new Error('again'));
  assert.deepEqual([first.signal.aborted, second.signal.aborted, calls.size], [true, true, 0]);
  assert.equal((calls.begin(undefined).signal.reason as Error).message, 'closed');
});
