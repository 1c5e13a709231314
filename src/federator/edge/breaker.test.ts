import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import { Breaker } from './breaker.ts';

function breakerFor() {
  const clock = new ManualClock();
  let opened = 0;
  const breaker = new Breaker({
    random: () => 1,
    clock,
    failureThreshold: 3,
    openMinMs: 100,
    openMaxMs: 300,
    onOpen: () => opened++,
  });
  return { clock, breaker, opened: () => opened };
}

test('a breaker opens after the failures in a row, and an answer between them starts the count anew', () => {
  const { breaker, opened } = breakerFor();
  breaker.unreached();
  breaker.unreached();
  breaker.reached();
  breaker.unreached();
  breaker.unreached();
  assert.equal(breaker.pass(undefined), undefined);
  assert.equal(opened(), 0);
  breaker.unreached();
  assert.equal(breaker.isOpen, true);
  assert.equal(opened(), 1);
});

test('calls wait while it is open, and all go on when a trial is answered', async () => {
  const { breaker } = breakerFor();
  for (let failure = 0; failure < 3; failure++) breaker.unreached();
  let passed = 0;
  const waiting = [1, 2, 3].map(() => breaker.pass(undefined)?.then(() => passed++));
  await Promise.resolve();
  assert.equal(passed, 0);
  // Answers to calls that were under way do not close it: only a trial does.
  breaker.reached();
  assert.equal(breaker.isOpen, true);
  breaker.tried(true);
  await Promise.all(waiting);
  assert.equal(passed, 3);
  assert.equal(breaker.pass(undefined), undefined);
});

test('the pause doubles up to its bound, and is short again only after a call was answered', () => {
  const { clock, breaker } = breakerFor();
  const fail = () => {
    for (let failure = 0; failure < 3; failure++) breaker.unreached();
  };
  fail();
  const pauses: number[] = [breaker.trialDelayMs];
  for (let trial = 0; trial < 3; trial++) {
    clock.advance(breaker.trialDelayMs);
    assert.equal(breaker.trialDelayMs, 0);
    breaker.tried(false);
    pauses.push(breaker.trialDelayMs);
  }
  assert.deepEqual(pauses, [100, 200, 300, 300]);
  breaker.tried(true);
  fail(); // it answers trials and nothing else
  assert.equal(breaker.trialDelayMs, 300);
  breaker.tried(true);
  breaker.reached();
  fail();
  assert.equal(breaker.trialDelayMs, 100);
});

test('who waits is let go by its signal and by stop', async () => {
  const { breaker } = breakerFor();
  for (let failure = 0; failure < 3; failure++) breaker.unreached();
  const stopping = new AbortController();
  const first = breaker.pass(stopping.signal);
  const second = breaker.pass(undefined);
  stopping.abort(new Error('stop'));
  await assert.rejects(first ?? Promise.resolve(), /stop/);
  await assert.rejects(breaker.pass(stopping.signal) ?? Promise.resolve(), /stop/);
  breaker.stop();
  await assert.rejects(second ?? Promise.resolve(), /given up/);
  await assert.rejects(breaker.pass(undefined) ?? Promise.resolve(), /given up/);
});
