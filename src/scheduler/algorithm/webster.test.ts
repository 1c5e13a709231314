import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fnv32a } from '#apimachinery/hash.ts';
import { divideByWebster, type Party } from './webster.ts';

const parties = (...weights: number[]): Party[] =>
  weights.map((weight, i) => ({ name: String.fromCharCode(97 + i), weight }));

test('vectors of PLACEMENT.md 2, and of the Sainte-Laguë article', () => {
  const table: [number, number[], number[]][] = [
    [9, [1, 3], [2, 7]],
    [7, [2, 1, 1, 1], [3, 2, 1, 1]],
    [10, [5, 3, 1], [6, 3, 1]],
    [2, [1, 1, 1], [1, 1, 0]],
    [4, [1200, 900, 400], [2, 1, 1]],
    [8, [100_000, 80_000, 30_000, 20_000], [3, 3, 1, 1]],
    [0, [1, 2], [0, 0]],
    [5, [], []],
    [3, [0, 1], [0, 3]],
  ];
  for (const [seats, weights, expected] of table) {
    assert.deepEqual(divideByWebster(seats, parties(...weights)), expected, `${seats} over ${weights}`);
  }
});

test('ties go by name, its direction by the parity of the FNV hash of the uid', () => {
  const even = ['a', 'b', 'c', 'd'].find((uid) => fnv32a(uid) % 2 === 0) as string;
  const odd = ['a', 'b', 'c', 'd'].find((uid) => fnv32a(uid) % 2 === 1) as string;
  assert.deepEqual(divideByWebster(1, parties(1, 1, 1), even), [1, 0, 0]);
  assert.deepEqual(divideByWebster(1, parties(1, 1, 1), odd), [0, 0, 1]);
  assert.equal(fnv32a(''), 0x811c9dc5);
  assert.equal(fnv32a('foobar'), 0xbf9cf968);
});

/** The definition, seat by seat. */
function naive(seats: number, all: readonly Party[]): number[] {
  const given = all.map(() => 0);
  for (let i = 0; i < seats; i++) {
    let best = -1;
    for (let p = 0; p < all.length; p++) {
      if (best < 0) {
        best = p;
        continue;
      }
      const a = (all[p] as Party).weight / (2 * (given[p] as number) + 1);
      const b = (all[best] as Party).weight / (2 * (given[best] as number) + 1);
      if (a > b || (a === b && (given[p] as number) < (given[best] as number))) best = p;
    }
    if (best >= 0) given[best] = (given[best] as number) + 1;
  }
  return given;
}

const weightsAndSeats = fc.record({
  weights: fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 1, maxLength: 12 }),
  seats: fc.integer({ min: 0, max: 400 }),
});

test('equals the definition; the sum is what was asked; monotone', () => {
  fc.assert(
    fc.property(weightsAndSeats, ({ weights, seats }) => {
      const all = parties(...weights);
      const result = divideByWebster(seats, all);
      assert.deepEqual(result, naive(seats, all));
      assert.equal(
        result.reduce((a, b) => a + b, 0),
        seats,
      );
      const more = divideByWebster(seats + 1, all);
      for (let i = 0; i < result.length; i++) assert.ok((more[i] as number) >= (result[i] as number));
    }),
    { numRuns: 300 },
  );
});
