import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Placement, SpreadConstraint } from '#api/policy/placement.ts';
import { boundOf, boundsOf, withinBounds } from './bounds.ts';
import type { CellInfo, CellSnapshot } from './cell.ts';
import { decide } from './decide.ts';
import type { Decision, DecisionInput } from './decision.ts';
import { cell, inputOf, outcomeOf, show, snapshotOf, targets, template } from './testing/cells.ts';
import { aggregated, divided, dynamic, staticWeights } from './testing/placements.ts';

const weighted = (...weights: number[]): Placement =>
  staticWeights(Object.fromEntries(weights.map((weight, i) => [`c${i}`, weight])));
const planned = divided({
  weightPreference: { staticWeightList: [{ targetCluster: {}, weight: 1, priority: 1, maxReplicas: 20 }] },
});
const inTwo: SpreadConstraint[] = [{ spreadByField: 'region', minGroups: 2 }];

/** What an inherited policy with these constraints makes of the placement. */
function bound(placement: Placement, spreadConstraints: SpreadConstraint[]): Placement {
  const bounds = boundsOf([boundOf('root/spread', { spreadConstraints }, undefined)]);
  return withinBounds(placement, bounds) ?? {};
}

/** `c0/r1:room` */
const cells = (text: string): CellInfo[] =>
  text.split(' ').map((part) => {
    const [where = '', room] = part.split(':');
    const [name = '', region = ''] = where.split('/');
    return cell(name, { region, free: room === undefined ? undefined : new Map([['pods', Number(room)]]) });
  });
const place = (text: string, replicas: number, placement: Placement, more: Partial<DecisionInput> = {}) =>
  decide(inputOf(snapshotOf(...cells(text)), { template: template({ replicas }), ...more }), placement);

const rows: [
  rule: string,
  cells: string,
  replicas: number,
  Placement,
  previous: string,
  want: string,
  string,
][] = [
  [
    'a project’s own minGroups is about cells, as with Karmada, and the decision says so',
    'c0/r1:10 c1/r2:9',
    4,
    { ...aggregated, spreadConstraints: inTwo },
    '',
    'c0:4',
    'replicas in 1 of at least 2 groups by region: the division takes no more',
  ],
  ['aggregated', 'c0/r1:10 c1/r2:9', 4, bound(aggregated, inTwo), '', 'c0:3 c1:1', ''],
  ['dynamic weights', 'c0/r1:90 c1/r2:2', 4, bound(dynamic, inTwo), '', 'c0:3 c1:1', ''],
  ['static weights', 'c0/r1 c1/r2', 4, bound(weighted(90, 1), inTwo), '', 'c0:3 c1:1', ''],
  ['KubeFed’s planner', 'c0/r1 c1/r1 c2/r2', 2, bound(planned, inTwo), '', 'c0:1 c2:1', ''],
  ['what is placed already', 'c0/r1:10 c1/r2:9', 4, bound(aggregated, inTwo), 'c0:4', 'c0:3 c1:1', ''],
  ['scaled down', 'c0/r1:10 c1/r2:9', 3, bound(aggregated, inTwo), 'c0:4 c1:1', 'c0:2 c1:1', ''],
  [
    'as many as there are replicas',
    'c0/r1:10 c1/r2:9',
    1,
    bound(aggregated, inTwo),
    '',
    'c0:1',
    'replicas in 1 of at least 2 groups by region: there are 1',
  ],
  [
    'as far as there is room',
    'c0/r1:10 c1/r2:0',
    4,
    bound(aggregated, inTwo),
    '',
    'c0:4',
    'replicas in 1 of at least 2 groups by region: the others have no room',
  ],
  [
    'a cell with room before one without',
    'c0/r1:9 c1/r2:0 c2/r2:1',
    4,
    bound(aggregated, inTwo),
    '',
    'c0:3 c2:1',
    '',
  ],
  [
    'cells',
    'c0/r1:10 c1/r1:9 c2/r1:1',
    4,
    bound(aggregated, [{ spreadByField: 'cluster', minGroups: 3 }]),
    '',
    'c0:2 c1:1 c2:1',
    '',
  ],
];
for (const [rule, where, replicas, placement, previous, want, says] of rows) {
  test(`groups are filled: ${rule}`, () => {
    const decision = place(where, replicas, placement, { previous: targets(previous) });
    assert.equal(show(decision.targets), want);
    if (says === '') assert.doesNotMatch(decision.message, /replicas in/);
    else assert.ok(decision.message.endsWith(says), decision.message);
  });
}

test('groups are filled: an overflow tier where the first has one group alone', () => {
  const placement = bound(
    {
      ...aggregated,
      clusterAffinities: [
        { affinityName: 'x', clusterNames: ['c0'], overflowAffinities: [{ clusterNames: ['c1'] }] },
      ],
    },
    inTwo,
  );
  assert.equal(show(place('c0/r1:10 c1/r2:9', 4, placement).targets), 'c0:3 c1:1');
});

test('groups are filled within what maxSkew lets differ', () => {
  const skewed = [{ spreadByField: 'region', minGroups: 2, maxSkew: 2 }];
  assert.equal(show(place('c0/r1:90 c1/r2:9', 6, bound(dynamic, skewed)).targets), 'c0:4 c1:2');
});

const anyCells = fc.array(
  fc.record({
    region: fc.constantFrom('r1', 'r2', 'r3'),
    provider: fc.constantFrom('p1', 'p2'),
    pods: fc.option(fc.nat(8), { nil: undefined }),
  }),
  { minLength: 1, maxLength: 7 },
);
const divisions = [aggregated, dynamic, weighted(5, 3, 1, 1, 2, 8, 1), planned];
const asked = fc.constantFrom<SpreadConstraint[]>(
  inTwo,
  [{ spreadByField: 'region', minGroups: 3 }],
  [{ spreadByField: 'cluster', minGroups: 3 }],
);
const world = (specs: readonly { region: string; provider: string; pods: number | undefined }[]) =>
  snapshotOf(
    ...specs.map(({ region, provider, pods }, i) =>
      cell(`c${i}`, {
        region,
        provider,
        free: pods === undefined ? undefined : new Map([['pods', pods]]),
      }),
    ),
  );
/** What is placed takes up its room. */
function taking(snapshot: CellSnapshot, placed: Decision | undefined): CellSnapshot {
  const shares = placed === undefined ? new Map<string, number>() : sharesOf(placed);
  return snapshotOf(
    ...snapshot.cells.map((one) => {
      const pods = one.free?.get('pods');
      if (pods === undefined) return one;
      return { ...one, free: new Map([['pods', pods - (shares.get(one.name) ?? 0)]]) };
    }),
  );
}
const sharesOf = ({ targets: list }: Decision) =>
  new Map(list.map(({ name, replicas = 0 }) => [name, replicas] as const));
const sum = (values: Iterable<number>): number => [...values].reduce((total, one) => total + one, 0);

test('properties: as many groups are filled as there can be, within sum and room, and equally each time', () => {
  fc.assert(
    fc.property(
      anyCells,
      fc.constantFrom(...divisions),
      asked,
      fc.integer({ min: 1, max: 12 }),
      fc.string(),
      (specs, division, constraints, replicas, uid) => {
        const placement = bound(division, constraints);
        const snapshot = world(specs);
        const input = inputOf(snapshot, { template: template({ replicas, uid }) });
        const decision = decide(input, placement);
        if (decision.outcome !== 'Scheduled') return;
        assert.deepEqual(outcomeOf(decide(input, placement)), outcomeOf(decision));
        const settled = { ...input, snapshot: taking(snapshot, decision), previous: decision.targets };
        const again = decide(settled, placement);
        assert.deepEqual(again.targets, decision.targets);
        const shares = sharesOf(decision);
        assert.equal(sum(shares.values()), replicas);
        const [{ spreadByField, minGroups = 0 } = {}] = constraints;
        const groupOf = (name: string): string => {
          const found = snapshot.cells.find((one) => one.name === name);
          return spreadByField === 'cluster' ? name : (found?.region ?? '');
        };
        const isStatic = division === divisions[2];
        const roomy = snapshot.cells.filter(({ free }) => isStatic || (free?.get('pods') ?? 99) > 0);
        const most = Math.min(minGroups, replicas, new Set(roomy.map(({ name }) => groupOf(name))).size);
        const filled = new Set([...shares.keys()].map(groupOf)).size;
        assert.ok(filled >= most, `${filled} of ${most}: ${show(decision.targets)}`);
        for (const { name, free } of isStatic ? [] : snapshot.cells)
          assert.ok((shares.get(name) ?? 0) <= (free?.get('pods') ?? 99), name);
        assert.equal(decision.message.includes('replicas in'), filled < minGroups);
      },
    ),
    { numRuns: 500 },
  );
});

test('properties: another replica moves none, with several things to be spread over', () => {
  const twofold: SpreadConstraint[] = [...inTwo, { spreadByField: 'provider', minGroups: 2 }];
  fc.assert(
    fc.property(
      anyCells,
      fc.constantFrom(...divisions.slice(0, 3)),
      fc.oneof(asked, fc.constant(twofold)),
      fc.integer({ min: 1, max: 12 }),
      fc.string(),
      (specs, division, constraints, replicas, uid) => {
        const placement = bound(division, constraints);
        const snapshot = world(specs);
        const of = (count: number, previous: Decision | undefined): Decision => {
          const input = inputOf(taking(snapshot, previous), {
            template: template({ replicas: count, uid }),
            previous: previous?.targets ?? [],
          });
          return decide(input, placement);
        };
        let before = of(replicas, undefined);
        for (let count = replicas + 1; count <= replicas + 4; count++) {
          const more = of(count, before);
          if (before.outcome !== 'Scheduled' || more.outcome !== 'Scheduled') return;
          const grown = sharesOf(more);
          for (const [name, share] of sharesOf(before))
            assert.ok((grown.get(name) ?? 0) >= share, `${show(before.targets)} → ${show(more.targets)}`);
          before = more;
        }
      },
    ),
    { numRuns: 500 },
  );
});
