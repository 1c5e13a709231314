// docs/federation-contract.md: FD6
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import { DeletionBudget } from './deletion-budget.ts';

const limits = { maxObjects: 2, maxPercent: 100, windowMs: 60_000 };

/** A clock that is set by hand, beside the time that passes. */
class SetClock extends ManualClock {
  setMs = 0;

  override now(): number {
    return super.now() + this.setMs;
  }
}

function budget() {
  const clock = new SetClock();
  const of = new DeletionBudget(clock);
  return { clock, of, take: (key: string, uid = key) => of.take(key, uid, limits, 100) };
}

test('no more than so many pass within a window, then as many again', () => {
  const { clock, take } = budget();
  assert.deepEqual([take('a'), take('b'), take('c')], [true, true, false]);
  clock.advance(limits.windowMs);
  assert.equal(take('c'), true);
});

test('what was let pass may be tried again for nothing, until it is gone; what is made anew there is another', () => {
  const { of, take } = budget();
  assert.deepEqual([take('a'), take('a'), take('b'), take('a')], [true, true, true, true]);
  assert.equal(take('a', 'anew'), false);
  of.forget('b');
  assert.equal(take('b'), false);
});

for (const [how, byMs] of [
  ['forward', 3_600_000],
  ['back', -3_600_000],
] as const) {
  test(`a clock that is set ${how} neither empties a window nor lengthens it`, () => {
    const { clock, take } = budget();
    assert.deepEqual([take('a'), take('b')], [true, true]);
    clock.setMs = byMs;
    assert.equal(take('c'), false);
    clock.advance(limits.windowMs);
    assert.equal(take('c'), true);
  });
}

test('a share is of what stood when the window began', () => {
  const of = new DeletionBudget(new ManualClock());
  const share = { ...limits, maxObjects: Number.POSITIVE_INFINITY, maxPercent: 20 };
  const take = (key: string, standing: number) => of.take(key, key, share, standing);
  assert.deepEqual([take('a', 10), take('b', 9), take('c', 8)], [true, true, false]);
});
