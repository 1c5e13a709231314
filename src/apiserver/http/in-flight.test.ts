import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InFlight } from './in-flight.ts';

test('everything is counted out again, and who waits for that is told', async () => {
  const inFlight = new InFlight();
  await inFlight.whenIdle();
  inFlight.enter();
  inFlight.enter();
  const idle = inFlight.whenIdle();
  inFlight.leave();
  assert.equal(inFlight.total, 1);
  inFlight.leave();
  await idle;
  assert.equal(inFlight.total, 0);
});
