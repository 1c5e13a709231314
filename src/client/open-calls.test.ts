import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { idleSignalsMax, OpenCalls } from './open-calls.ts';

test('a call ends with its caller', () => {
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

const listenersOn = (signal: AbortSignal) => getEventListeners(signal, 'abort').length;

test('calls under one signal share a listener, which the next ones find', () => {
  const calls = new OpenCalls();
  const caller = new AbortController();
  const open = Array.from({ length: 20 }, () => calls.begin(caller.signal));
  assert.equal(getEventListeners(caller.signal, 'abort').length, 1);
  for (const call of open) call.end();
  open[0]?.end();
  assert.equal(listenersOn(caller.signal), 1);
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

test('only so many signals without calls are listened to, and none after the end', () => {
  const calls = new OpenCalls();
  const callers = Array.from({ length: idleSignalsMax + 10 }, () => new AbortController());
  const [first] = callers;
  const last = callers.at(-1);
  assert.ok(first !== undefined && last !== undefined);
  for (const { signal } of callers) calls.begin(signal).end();
  assert.equal(listenersOn(first.signal), 0);
  assert.equal(listenersOn(last.signal), 1);
  assert.equal(callers.filter(({ signal }) => listenersOn(signal) > 0).length, idleSignalsMax);
  const open = calls.begin(last.signal);
  const [aborted] = callers.slice(-2);
  aborted?.abort();
  calls.close(new Error('closed'));
  open.end();
  assert.equal(open.signal.aborted, true);
  calls.begin(first.signal).end();
  assert.deepEqual(
    callers.filter(({ signal }) => listenersOn(signal) > 0),
    [],
  );
});
