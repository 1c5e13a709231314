import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Placement } from '#api/policy/placement.ts';
import { decide } from './decide.ts';
import { type PlannedCell, planReplicas } from './plan-replicas.ts';
import { cell, free, inputOf, show, snapshotOf, targets, template } from './testing/cells.ts';

type Row = Partial<PlannedCell> & { readonly name: string };
const planned = (row: Row): PlannedCell => ({
  weight: 1,
  minReplicas: 0,
  maxReplicas: Number.POSITIVE_INFINITY,
  priority: 0,
  current: 0,
  capacity: Number.POSITIVE_INFINITY,
  ...row,
});
const [c1, c2, c3] = ['cluster1', 'cluster2', 'cluster3'] as const;
const rows: [
  rule: string,
  total: number,
  cells: Row[],
  rebalance: boolean,
  expected: number[],
  overflow?: number[],
][] = [
  ['equal weights (PLACEMENT.md 6)', 10, [{ name: c1 }, { name: c2 }, { name: c3 }], true, [4, 4, 2]],
  [
    'weights',
    9,
    [
      { name: c1, weight: 1 },
      { name: c2, weight: 2 },
    ],
    true,
    [3, 6],
  ],
  ['minima first', 10, [{ name: c1, minReplicas: 8, weight: 0 }, { name: c2 }], true, [8, 2]],
  [
    'minima as far as there are replicas',
    3,
    [
      { name: c1, minReplicas: 2, weight: 2 },
      { name: c2, minReplicas: 2 },
    ],
    true,
    [2, 1],
  ],
  ['maxima', 10, [{ name: c1, maxReplicas: 2 }, { name: c2 }], true, [2, 8]],
  [
    'maxima alone leave the rest unplaced',
    10,
    [
      { name: c1, maxReplicas: 2 },
      { name: c2, maxReplicas: 3 },
    ],
    true,
    [2, 3],
  ],
  ['what runs stays', 10, [{ name: c1, current: 8 }, { name: c2 }], false, [8, 2]],
  ['unless rebalancing', 10, [{ name: c1, current: 8 }, { name: c2 }], true, [5, 5]],
  ['capacity, and the rest elsewhere', 10, [{ name: c1, capacity: 3 }, { name: c2 }], true, [3, 7], [2, 0]],
  [
    'overflow only of what found no place',
    10,
    [
      { name: c1, capacity: 3 },
      { name: c2, maxReplicas: 6 },
    ],
    false,
    [3, 6],
    [1, 0],
  ],
  ['weight 0 gets nothing beyond its minimum', 4, [{ name: c1, weight: 0 }, { name: c2 }], true, [0, 4]],
  [
    'priority before weight',
    1,
    [
      { name: c1, weight: 9 },
      { name: c2, priority: 1 },
    ],
    true,
    [0, 1],
  ],
];
for (const [rule, total, cells, rebalance, expected, overflow] of rows) {
  test(`plan: ${rule}`, () => {
    const plan = planReplicas(total, cells.map(planned), 'ns/app', rebalance);
    assert.deepEqual(plan.replicas, expected);
    if (overflow !== undefined) assert.deepEqual(plan.overflow, overflow);
  });
}

test('plans keep the total, maxima and capacities, leave nothing that fits, and end', () => {
  const one = fc.record({
    weight: fc.nat(4),
    minReplicas: fc.nat(4),
    more: fc.option(fc.nat(8)),
    priority: fc.nat(2),
    current: fc.nat(12),
    capacity: fc.option(fc.nat(12)),
  });
  fc.assert(
    fc.property(
      fc.array(one, { minLength: 1, maxLength: 6 }),
      fc.nat(60),
      fc.boolean(),
      (all, total, rebalance) => {
        const cells = all.map(({ more, capacity, ...rest }, i) => ({
          ...rest,
          name: `c${i}`,
          maxReplicas: more === null ? Number.POSITIVE_INFINITY : rest.minReplicas + more,
          capacity: capacity ?? Number.POSITIVE_INFINITY,
        }));
        const { replicas, unplaced } = planReplicas(total, cells, 'ns/app', rebalance);
        assert.equal(replicas.reduce((sum, count) => sum + count, 0) + unplaced, total);
        cells.forEach(({ maxReplicas, capacity, weight }, i) => {
          const count = replicas[i] as number;
          assert.ok(count >= 0 && count <= Math.min(maxReplicas, capacity));
          if (unplaced > 0 && weight > 0) assert.equal(count, Math.min(maxReplicas, capacity));
        });
      },
    ),
    { numRuns: 500 },
  );
});

const preferences = (list: object[], rebalance = false): Placement =>
  ({
    replicaScheduling: {
      replicaSchedulingType: 'Divided',
      replicaDivisionPreference: 'Weighted',
      rebalance,
      weightPreference: { staticWeightList: list },
    },
  }) as Placement;
const of = (name: string, weight: number, more: object = {}) => ({
  targetCluster: { clusterNames: [name] },
  weight,
  ...more,
});

test('a policy with minima and maxima is planned', () => {
  const input = inputOf(snapshotOf(cell('a'), cell('b'), cell('c', free(2))), {
    template: template({ replicas: 12 }),
  });
  const placement = preferences([of('a', 1, { maxReplicas: 2 }), of('b', 1), of('c', 1, { minReplicas: 1 })]);
  assert.equal(show(decide(input, placement).targets), 'a:2 b:8 c:2');
  const previous = targets('a:2 b:1 c:2');
  assert.equal(
    show(decide({ ...input, template: template({ replicas: 5 }), previous }, placement).targets),
    'a:2 b:1 c:2',
  );
  const tight = preferences([of('a', 1, { maxReplicas: 2 }), of('b', 1, { maxReplicas: 2 })]);
  const decision = decide(input, tight);
  assert.equal(decision.outcome, 'Unschedulable');
  assert.equal(decision.message, '8 of 12 replicas do not fit within maxReplicas and the room of the cells');
});
