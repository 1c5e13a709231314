import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Precedence } from './precedence.ts';

describe('who keeps the thread busy gives way (O2)', () => {
  test('while another request is under way, and is told when none is any more', () => {
    let eased = 0;
    const precedence = new Precedence(() => eased++);
    assert.equal(precedence.holds(0), false);
    precedence.enter(1);
    precedence.enter(2);
    assert.equal(precedence.holds(2), true);
    precedence.leave(3);
    assert.deepEqual([precedence.holds(3), eased], [true, 0]);
    precedence.leave(4);
    assert.deepEqual([precedence.holds(4), eased], [false, 1]);
  });

  test('not for longer than its span for a request that waits for something slow', () => {
    const precedence = new Precedence(() => {}, { spanMs: 3 });
    precedence.enter(100);
    assert.equal(precedence.holds(102.9), true);
    assert.equal(precedence.holds(103), false);
    precedence.enter(110);
    assert.equal(precedence.holds(112), true, 'for the next one again');
    precedence.leave(112);
    precedence.leave(112);
    assert.equal(precedence.holds(112), false);
  });

  for (const share of [0.25, 0.5]) {
    test(`for ${share} of the time at most, however many ask`, () => {
      const precedence = new Precedence(() => {}, { share, savedMsMax: 10, spanMs: 3 });
      const stepMs = 0.125;
      let held = 0;
      let steps = 0;
      for (let nowMs = 0; nowMs < 1_000; nowMs += stepMs) {
        precedence.enter(nowMs);
        if (precedence.holds(nowMs)) held++;
        steps++;
        if (nowMs > 0) precedence.leave(nowMs);
      }
      // What was saved at the beginning comes on top of it.
      assert.ok(Math.abs(held / steps - share) < 0.03, `${held} of ${steps}`);
    });
  }
});
