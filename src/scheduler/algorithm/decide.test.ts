import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Placement } from '#api/policy/placement.ts';
import type { CellInfo } from './cell.ts';
import { decide } from './decide.ts';
import { cell, free, inputOf, show, snapshotOf, targets, template } from './testing/cells.ts';
import { aggregated, divided, dynamic, equally, oneOf, staticWeights } from './testing/placements.ts';

interface Row {
  readonly rule: string;
  readonly cells: CellInfo[];
  readonly placement: Placement;
  readonly replicas?: number | undefined;
  readonly previous?: string;
  readonly want: string;
  readonly outcome?: string;
  readonly refusals?: string;
}

const abc = [cell('a'), cell('b'), cell('c')];
const rows: Row[] = [
  {
    rule: 'of cells with equal points the roomiest, whatever divides (PLACEMENT.md 2, Selection)',
    cells: [cell('a', free(3)), cell('b', free(9)), cell('c', free(6))],
    placement: oneOf,
    replicas: 2,
    want: 'b:2',
    refusals: 'MaxGroupsReached - MaxGroupsReached',
  },
  {
    rule: 'the room of its own replicas counts',
    cells: [cell('a', free(3)), cell('b', free(5))],
    placement: { ...oneOf, ...staticWeights({ a: 1, b: 1 }) },
    replicas: 4,
    previous: 'a:4',
    want: 'a:4',
    refusals: '- MaxGroupsReached',
  },
  {
    rule: 'duplicated: all cells get all replicas',
    cells: abc,
    placement: {},
    replicas: 3,
    want: 'a:3 b:3 c:3',
  },
  { rule: 'no replicas: all cells', cells: abc, placement: dynamic, replicas: undefined, want: 'a b c' },
  {
    rule: 'static 1:3 over 9',
    cells: [cell('a'), cell('b')],
    placement: staticWeights({ a: 1, b: 3 }),
    replicas: 9,
    want: 'a:2 b:7',
  },
  {
    rule: 'static 2:1:1:1 over 7',
    cells: [...abc, cell('d')],
    placement: staticWeights({ a: 2, b: 1, c: 1, d: 1 }),
    replicas: 7,
    want: 'a:3 b:2 c:1 d:1',
  },
  {
    rule: 'static 5:3:1 over 10',
    cells: abc,
    placement: staticWeights({ a: 5, b: 3, c: 1 }),
    replicas: 10,
    want: 'a:6 b:3 c:1',
  },
  {
    rule: 'equal weights 2 over three: the cell with none is dropped',
    cells: abc,
    placement: equally,
    replicas: 2,
    want: 'a:1 b:1',
    refusals: '- - NoReplicasLeft',
  },
  {
    rule: 'weights of the cells where the policy gives none',
    cells: [cell('a'), cell('b', { weight: 3 }), cell('c', { weight: 0 })],
    placement: equally,
    replicas: 9,
    want: 'a:2 b:7',
    refusals: '- - NoWeight',
  },
  {
    rule: 'weights of the cells where none of the policy’s names one',
    cells: [cell('a'), cell('b', { weight: 3 })],
    placement: staticWeights({ z: 5 }),
    replicas: 9,
    want: 'a:2 b:7',
  },
  {
    rule: 'weights of the policy alone where one of them names a cell',
    cells: [cell('a', { weight: 9 }), cell('b', { weight: 3 })],
    placement: staticWeights({ a: 1, b: 2 }),
    replicas: 3,
    want: 'a:1 b:2',
  },
  {
    rule: 'cells that all weigh nothing weigh alike',
    cells: [cell('a', { weight: 0 }), cell('b', { weight: 0 })],
    placement: equally,
    replicas: 4,
    want: 'a:2 b:2',
  },
  {
    rule: 'weights of the cells say nothing where room does',
    cells: [cell('a', { weight: 9 }), cell('b')],
    placement: dynamic,
    replicas: 4,
    want: 'a:2 b:2',
  },
  {
    rule: 'static: unmatched cells get nothing',
    cells: abc,
    placement: staticWeights({ b: 1 }),
    replicas: 4,
    want: 'b:4',
    refusals: 'NoWeight - NoWeight',
  },
  {
    rule: 'static: when none match all weigh 1',
    cells: [cell('a'), cell('b')],
    placement: staticWeights({ x: 5 }),
    replicas: 4,
    want: 'a:2 b:2',
  },
  {
    rule: 'static: the highest matching rule counts',
    cells: [cell('a'), cell('b')],
    placement: divided({
      replicaDivisionPreference: 'Weighted',
      weightPreference: {
        staticWeightList: [
          { targetCluster: {}, weight: 1 },
          { targetCluster: { clusterNames: ['b'] }, weight: 3 },
        ],
      },
    }),
    replicas: 4,
    want: 'a:1 b:3',
  },
  {
    rule: 'aggregated 12 over 10/8/5 splits in proportion inside the shortest prefix',
    cells: [cell('a', free(10)), cell('b', free(8)), cell('c', free(5))],
    placement: aggregated,
    replicas: 12,
    want: 'a:7 b:5',
  },
  {
    rule: 'aggregated prefers cells in use on scale-up',
    cells: [cell('a', free(10)), cell('b', free(8)), cell('c', free(5))],
    placement: aggregated,
    replicas: 6,
    previous: 'c:2',
    want: 'c:6',
  },
  {
    rule: 'aggregated scale down 6/5/4 to 8',
    cells: abc,
    placement: aggregated,
    replicas: 8,
    previous: 'a:6 b:5 c:4',
    want: 'a:4 b:4',
  },
  {
    rule: 'dynamic scale down 6/5/4 to 8',
    cells: abc,
    placement: dynamic,
    replicas: 8,
    previous: 'a:6 b:5 c:4',
    want: 'a:3 b:3 c:2',
  },
  {
    rule: 'dynamic: equal to desired stays as it is',
    cells: [cell('a', free(0)), cell('b', free(100))],
    placement: dynamic,
    replicas: 5,
    previous: 'a:5',
    want: 'a:5',
  },
  {
    rule: 'dynamic: only the difference is shared out, by what is free',
    cells: [cell('a', free(1)), cell('b', free(9))],
    placement: dynamic,
    replicas: 15,
    previous: 'a:5',
    want: 'a:6 b:9',
  },
  {
    rule: 'dynamic: too little room places nothing new',
    cells: [cell('a', free(1)), cell('b', free(2))],
    placement: dynamic,
    replicas: 9,
    previous: 'a:2',
    want: 'a:2',
    outcome: 'Unschedulable',
    refusals: '- NoCapacity',
  },
  {
    rule: 'dynamic: cells that tell no capacity weigh the same',
    cells: [cell('a'), cell('b')],
    placement: dynamic,
    replicas: 4,
    want: 'a:2 b:2',
  },
  {
    rule: 'scaled to zero rests where it was',
    cells: abc,
    placement: dynamic,
    replicas: 0,
    previous: 'b:3',
    want: 'b:0',
  },
  {
    rule: 'zero from the start is shown everywhere',
    cells: abc,
    placement: dynamic,
    replicas: 0,
    want: 'a:0 b:0 c:0',
  },
  {
    rule: 'clusterNames and exclude',
    cells: abc,
    placement: { clusterAffinity: { clusterNames: ['a', 'b'], exclude: ['b'] } },
    want: 'a:1',
    refusals: '- AffinityNotMatched AffinityNotMatched',
  },
  {
    rule: 'labels and fields',
    cells: [
      cell('a', { labels: { tier: 'edge' }, region: 'eu', zones: ['z1', 'z2'] }),
      cell('b', { labels: { tier: 'edge' }, region: 'us', zones: ['z1'] }),
      cell('c', { labels: { tier: 'core' }, region: 'eu', zones: ['z1'] }),
    ],
    placement: {
      clusterAffinity: {
        labelSelector: { matchLabels: { tier: 'edge' } },
        fieldSelector: { matchExpressions: [{ key: 'region', operator: 'In', values: ['eu'] }] },
      },
    },
    want: 'a:1',
  },
  {
    rule: 'zone In needs all zones, NotIn none',
    cells: [cell('a', { zones: ['z1', 'z2'] }), cell('b', { zones: ['z1'] }), cell('c')],
    placement: {
      clusterAffinity: {
        fieldSelector: { matchExpressions: [{ key: 'zone', operator: 'In', values: ['z1'] }] },
      },
    },
    want: 'b:1',
  },
  {
    rule: 'no cell fits: nothing stays',
    cells: abc,
    placement: { clusterAffinity: { clusterNames: ['x'] } },
    previous: 'a:1',
    want: '',
    outcome: 'NoClusterFit',
  },
  {
    rule: 'taint NoSchedule keeps new work away, not what is there',
    cells: ['a', 'b'].map((name) =>
      cell(name, { taints: [{ key: 'k', value: 'v', effect: 'NoSchedule', timeAddedMs: undefined }] }),
    ),
    placement: {},
    previous: 'a:1',
    want: 'a:1',
    refusals: '- TaintNotTolerated',
  },
  {
    rule: 'taint NoExecute evicts',
    cells: [
      cell('a', { taints: [{ key: 'k', value: 'v', effect: 'NoExecute', timeAddedMs: undefined }] }),
      cell('b'),
    ],
    placement: {},
    previous: 'a:1 b:1',
    want: 'b:1',
    refusals: 'TaintNotTolerated -',
  },
  {
    rule: 'tolerated taints do not count',
    cells: [cell('a', { taints: [{ key: 'k', value: 'v', effect: 'NoExecute', timeAddedMs: undefined }] })],
    placement: { clusterTolerations: [{ key: 'k', operator: 'Exists' }] },
    want: 'a:1',
  },
  {
    rule: 'an unready cell gets nothing new and keeps what it has',
    cells: [cell('a', { ready: false }), cell('b', { ready: false }), cell('c')],
    placement: {},
    previous: 'a:1',
    want: 'a:1 c:1',
    refusals: '- CellNotReady -',
  },
  {
    rule: 'maxGroups prefers cells in use, then names',
    cells: abc,
    placement: { spreadConstraints: [{ spreadByField: 'cluster', minGroups: 1, maxGroups: 2 }] },
    previous: 'c:1',
    want: 'a:1 c:1',
    refusals: '- MaxGroupsReached -',
  },
  {
    rule: 'minGroups unmet',
    cells: abc,
    placement: { spreadConstraints: [{ spreadByField: 'cluster', minGroups: 4 }] },
    previous: 'a:1',
    want: 'a:1',
    outcome: 'Unschedulable',
  },
  {
    rule: 'maxGroups exchanges the lowest-ranked for a roomy outsider',
    cells: [
      cell('a', free(2)),
      cell('b', {
        ...free(5),
        taints: [{ key: 'k', value: '', effect: 'PreferNoSchedule', timeAddedMs: undefined }],
      }),
    ],
    placement: { ...dynamic, ...oneOf },
    replicas: 4,
    want: 'b:4',
  },
  {
    rule: 'maxGroups: a cell in use is not exchanged',
    cells: [cell('a', free(2)), cell('b', free(9))],
    placement: { ...dynamic, ...oneOf },
    replicas: 4,
    previous: 'a:1',
    want: 'a:1',
    outcome: 'Unschedulable',
  },
  {
    rule: 'an affinity that excludes what is placed takes it away when there is room in what it names',
    cells: [cell('a', free(9)), cell('b', free(9))],
    placement: { ...dynamic, clusterAffinity: { clusterNames: ['b'] } },
    replicas: 4,
    previous: 'a:4',
    want: 'b:4',
    refusals: 'AffinityNotMatched -',
  },
  {
    rule: 'an affinity that excludes what is placed leaves it while there is no room in what it names',
    cells: [cell('a', free(9)), cell('b', free(1))],
    placement: { ...dynamic, clusterAffinity: { clusterNames: ['b'] } },
    replicas: 5,
    previous: 'a:3 b:2',
    want: 'a:3 b:2',
    outcome: 'Unschedulable',
    refusals: '- -',
  },
  {
    rule: 'a spread that cannot be kept takes nothing away, though the affinity excludes some of it',
    cells: abc,
    placement: {
      clusterAffinity: { clusterNames: ['b'] },
      spreadConstraints: [{ spreadByField: 'cluster', minGroups: 2 }],
    },
    previous: 'a:1',
    want: 'a:1',
    outcome: 'Unschedulable',
    refusals: '- - AffinityNotMatched',
  },
  {
    rule: 'an affinity whose cells are unwell takes nothing away',
    cells: [cell('a'), cell('b', { ready: false }), cell('c', { suspended: true })],
    placement: { clusterAffinity: { clusterNames: ['b', 'c'] } },
    previous: 'a:1',
    want: 'a:1',
    outcome: 'NoClusterFit',
    refusals: '- CellNotReady CellSuspended',
  },
  {
    rule: 'an affinity whose cells may never take it leaves nothing',
    cells: [
      cell('a'),
      cell('b', { ready: false, admitsProject: () => false }),
      cell('c', { deleting: true }),
    ],
    placement: { clusterAffinity: { clusterNames: ['b', 'c'] } },
    previous: 'a:1',
    want: '',
    outcome: 'NoClusterFit',
    refusals: 'AffinityNotMatched ProjectNotAdmitted CellDeleting',
  },
  {
    rule: 'what the affinity excludes and the platform admits no more does not stay',
    cells: [cell('a', { admitsProject: () => false }), cell('b', free(1))],
    placement: { ...dynamic, clusterAffinity: { clusterNames: ['b'] } },
    replicas: 4,
    previous: 'a:4',
    want: '',
    outcome: 'Unschedulable',
    refusals: 'AffinityNotMatched NoCapacity',
  },
  {
    rule: 'affinity groups: a first one that names no cell takes nothing away while another lacks room',
    cells: [cell('a', free(9)), cell('b', free(1))],
    placement: {
      ...dynamic,
      clusterAffinities: [
        { affinityName: 'one', clusterNames: ['x'] },
        { affinityName: 'two', clusterNames: ['b'] },
      ],
    },
    replicas: 4,
    previous: 'a:4',
    want: 'a:4',
    outcome: 'Unschedulable',
  },
  {
    rule: 'affinity groups: the first that fits',
    cells: abc,
    placement: {
      clusterAffinities: [
        { affinityName: 'one', clusterNames: ['x'] },
        { affinityName: 'two', clusterNames: ['b'] },
      ],
    },
    want: 'b:1',
  },
  {
    rule: 'kinds with authority need allowance, also where they are',
    cells: [cell('a', { allows: () => true }), cell('b')],
    placement: {},
    previous: 'b:1',
    want: 'a:1',
    refusals: '- KindNotAllowed',
  },
];

for (const row of rows) {
  test(`decide: ${row.rule}`, () => {
    const replicas = 'replicas' in row ? row.replicas : 1;
    const privileged = row.rule.startsWith('kinds with authority');
    const decision = decide(
      inputOf(snapshotOf(...row.cells), {
        template: template({ replicas, privileged }),
        previous: targets(row.previous ?? ''),
      }),
      row.placement,
    );
    assert.equal(show(decision.targets), row.want);
    assert.equal(decision.outcome, row.outcome ?? 'Scheduled', decision.message);
    if (row.refusals !== undefined) {
      assert.equal(decision.refusals.map((code) => code ?? '-').join(' '), row.refusals);
    }
  });
}

test('a custom kind needs a cell that lets its group in; a served kind one that serves it', () => {
  const cells = [
    cell('a', { served: new Set(['apps/v1/Deployment']), bringsGroup: (group) => group === 'example.com' }),
    cell('b', { served: new Set(['example.com/v1/Thing']) }),
    cell('c'),
  ];
  const thing = template({
    group: 'example.com',
    kind: 'Thing',
    resource: 'things',
    replicas: undefined,
    custom: true,
  });
  assert.equal(show(decide(inputOf(snapshotOf(...cells), { template: thing }), {}).targets), 'a b');
  const deployment = template({ replicas: undefined });
  assert.equal(show(decide(inputOf(snapshotOf(...cells), { template: deployment }), {}).targets), 'a c');
  const held = inputOf(snapshotOf(...cells), { template: deployment, previous: targets('b') });
  assert.equal(show(decide(held, {}).targets), 'a b c');
  // A syncer writes it in an older version (decision 186).
  const hpa = { group: 'autoscaling', version: 'v2', kind: 'HorizontalPodAutoscaler' };
  const scaler = template({ ...hpa, resource: 'horizontalpodautoscalers', replicas: undefined });
  const older = ['v2beta1', 'v2beta2', 'v1'].map((version) =>
    cell(version, { served: new Set([`autoscaling/${version}/${hpa.kind}`]) }),
  );
  assert.equal(show(decide(inputOf(snapshotOf(...older), { template: scaler }), {}).targets), 'v1 v2beta2');
});

test('a toleration with seconds runs out, and says when', () => {
  const taint = { key: 'k', value: '', effect: 'NoExecute', timeAddedMs: 1_000_000 };
  const snapshot = snapshotOf(cell('a', { taints: [taint] }));
  const placement: Placement = { clusterTolerations: [{ operator: 'Exists', tolerationSeconds: 60 }] };
  const before = decide(inputOf(snapshot, { nowMs: 1_059_999 }), placement);
  assert.equal(show(before.targets), 'a:1');
  assert.equal(before.recheckAtMs, 1_060_000);
  assert.equal(decide(inputOf(snapshot, { nowMs: 1_060_000 }), placement).outcome, 'NoClusterFit');
});

test('affinity groups are sticky', () => {
  const placement: Placement = {
    clusterAffinities: [
      { affinityName: 'one', clusterNames: ['a'] },
      { affinityName: 'two', clusterNames: ['b'] },
    ],
  };
  const second = decide(
    inputOf(snapshotOf(...abc), { previousAffinity: 'two', previous: targets('b:1') }),
    placement,
  );
  assert.equal(second.affinity, 'two');
  assert.equal(show(second.targets), 'b:1');
});
