import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Placement } from '#api/policy/placement.ts';
import { decide } from './decide.ts';
import { cell, free, inputOf, show, snapshotOf, targets, template } from './testing/cells.ts';
import { dynamic } from './testing/placements.ts';

const placement: Placement = {
  clusterAffinities: [
    {
      affinityName: 'home',
      clusterNames: ['a', 'b'],
      overflowAffinities: [{ clusterNames: ['c'] }, { clusterNames: ['d', 'a'] }],
    },
  ],
  ...dynamic,
};
/** `available` counts what is free beside what is placed. */
const rows: [rule: string, replicas: number, free: number[], previous: string, expected: string][] = [
  ['the primary cells first', 4, [3, 3, 9, 9], '', 'a:2 b:2'],
  ['then tier by tier', 14, [3, 3, 5, 9], '', 'a:3 b:3 c:5 d:3'],
  ['what runs stays while the primary cells have room for more', 5, [3, 3, 9, 9], 'c:2', 'a:2 b:1 c:2'],
  ['given back in reverse', 7, [0, 0, 0, 0], 'a:3 b:3 c:5 d:3', 'a:3 b:3 c:1'],
  ['down to the primary cells', 4, [0, 0, 0, 0], 'a:3 b:3 c:5', 'a:2 b:2'],
];
for (const [rule, replicas, rooms, previous, expected] of rows) {
  test(`overflow: ${rule}`, () => {
    const cells = ['a', 'b', 'c', 'd'].map((name, i) => cell(name, free(rooms[i] as number)));
    const input = inputOf(snapshotOf(...cells, cell('e')), {
      template: template({ replicas }),
      previous: targets(previous),
    });
    const decision = decide(input, placement);
    assert.equal(decision.outcome, 'Scheduled', decision.message);
    assert.equal(show(decision.targets), expected);
    assert.equal(decision.refusals.at(-1), 'AffinityNotMatched');
  });
}

test('overflow: no more than all tiers hold', () => {
  const cells = ['a', 'b', 'c', 'd'].map((name) => cell(name, free(1)));
  const decision = decide(inputOf(snapshotOf(...cells), { template: template({ replicas: 5 }) }), placement);
  assert.equal(decision.outcome, 'Unschedulable');
});
