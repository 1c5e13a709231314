import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cell } from '#api/federation/cell.ts';
import { copyAnnotations, definitionAnnotations, syncAnnotations } from '#api/federation/copy-contract.ts';
import type { Placement } from '#api/policy/placement.ts';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import { deployment, widgetCrd } from '../testing/objects.ts';
import { type ExplainInput, explain } from './explain.ts';
import { parseAssumption } from './what-if.ts';

const cell = (name: string, spec: Cell['spec'] = {}): Cell => ({
  apiVersion: 'federation.cellplane.io/v1alpha1',
  kind: 'Cell',
  metadata: { name },
  spec,
});
const copy = (cellName: string, annotations: { [key: string]: string }, more = {}) => ({
  cell: cellName,
  metadata: { name: 'web', annotations: { [copyAnnotations.contentHash]: 'h', ...annotations }, ...more },
});
const binding: ResourceBinding = {
  apiVersion: 'work.karmada.io/v1alpha2',
  kind: 'ResourceBinding',
  metadata: { name: 'web' },
  spec: {
    resource: {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      resource: 'deployments',
      namespace: 'default',
      name: 'web',
    },
    clusters: ['a', 'b', 'c', 'd'].map((name) => ({ name, replicas: 2 })),
    policy: { kind: 'PropagationPolicy', name: 'p' },
  },
  status: {
    conditions: [{ type: 'Scheduled', status: 'True', message: 'placed in 4 cells' }],
    refusals: [{ code: 'CellNotReady', count: 1, examples: ['x'] }],
    aggregatedStatus: [{ clusterName: 'a', applied: true, health: 'Healthy' }],
  },
};
const input: ExplainInput = {
  binding,
  cells: [...'abcdxyz'].map((name) =>
    cell(
      name,
      name === 'x'
        ? { suspend: true }
        : name === 'y'
          ? { projects: ['root:other'] }
          : name === 'z'
            ? { taints: [{ key: 'k', effect: 'NoSchedule' }] }
            : {},
    ),
  ),
  copies: [
    copy('a', { [syncAnnotations.syncedHash]: 'h' }),
    copy('b', { [syncAnnotations.syncedHash]: 'old' }),
    copy('c', { [syncAnnotations.syncError]: '{"reason":"Forbidden","message":"no"}' }),
    copy('z', {}, { deletionTimestamp: '2026-01-01T00:00:00Z' }),
  ],
  project: { id: 'p', path: 'root:p' },
  nowMs: 0,
};

test('each cell: chosen or why not, and how far its copy is', () => {
  const found = explain({
    ...input,
    template: { object: deployment('web', 2), policy: {}, custom: false, scalable: true },
  });
  assert.equal(found.policy, 'PropagationPolicy p');
  assert.deepEqual(
    found.cells.map(({ cell: name, chosen, sync, reason }) => [name, chosen, sync, reason ?? '']),
    [
      ['a', true, 'Synced', ''],
      ['b', true, 'Pending', ''],
      ['c', true, 'Failed', ''],
      ['d', true, 'Missing', ''],
      ['x', false, 'None', 'CellSuspended'],
      ['y', false, 'None', 'ProjectNotAdmitted'],
      ['z', false, 'Withdrawing', 'TaintNotTolerated'],
    ],
  );
  assert.equal(found.cells[2]?.message, 'Forbidden: no');
  assert.equal(found.cells[0]?.health, 'Healthy');
});

test('a withdrawal that is held says so, rather than that the edge is waited for', () => {
  const messageOf = (annotations: { [name: string]: string }) => {
    const copies = [copy('a', annotations, { deletionTimestamp: '2026-01-01T00:00:00Z' })];
    const { cells } = explain({
      ...input,
      copies,
      template: { object: deployment('web', 2), policy: {}, custom: false, scalable: true },
    });
    return cells.find(({ cell: name }) => name === 'a')?.message ?? '';
  };
  const error = (reason: string) => ({
    [syncAnnotations.syncError]: JSON.stringify({ reason, message: 'the budget is spent' }),
  });
  assert.match(messageOf(error('DeletionHeld')), /DeletionHeld: the budget is spent; the condition/);
  assert.match(messageOf(error('Forbidden')), /waits for the edge/, 'what was wrong before it was to go');
});

test('a copy that stays until the object is well elsewhere, and cells that are left as they are', () => {
  const task = {
    fromCluster: 'z',
    reason: 'TaintUntolerated',
    purgeMode: 'Gracefully',
    creationTimestamp: '2026-01-01T00:00:00Z',
  } as const;
  const told = (
    more: Partial<ExplainInput>,
    policy: NonNullable<ExplainInput['template']>['policy'] = {},
  ) => {
    const { cells } = explain({
      ...input,
      copies: [
        copy('a', { [syncAnnotations.syncedHash]: 'h' }),
        copy('z', { [syncAnnotations.syncedHash]: 'h' }),
      ],
      ...more,
      template: { object: deployment('web', 2), policy, custom: false, scalable: true },
    });
    return new Map(cells.map(({ cell: name, sync, message }) => [name, `${sync}: ${message}`]));
  };
  const leaving = { ...binding, spec: { ...binding.spec, gracefulEvictionTasks: [{ ...task }] } };
  const stays =
    'its copy stays until the object is healthy elsewhere, at the latest until 2026-01-01T00:10:00Z';
  assert.equal(
    told({ binding: leaving }).get('z'),
    `Leaving: the cell has a taint that the policy does not tolerate: k:NoSchedule; ${stays}`,
  );
  const suspension = { dispatchingOnClusters: { clusterNames: ['a', 'x'] } };
  const suspended = told({}, { suspension });
  assert.equal(suspended.get('a'), 'Suspended: dispatching is suspended: it is left as it was');
  assert.match(suspended.get('b') ?? '', /^Missing/);
  assert.match(suspended.get('x') ?? '', /^None/);
  const everywhere = told({}, { suspension: { dispatching: true } });
  assert.match(everywhere.get('b') ?? '', /^Suspended/);
});

test('without the object the examples that the binding keeps are told', () => {
  const found = explain(input);
  assert.deepEqual(
    found.cells.filter(({ reason }) => reason !== undefined).map(({ cell: name, reason }) => [name, reason]),
    [['x', 'CellNotReady']],
  );
});

test('what if: other cells, other replicas, and nothing is done', () => {
  const placement = {
    replicaScheduling: { replicaSchedulingType: 'Divided', replicaDivisionPreference: 'Aggregated' },
  } as const;
  const template = { object: deployment('web', 8), policy: { placement }, custom: false, scalable: true };
  const ask = (replicas: number | undefined, ...texts: string[]) => {
    const whatIf = { assumptions: texts.map(parseAssumption), replicas };
    const found = explain({
      ...input,
      cells: input.cells.filter(({ metadata }) => 'abcd'.includes(metadata.name ?? '')),
      template,
      whatIf,
    });
    return found.whatIf?.cells.map(({ cell: name, now, would, reason }) =>
      `${name} ${now} ${would} ${reason ?? ''}`.trim(),
    );
  };
  assert.deepEqual(ask(undefined, 'cell/a=down'), ['a 2 false TaintNotTolerated', 'b 2 4', 'c 2 2', 'd 2 2']);
  assert.deepEqual(ask(4), ['a 2 2', 'b 2 2', 'c 2 false NoReplicasLeft', 'd 2 false NoReplicasLeft']);
  assert.deepEqual(ask(undefined, 'cell/a=gone', 'cell/b.labels.x=y')?.[0], 'a 2 false');
  assert.throws(() => ask(undefined, 'cell/q=down'), /there is no such cell/);
  for (const text of ['a=down', 'cell/a=tired', 'cell/a.capacity=1'])
    assert.throws(() => parseAssumption(text), RangeError);
});

test('what if is decided as the scheduler decides: failover, what holds it back, groups, followers', () => {
  const cells = ['a', 'b'].map((name) => cell(name));
  const base = { object: deployment('web', 2), custom: false, scalable: true };
  const web = { ...binding, spec: { ...binding.spec, clusters: [{ name: 'a', replicas: 2 }] } };
  const ask = (
    assumption: string,
    template: Omit<NonNullable<ExplainInput['template']>, 'object' | 'custom' | 'scalable'>,
    bound: ResourceBinding = web,
  ) => {
    const whatIf = { assumptions: [parseAssumption(assumption)], replicas: undefined };
    const found = explain({
      ...input,
      cells,
      copies: [],
      binding: bound,
      nowMs: Date.parse('2025-12-01T00:00:00Z'),
      whatIf,
      template: { ...base, ...template },
    });
    const then = found.whatIf?.cells.filter(({ would }) => would !== false).map(({ cell: name }) => name);
    return `${then?.join()}: ${found.whatIf?.message}`;
  };
  const onlyA = { clusterAffinity: { clusterNames: ['a'] } };
  // Without another place it stays.
  assert.match(ask('cell/a=down', { policy: { placement: onlyA } }), /^a: .*it stays where it is/);
  assert.match(ask('cell/a=down', { policy: { failover: { cluster: { purgeMode: 'Directly' } } } }), /^b: /);
  // What tolerates a taint for a time has left when that is over.
  const clusterTolerations = [{ operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 60 }];
  assert.match(ask('cell/a=drained', { policy: { placement: { clusterTolerations } } }), /^b: /);
  const suspension = { scheduling: true };
  assert.equal(ask('cell/a=down', { policy: { suspension } }), 'a: the policy suspends scheduling');
  assert.match(
    ask('cell/a=down', { policy: { schedulerName: 'x' }, isProfileMissing: true }),
    /^a: waits for the SchedulingProfile x/,
  );
  assert.match(
    ask('cell/a=down', { policy: {}, missingPriorityClass: 'gold' }),
    /^a: waits for the PriorityClass gold/,
  );
  assert.match(
    ask('cell/a=down', { policy: {}, missingOverrides: ['o'] }),
    /^a: waits for the override policies o/,
  );
  const peers = { affinity: undefined, antiAffinity: new Set(['b']) };
  assert.match(ask('cell/a=down', { policy: {}, peers }), /^a: /);
  // It avoids the cell where it failed.
  const avoid = [{ cluster: 'b', until: '2026-01-01T00:00:00Z' }];
  assert.match(
    ask('cell/a=down', { policy: {} }, { ...web, status: { failover: { avoid } } }),
    /^a: .*it stays where it is/,
  );
  const { policy: _none, ...followed } = web.spec;
  const requiredBy = [
    { name: 'x', resource: 'deployments.apps', resourceName: 'x', clusters: [{ name: 'b' }] },
  ];
  const follower = { ...web, spec: { ...followed, clusters: [], requiredBy } };
  assert.equal(ask('cell/a=down', { policy: undefined }, follower), 'b: follows 1 objects that need it');
});

test('each cell that passed tells its points and its room', () => {
  const found = explain({
    ...input,
    template: { object: deployment('web', 2), policy: {}, custom: false, scalable: true },
  });
  const [first] = found.cells;
  assert.deepEqual(first?.scores, { Stickiness: 100, SoftTaints: 50 });
});

test('a definition: what each cell made of it, though it has no copies', () => {
  const crd = widgetCrd('integer');
  const resource = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    resource: 'customresourcedefinitions',
    name: 'widgets.example.com',
  };
  const brings = { apis: { groups: ['example.com'] } };
  const served = {
    ...cell('served', { apis: { groups: ['other.org'] } }),
    status: {
      apiEnablements: [{ groupVersion: 'example.com/v1', resources: [{ name: 'widgets', kind: 'Widget' }] }],
    },
  };
  const conflict = 'the cell has the definition of another project, which has objects there, and …';
  const told = explain({
    binding: {
      ...binding,
      spec: { ...binding.spec, resource, clusters: ['a', 'b', 'c'].map((name) => ({ name })) },
      status: {
        aggregatedStatus: [
          { clusterName: 'a', applied: true, health: 'Healthy' },
          { clusterName: 'b', applied: false, health: 'Unknown', appliedMessage: conflict },
        ],
      },
    },
    cells: [
      cell('a', brings),
      cell('b', brings),
      cell('c', brings),
      cell('d', { apis: { groups: ['other.org'] } }),
      served,
    ],
    copies: [
      copy('a', { [syncAnnotations.syncedHash]: 'h' }),
      copy('b', { [definitionAnnotations.definedByPath]: 'root:other' }),
      copy('d', { [syncAnnotations.syncedHash]: 'h' }),
    ],
    project: { id: 'p', path: 'root:shop' },
    nowMs: 0,
    template: { object: crd, policy: {}, custom: false, scalable: false },
  });
  const why = (name: string) => {
    const one = told.cells.find((each) => each.cell === name);
    return [one?.sync, one?.reason, one?.message];
  };
  assert.deepEqual(why('a'), ['Synced', undefined, '']);
  assert.deepEqual(why('b'), ['Failed', undefined, `${conflict} (the cell's follows that of root:other)`]);
  assert.deepEqual(why('c'), ['Missing', undefined, 'the definition is not written yet']);
  const refused = 'the cell lets projects bring no definitions of example.com (spec.apis)';
  assert.deepEqual(why('d'), ['None', 'APINotServed', refused]);
  assert.deepEqual(why('served'), ['None', 'APINotServed', `${refused}; its edge serves the kind by itself`]);
});

test('nodes that a pod template may not use are told beside the room', () => {
  const free = { cpu: '4', pods: '100' };
  const a: Cell = {
    ...cell('a'),
    status: {
      allocatable: { cpu: '20', pods: '500' },
      allocated: {},
      nodeKinds: { kinds: [{ labels: { disk: 'ssd' } }, {}] },
      nodeRoom: [
        { nodes: 2, free, kind: 0 },
        { nodes: 3, free, kind: 1 },
      ],
    },
  };
  const containers = [{ name: 'c', image: 'c', resources: { requests: { cpu: '2' } } }];
  const object = deployment('web', 2, { containers, nodeSelector: { disk: 'ssd' } });
  const template = { object, policy: {}, custom: false, scalable: true };
  const [row] = explain({ ...input, cells: [a], copies: [], template }).cells;
  assert.equal(row?.room, 4);
  assert.match(row?.message ?? '', /3 of 5 nodes are ruled out by nodeSelector disk=ssd/);
});

test('what estimators and quotas say bounds the room, and is told', () => {
  const replicaScheduling = {
    replicaSchedulingType: 'Divided',
    replicaDivisionPreference: 'Weighted',
    weightPreference: { dynamicWeight: 'AvailableReplicas' },
  } as const;
  const web = deployment('web', 8);
  const cells = ['a', 'b', 'c'].map((name) => cell(name, { capacity: { pods: 100 } }));
  const told = (replicas?: number) =>
    explain({
      ...input,
      cells,
      copies: [],
      binding: { ...binding, spec: { ...binding.spec, clusters: [{ name: 'a', replicas: 8 }], replicas: 8 } },
      whatIf: replicas === undefined ? undefined : { assumptions: [], replicas },
      template: {
        object: web,
        policy: { placement: { replicaScheduling } },
        custom: false,
        scalable: true,
        estimates: new Map<string, number | string>([
          ['a', 3],
          ['b', 'connect ECONNREFUSED'],
        ]),
        quotas: [
          {
            apiVersion: 'policy.karmada.io/v1alpha1',
            kind: 'FederatedResourceQuota',
            metadata: { name: 'team' },
            spec: { overall: { pods: '12' }, staticAssignments: [{ clusterName: 'c', hard: { pods: '2' } }] },
            status: {
              overallUsed: { pods: '10' },
              aggregatedStatus: [{ clusterName: 'c', hard: { pods: '2' }, used: { pods: '1' } }],
            },
          },
        ],
      },
    });
  const { cells: rows, quotaRoom } = told();
  const rooms = rows.map(({ room, roomBy }) => [room, roomBy]);
  assert.deepEqual(rooms, [
    [3, 'estimator'],
    [100, undefined],
    [1, 'quota'],
  ]);
  assert.equal(quotaRoom, 2);
  assert.match(rows[1]?.message ?? '', /estimator does not answer, so its status counts \(connect ECONNREF/);
  assert.equal(told(10).whatIf?.scheduled, true);
  const over = told(11).whatIf;
  assert.equal(over?.scheduled, false);
  assert.equal(over?.message, 'FederatedResourceQuota team: pods: 11 asked for, 10 left of 12');
});

test('a cell that is not ready says why, and since when, where that matters', () => {
  const gone = (name: string, spec: NonNullable<Cell['spec']> = {}): Cell => ({
    apiVersion: 'federation.cellplane.io/v1alpha1',
    kind: 'Cell',
    metadata: { name },
    spec,
    status: {
      conditions: [
        {
          type: 'Ready',
          status: 'False',
          reason: 'EdgeUnreachable',
          message: 'connect ECONNREFUSED',
          lastTransitionTime: '2026-01-01T00:00:00Z',
        },
      ],
    },
  });
  const { cells: rows } = explain({
    ...input,
    binding: { ...binding, spec: { ...binding.spec, clusters: [{ name: 'a', replicas: 2 }] } },
    cells: [gone('a'), gone('b'), gone('c', { projects: [] }), cell('d')],
    copies: [],
    template: { object: deployment('web', 2), policy: {}, custom: false, scalable: true },
  });
  const why = 'the cell is not Ready since 2026-01-01T00:00:00Z: EdgeUnreachable: connect ECONNREFUSED';
  const messages = new Map(rows.map(({ cell: name, message }) => [name, message]));
  assert.equal(messages.get('a'), `the copy is not written yet; ${why}`);
  assert.equal(messages.get('b'), `the cell is not ready; ${why}`);
  assert.doesNotMatch(messages.get('c') ?? '', /not Ready/);
  assert.equal(messages.get('d'), '');
});

test('of several affinities the one in use is told', () => {
  assert.equal(explain(input).affinity, undefined);
  const status = { ...binding.status, schedulerObservingAffinityName: 'backup' };
  assert.equal(explain({ ...input, binding: { ...binding, status } }).affinity, 'backup');
});

test('a copy that could not be written is told with what the binding knows of it', () => {
  const failed = {
    clusterName: 'd',
    applied: false,
    health: 'Unknown' as const,
    appliedMessage: 'it may not',
  };
  const { cells } = explain({ ...input, binding: { ...binding, status: { aggregatedStatus: [failed] } } });
  const { sync, message } = cells.find(({ cell: name }) => name === 'd') ?? {};
  assert.deepEqual([sync, message], ['Missing', 'the copy is not written yet: it may not']);
});

test('cells of an overflow tier are told by its name, or its number', () => {
  const placement: Placement = {
    clusterAffinities: [
      {
        affinityName: 'on-prem',
        clusterNames: ['a'],
        overflowAffinities: [
          { affinityName: 'public-cloud', clusterNames: ['a', 'b'] },
          { clusterNames: ['c', 'd'] },
        ],
      },
    ],
    replicaScheduling: { replicaSchedulingType: 'Divided', replicaDivisionPreference: 'Aggregated' },
  };
  const { cells } = explain({
    ...input,
    copies: [],
    template: { object: deployment('web', 8), policy: { placement }, custom: false, scalable: true },
  });
  assert.deepEqual(
    cells.filter(({ chosen }) => chosen).map(({ message }) => message.split(';')[0]),
    [
      'the copy is not written yet',
      'of overflow tier public-cloud',
      'of overflow tier 2',
      'of overflow tier 2',
    ],
  );
});

test('a cell in which the object failed is told with when it may come back', () => {
  const avoid = [
    { cluster: 'x', until: '2026-01-01T00:10:00Z' },
    { cluster: 'y', until: '2026-01-01T00:00:00Z' },
  ];
  const { cells } = explain({
    ...input,
    nowMs: Date.parse('2026-01-01T00:05:00Z'),
    binding: { ...binding, status: { ...binding.status, failover: { avoid } } },
  });
  const messages = new Map(cells.map(({ cell: name, message }) => [name, message]));
  const told = 'it failed there, and does not come back before 2026-01-01T00:10:00Z';
  assert.ok(messages.get('x')?.endsWith(told));
  assert.doesNotMatch(messages.get('y') ?? '', /failed there/);
});
