import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Placement } from '#api/policy/placement.ts';
import { decide, suspendedDecision } from './decide.ts';
import { cell, free, inputOf, show, snapshotOf, targets, template } from './testing/cells.ts';
import { dynamic } from './testing/placements.ts';

const rows: {
  rule: string;
  cells: Parameters<typeof snapshotOf>;
  placement?: Placement;
  replicas: number;
  previous: string;
  affinity?: string;
  expected: string;
}[] = [
  {
    rule: 'room counts what is its own, and all is shared out anew (PLACEMENT.md 2)',
    cells: [cell('a', free(0)), cell('b', free(10))],
    replicas: 10,
    previous: 'a:10',
    expected: 'a:5 b:5',
  },
  {
    rule: 'a cell that takes no new work is left',
    cells: [
      cell('a', {
        ...free(5),
        taints: [{ key: 'k', value: '', effect: 'NoSchedule', timeAddedMs: undefined }],
      }),
      cell('b', free(10)),
    ],
    replicas: 4,
    previous: 'a:4',
    expected: 'b:4',
  },
  {
    rule: 'what does not fit afresh stays as it is',
    cells: [cell('a', { ...free(5), ready: false }), cell('b', free(1))],
    replicas: 4,
    previous: 'a:4',
    expected: 'a:4',
  },
  {
    rule: 'the first affinity group is tried first again',
    cells: [cell('a'), cell('b')],
    placement: {
      clusterAffinities: [
        { affinityName: 'first', clusterNames: ['a'] },
        { affinityName: 'second', clusterNames: ['b'] },
      ],
    },
    replicas: 1,
    previous: 'b:1',
    affinity: 'second',
    expected: 'a:1',
  },
];
for (const { rule, cells, placement = dynamic, replicas, previous, affinity, expected } of rows) {
  test(`afresh: ${rule}`, () => {
    const input = inputOf(snapshotOf(...cells), {
      template: template({ replicas }),
      previous: targets(previous),
      previousAffinity: affinity,
    });
    assert.equal(show(decide({ ...input, fresh: true }, placement).targets), expected);
    assert.equal(show(decide(input, placement).targets), previous, 'and nothing moves otherwise');
  });
}

test('suspended scheduling leaves everything as it is', () => {
  const input = inputOf(snapshotOf(cell('a', { deleting: true }), cell('b')), { previous: targets('a:3') });
  const decision = suspendedDecision(input);
  assert.equal(decision.outcome, 'Suspended');
  assert.equal(show(decision.targets), 'a:3');
});
