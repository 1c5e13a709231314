import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Placement } from '#api/policy/placement.ts';
import type { WeightedScore } from '#api/policy/scheduling-profile.ts';
import type { CellInfo } from './cell.ts';
import { decide } from './decide.ts';
import type { DecisionInput } from './decision.ts';
import { compileProfile } from './profile.ts';
import { distanceKm } from './scores.ts';
import { cell, detailsOf, free, inputOf, show, snapshotOf, targets, template } from './testing/cells.ts';

const startMs = 1_000_000;
const one: Placement = { spreadConstraints: [{ spreadByField: 'cluster', minGroups: 1, maxGroups: 1 }] };
const told = (value: number, validUntilMs = Number.POSITIVE_INFINITY): Partial<CellInfo> => ({
  scores: new Map([['carbon', { value, validUntilMs }]]),
});
const rows: [string, WeightedScore[], CellInfo[], Partial<DecisionInput>, Placement, string][] = [
  ['cheapest', [{ name: 'Cost', weight: 1 }], [cell('a', { cost: 3 }), cell('b', { cost: 1 })], {}, one, 'b'],
  ['dearest', [{ name: 'Cost', weight: -1 }], [cell('a', { cost: 3 }), cell('b', { cost: 1 })], {}, one, 'a'],
  [
    'nearest in time',
    [{ name: 'Latency', weight: 1 }],
    [cell('a', { latencyMs: 80 }), cell('b', { latencyMs: 8 })],
    {},
    one,
    'b',
  ],
  [
    'nearest on earth',
    [{ name: 'Distance', weight: 1 }],
    [
      cell('a-sydney', { location: { latitude: -33.9, longitude: 151.2 } }),
      cell('b-paris', { location: { latitude: 48.9, longitude: 2.3 } }),
    ],
    {},
    { ...one, near: { latitude: 52.5, longitude: 13.4 } },
    'b-paris',
  ],
  [
    'where the data is',
    [{ name: 'DataLocality', weight: 1 }],
    [cell('a'), cell('b', { labels: { 'data.cellplane.io/maps': 'yes' } })],
    {},
    { ...one, data: ['maps'] },
    'b',
  ],
  [
    'emptiest',
    [{ name: 'Balance', weight: 1 }],
    [cell('a'), cell('b')],
    { loadOf: (name) => (name === 'a' ? 5 : 4) },
    one,
    'b',
  ],
  ['roomiest', [{ name: 'Room', weight: 1 }], [cell('a', free(3)), cell('b', free(9))], {}, one, 'b'],
  [
    'named',
    [{ name: 'Named', score: 'carbon', weight: 1 }],
    [cell('a', told(1)), cell('b', told(2))],
    {},
    one,
    'b',
  ],
  [
    'named, but old',
    [{ name: 'Named', score: 'carbon', weight: 1 }],
    [cell('a', told(1)), cell('b', told(2, startMs)), cell('c', told(0))],
    {},
    one,
    'a',
  ],
  [
    'weighed against each other',
    [
      { name: 'Cost', weight: 1 },
      { name: 'Latency', weight: 3 },
    ],
    [cell('a', { cost: 1, latencyMs: 50 }), cell('b', { cost: 9, latencyMs: 5 })],
    {},
    one,
    'b',
  ],
  [
    'sticky',
    [
      { name: 'Cost', weight: 1 },
      { name: 'Stickiness', weight: 2 },
    ],
    [cell('a', { cost: 9 }), cell('b', { cost: 1 })],
    { previous: targets('a:1') },
    one,
    'a',
  ],
];
for (const [what, scores, cells, more, placement, expected] of rows) {
  test(`a profile chooses what is ${what}`, () => {
    const profile = compileProfile({
      apiVersion: '',
      kind: '',
      metadata: {},
      spec: { scores },
    });
    const decision = decide(inputOf(snapshotOf(...cells), { nowMs: startMs, profile, ...more }), placement);
    assert.equal(show(decision.targets), `${expected}:1`);
  });
}

test('a filter that the platform team turned off says nothing', () => {
  const tainted = cell('a', { taints: [{ key: 'x', value: '', effect: 'NoSchedule', timeAddedMs: 0 }] });
  const profile = compileProfile({
    apiVersion: '',
    kind: '',
    metadata: {},
    spec: { disabledFilters: ['TaintToleration'] },
  });
  assert.equal(show(decide(inputOf(snapshotOf(tainted)), {}).targets), '');
  assert.equal(show(decide(inputOf(snapshotOf(tainted), { profile }), {}).targets), 'a:1');
});

test('details tell the points of each cell, though there is nothing to choose', () => {
  const cells = [cell('a', free(3)), cell('b')];
  const decision = decide(inputOf(snapshotOf(...cells), { previous: targets('b:1') }), {});
  const details = detailsOf(decision);
  assert.deepEqual(
    details.scores.get('b'),
    new Map([
      ['Stickiness', 100],
      ['SoftTaints', 50],
    ]),
  );
  assert.equal(details.available.get('a'), 3);
  const unsized = decide(inputOf(snapshotOf(...cells), { template: template({ replicas: undefined }) }), {});
  assert.equal(detailsOf(unsized).available.get('a'), undefined, 'what has no replicas takes no room');
});

test('details of some cells are the same as of all: they are compared among all that passed', () => {
  const profile = compileProfile({
    apiVersion: 'v1',
    kind: 'SchedulingProfile',
    metadata: {},
    spec: { scores: [{ name: 'Cost', weight: 1 }] },
  });
  const cells = [1, 2, 5].map((cost, i) => cell(`c${i}`, { cost }));
  const { considered } = decide(inputOf(snapshotOf(...cells), { profile }), {});
  const details = considered?.detailsOf(considered.candidates.slice(1, 2));
  assert.deepEqual(details?.scores, new Map([['c1', new Map([['Cost', 75]])]]));
});

test('distances over the poles and the date line', () => {
  const fiji = { latitude: -17.7, longitude: 178 };
  const samoa = { latitude: -13.8, longitude: -171.8 };
  assert.ok(Math.abs(distanceKm(fiji, samoa) - 1_160) < 40);
  assert.equal(distanceKm(fiji, fiji), 0);
});
