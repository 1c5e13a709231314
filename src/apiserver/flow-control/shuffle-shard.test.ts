import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { dealHand } from './shuffle-shard.ts';

describe('shuffle sharding (O2)', () => {
  test('a hand has different queues, the same for the same flow', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 128 }), fc.nat(14), (flow, queues, more) => {
        const size = Math.min(queues, more + 1);
        const hand = dealHand(flow, queues, size);
        assert.equal(new Set(hand).size, size);
        assert.ok(hand.every((card) => Number.isInteger(card) && card >= 0 && card < queues));
        assert.deepEqual(dealHand(flow, queues, size), hand);
      }),
      { numRuns: 500 },
    );
    const counts = new Array<number>(64).fill(0);
    for (let i = 0; i < 6_400; i++) for (const card of dealHand(`schema/user-${i}`, 64, 6)) counts[card]!++;
    assert.ok(Math.min(...counts) > 450 && Math.max(...counts) < 750, `evenly dealt: ${counts}`);
  });
});
