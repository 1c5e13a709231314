import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import { nowTime } from '#apimachinery/rfc3339.ts';
import { aggregated } from './algorithm/testing/placements.ts';
import { gvrOf, until } from './testing/control-plane.ts';
import { deployment, policy } from './testing/objects.ts';
import {
  bindings,
  bindingWhere,
  cellRef,
  condition,
  hasOutcome,
  policies,
  projectRef,
  startScheduler,
  world,
} from './testing/world.ts';

const oneCell: JsonObject = { spreadConstraints: [{ spreadByField: 'cluster', minGroups: 1, maxGroups: 1 }] };
const deployments = { resourceSelectors: [{ apiVersion: 'apps/v1', kind: 'Deployment' }] };
const grouped = (term: string): JsonObject => ({
  ...deployments,
  placement: { ...oneCell, workloadAffinity: { [term]: { groupByLabelKey: 'team' } } },
});
const ofTeam = (name: string, team: string) => {
  const object = deployment(name, 1);
  object.metadata.labels = { ...object.metadata.labels, team };
  return object;
};

test('workloads of a group stay apart, over a restart too, and one that waits goes where one leaves', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  const cellOf = async (name: string) =>
    (await bindingWhere(controlPlane, project, name, ({ spec }) => spec.clusters?.length === 1)).spec
      .clusters?.[0]?.name;
  {
    await using _scheduler = await startScheduler(controlPlane);
    await controlPlane.create(project, 'propagationpolicies', policy('apart', grouped('antiAffinity')));
    await controlPlane.create(project, 'deployments', ofTeam('a', 'red'));
    assert.equal(await cellOf('a'), 'ams');
    await controlPlane.create(project, 'deployments', ofTeam('b', 'red'));
    assert.equal(await cellOf('b'), 'fra');
    await controlPlane.create(project, 'deployments', ofTeam('other', 'blue'));
    assert.equal(await cellOf('other'), 'ams');
  }
  await controlPlane.create(project, 'deployments', ofTeam('c', 'red'));
  await using _scheduler = await startScheduler(controlPlane);
  const waiting = await bindingWhere(controlPlane, project, 'c', ({ status }) => status !== undefined);
  assert.equal(waiting.spec.clusters?.length, 0);
  assert.deepEqual(
    waiting.status?.refusals?.map(({ code, count }) => [code, count]),
    [['WorkloadAntiAffinity', 2]],
  );
  const gvr = { group: 'apps', version: 'v1', resource: 'deployments' };
  await controlPlane.admin.delete({ cluster: project, gvr, namespace: 'default', name: 'a' });
  assert.equal(await cellOf('c'), 'ams');
});

test('workloads of a group come together', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  await using _scheduler = await startScheduler(controlPlane);
  const first: JsonObject = {
    ...grouped('affinity'),
    resourceSelectors: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'a' }],
  };
  const inFra = { ...(first['placement'] as JsonObject), clusterAffinity: { clusterNames: ['fra'] } };
  await controlPlane.create(project, 'propagationpolicies', policy('first', { ...first, placement: inFra }));
  await controlPlane.create(project, 'propagationpolicies', policy('together', grouped('affinity')));
  await controlPlane.create(project, 'deployments', ofTeam('a', 'red'));
  await bindingWhere(controlPlane, project, 'a', ({ spec }) => spec.clusters?.[0]?.name === 'fra');
  await controlPlane.create(project, 'deployments', ofTeam('b', 'red'));
  await bindingWhere(controlPlane, project, 'b', ({ spec }) => spec.clusters?.[0]?.name === 'fra');
});

test('room that is freed goes to the most important that wait for it', async () => {
  await using w = await world({ capacity: { cpu: '0' } });
  const { controlPlane, project } = w;
  for (const [name, value] of [
    ['low', 1],
    ['high', 1000],
  ] as const) {
    await controlPlane.create(project, 'priorityclasses', {
      apiVersion: 'scheduling.k8s.io/v1',
      kind: 'PriorityClass',
      metadata: { name },
      value,
    });
  }
  await using scheduler = await startScheduler(controlPlane, { concurrency: 1 });
  const names = ['a-low', 'b-high', 'c-low', 'd-high'];
  for (const name of names) {
    const priorityClassName = name.slice(2);
    await controlPlane.create(
      project,
      'propagationpolicies',
      policy(name, {
        resourceSelectors: [{ apiVersion: 'apps/v1', kind: 'Deployment', name }],
        placement: {
          clusterAffinity: { clusterNames: ['fra'] },
          ...aggregated,
        },
        schedulePriority: { priorityClassSource: 'KubePriorityClass', priorityClassName },
      }),
    );
    const resources = { requests: { cpu: '1' } };
    await controlPlane.create(
      project,
      'deployments',
      deployment(name, 1, { containers: [{ name: 'c', image: 'i', resources }] }),
    );
  }
  for (const name of names) {
    const binding = await bindingWhere(controlPlane, project, name, hasOutcome('Unschedulable'));
    assert.deepEqual(binding.spec.schedulePriority, { priority: name.endsWith('high') ? 1000 : 1 });
  }
  await until('all is done that can be', () => scheduler.idle);
  const fra = cellRef('fra');
  await controlPlane.admin.patch(fra, { type: 'merge', body: { spec: { capacity: { cpu: '2' } } } });
  for (const name of ['b-high', 'd-high'])
    await bindingWhere(controlPlane, project, name, ({ spec }) => spec.clusters?.length === 1);
  await until('all is done that can be', () => scheduler.idle);
  for (const name of ['a-low', 'c-low']) {
    const { status, spec } = await bindingWhere(controlPlane, project, name, () => true);
    assert.deepEqual([spec.clusters, status?.conditions?.[0]?.reason], [[], 'Unschedulable'], name);
  }
});

test('nothing is placed without the overrides that the policy depends on', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  await using _scheduler = await startScheduler(controlPlane);
  const spec = { ...deployments, dependentOverrides: ['tune'] };
  await controlPlane.create(project, 'propagationpolicies', policy('web', spec));
  await controlPlane.create(project, 'deployments', deployment('web', 1));
  const waiting = await bindingWhere(controlPlane, project, 'web', ({ status }) => status !== undefined);
  assert.equal(waiting.spec.clusters?.length, 0);
  assert.match(condition(waiting, 'Scheduled')?.message ?? '', /waits for the override policies tune/);
  await controlPlane.create(project, 'overridepolicies', {
    apiVersion: policies,
    kind: 'OverridePolicy',
    metadata: { name: 'tune', namespace: 'default' },
    spec: {
      ...deployments,
      overrideRules: [{ overriders: { labelsOverrider: [{ operator: 'add', value: { a: 'b' } }] } }],
    },
  });
  await w.fra.copy('apps/v1', 'deployments', 'web', ({ metadata }) => metadata.labels?.['a'] === 'b');
});

test('an unhealthy object moves at its time though the scheduler was restarted, with what it was at', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  const failover = {
    application: {
      decisionConditions: { tolerationSeconds: 3_600 },
      purgeMode: 'Immediately',
      statePreservation: { rules: [{ aliasLabelName: 'example.com/at', jsonPath: '{ .readyReplicas }' }] },
    },
  };
  const status = {
    observedGeneration: 1,
    replicas: 3,
    readyReplicas: 2,
    updatedReplicas: 3,
    availableReplicas: 2,
  };
  let bindingName = '';
  {
    await using _scheduler = await startScheduler(controlPlane);
    const spec = { ...deployments, placement: oneCell, failover };
    await controlPlane.create(project, 'propagationpolicies', policy('web', spec));
    await controlPlane.create(project, 'deployments', deployment('web', 3));
    const copy = await w.ams.copy('apps/v1', 'deployments', 'web');
    await w.ams.report('apps/v1', 'deployments', copy, status);
    const unwell = await bindingWhere(controlPlane, project, 'web', (one) => {
      return one.status?.failover?.unhealthySince !== undefined;
    });
    const [record] = unwell.status?.failover?.unhealthySince ?? [];
    assert.equal(record?.cluster, 'ams');
    bindingName = unwell.metadata.name ?? '';
  }
  // An hour later by what is recorded: who counted anew from the restart would wait for another one.
  const since = nowTime(Date.now() - 3_601_000);
  await controlPlane.admin.patch(projectRef(project, bindings, 'resourcebindings', bindingName), {
    type: 'merge',
    body: { status: { failover: { unhealthySince: [{ cluster: 'ams', since }] } } },
  });
  await using _scheduler = await startScheduler(controlPlane);
  const moved = await bindingWhere(
    controlPlane,
    project,
    'web',
    ({ spec }) => spec.clusters?.[0]?.name === 'fra',
  );
  assert.deepEqual(
    moved.spec.gracefulEvictionTasks?.map(({ fromCluster, preservedLabelState, clustersBeforeFailover }) => [
      fromCluster,
      preservedLabelState,
      clustersBeforeFailover,
    ]),
    [['ams', { 'example.com/at': '2' }, ['ams']]],
  );
  assert.equal(moved.status?.failover?.avoid?.[0]?.cluster, 'ams');
  await w.fra.copy(
    'apps/v1',
    'deployments',
    'web',
    ({ metadata }) => metadata.labels?.['example.com/at'] === '2',
  );
  await w.ams.drained('apps/v1', 'deployments');
});

test('a quota of a project holds over its namespaces together, over a restart too', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  const frq = { group: 'policy.karmada.io', version: 'v1alpha1', resource: 'federatedresourcequotas' };
  for (const name of ['other', 'kube-system']) {
    const ref = { cluster: project, gvr: gvrOf('v1', 'namespaces'), name };
    if ((await controlPlane.find(ref)) !== undefined) continue;
    await controlPlane.create(project, 'namespaces', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name },
    });
  }
  const withOutcome = (name: string, reason: string) =>
    bindingWhere(controlPlane, project, name, hasOutcome(reason));
  const resources = { requests: { cpu: '500m' } };
  const pod = { containers: [{ name: 'c', image: 'i', resources }] };
  const everywhere = {
    apiVersion: policies,
    kind: 'ClusterPropagationPolicy',
    metadata: { name: 'all' },
    spec: { ...deployments, placement: { clusterAffinity: { clusterNames: ['ams'] } } },
  };
  await controlPlane.create(project, 'clusterpropagationpolicies', everywhere);
  const ref = { cluster: project, gvr: frq, namespace: 'kube-system', name: 'project' };
  {
    await using _scheduler = await startScheduler(controlPlane);
    await controlPlane.create(project, 'deployments', deployment('a', 2, pod));
    await controlPlane.create(project, 'deployments', deployment('b', 2, pod, 'other'));
    await withOutcome('a', 'Success');
    await withOutcome('b', 'Success');
    await controlPlane.create(project, frq.resource, {
      apiVersion: policies,
      kind: 'FederatedResourceQuota',
      metadata: { name: 'project', namespace: 'kube-system' },
      spec: { scope: 'Project', overall: { pods: '5' } },
    });
    await until('the quota tells what is used', async () => {
      const status = (await controlPlane.admin.get(ref))['status'] as JsonObject | undefined;
      return (status?.['overallUsed'] as JsonObject | undefined)?.['pods'] === '4';
    });
    await controlPlane.create(project, 'deployments', deployment('c', 2, pod, 'other'));
    const refused = await withOutcome('c', 'QuotaExceeded');
    assert.match(
      condition(refused, 'Scheduled')?.message ?? '',
      /FederatedResourceQuota project: pods: 2 asked for, 1 left of 5/,
    );
  }
  // As if the one that was not bound came first.
  await controlPlane.create(project, 'deployments', deployment('d', 2, pod));
  await using _scheduler = await startScheduler(controlPlane);
  await withOutcome('d', 'QuotaExceeded');
  // Room that is made in one namespace is for all of them.
  const gvr = { group: 'apps', version: 'v1', resource: 'deployments' };
  await controlPlane.admin.delete({ cluster: project, gvr, namespace: 'default', name: 'd' });
  await controlPlane.admin.delete({ cluster: project, gvr, namespace: 'default', name: 'a' });
  await withOutcome('c', 'Success');
  // What becomes a quota of its own namespace bounds the others no more.
  await controlPlane.create(project, 'deployments', deployment('e', 3, pod));
  await withOutcome('e', 'QuotaExceeded');
  await controlPlane.admin.patch(ref, { type: 'merge', body: { spec: { scope: 'Namespace' } } });
  await withOutcome('e', 'Success');
});

test('after a restart nothing grows within a quota of the project before all of it has been counted', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  const everywhere = {
    apiVersion: policies,
    kind: 'ClusterPropagationPolicy',
    metadata: { name: 'all' },
    spec: { ...deployments, placement: { clusterAffinity: { clusterNames: ['ams'] } } },
  };
  await controlPlane.create(project, 'clusterpropagationpolicies', everywhere);
  const withOutcome = (name: string, reason: string) =>
    bindingWhere(controlPlane, project, name, hasOutcome(reason));
  const names = Array.from({ length: 40 }, (_, i) => `old-${i}`);
  await controlPlane.create(project, 'namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'other' },
  });
  {
    await using _scheduler = await startScheduler(controlPlane);
    for (const name of names)
      await controlPlane.create(project, 'deployments', deployment(name, 1, {}, 'other'));
    for (const name of names) await withOutcome(name, 'Success');
    // What was bound last is looked at first, and is alone in its namespace.
    await controlPlane.create(project, 'deployments', deployment('last', 1));
    await withOutcome('last', 'Success');
  }
  const kubeSystem = { cluster: project, gvr: gvrOf('v1', 'namespaces'), name: 'kube-system' };
  if ((await controlPlane.find(kubeSystem)) === undefined)
    await controlPlane.create(project, 'namespaces', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'kube-system' },
    });
  await controlPlane.create(project, 'federatedresourcequotas', {
    apiVersion: policies,
    kind: 'FederatedResourceQuota',
    metadata: { name: 'project', namespace: 'kube-system' },
    spec: { scope: 'Project', overall: { pods: '45' } },
  });
  const last = projectRef(project, 'apps/v1', 'deployments', 'last');
  await controlPlane.admin.patch(last, { type: 'merge', body: { spec: { replicas: 10 } } });
  await using _scheduler = await startScheduler(controlPlane);
  const { spec } = await withOutcome('last', 'QuotaExceeded');
  assert.deepEqual(spec.clusters, [{ name: 'ams', replicas: 1 }]);
});

test('a quota holds over all cells: what goes beyond waits until room is made', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  const frq = { group: 'policy.karmada.io', version: 'v1alpha1', resource: 'federatedresourcequotas' };
  const resources = { requests: { cpu: '500m' } };
  const pod = { containers: [{ name: 'c', image: 'i', resources }] };
  const withOutcome = async (name: string, reason: string) =>
    bindingWhere(controlPlane, project, name, hasOutcome(reason));
  {
    await using _scheduler = await startScheduler(controlPlane);
    const spec = { ...deployments, placement: { clusterAffinity: { clusterNames: ['ams'] } } };
    await controlPlane.create(project, 'propagationpolicies', policy('web', spec));
    await controlPlane.create(project, 'deployments', deployment('a', 4, pod));
    await withOutcome('a', 'Success');
    await controlPlane.create(project, frq.resource, {
      apiVersion: policies,
      kind: 'FederatedResourceQuota',
      metadata: { name: 'all', namespace: 'default' },
      spec: {
        overall: { 'requests.cpu': '3' },
        staticAssignments: [{ clusterName: 'ams', hard: { pods: '5' } }],
      },
    });
    const ref = { cluster: project, gvr: frq, namespace: 'default', name: 'all' };
    await until('the quota tells what is used', async () => {
      const status = (await controlPlane.admin.get(ref))['status'] as JsonObject | undefined;
      return (status?.['overallUsed'] as JsonObject | undefined)?.['requests.cpu'] === '2';
    });
    await controlPlane.create(project, 'deployments', deployment('b', 2, pod));
    const refused = await withOutcome('b', 'QuotaExceeded');
    assert.match(
      condition(refused, 'Scheduled')?.message ?? '',
      /FederatedResourceQuota all, cell ams: pods/,
    );
  }
  await using _scheduler = await startScheduler(controlPlane);
  // More than will be left when there is room for the other one.
  await controlPlane.create(project, 'deployments', deployment('c', 4, pod));
  const over = await withOutcome('c', 'QuotaExceeded');
  assert.match(condition(over, 'Scheduled')?.message ?? '', /all: cpu: 2 asked for, 1 left of 3/);
  const gvr = { group: 'apps', version: 'v1', resource: 'deployments' };
  await controlPlane.admin.patch(
    { cluster: project, gvr, namespace: 'default', name: 'a' },
    { type: 'merge', body: { spec: { replicas: 3 } } },
  );
  await withOutcome('b', 'Success');
  await withOutcome('c', 'QuotaExceeded');
});

test('a profile orders cells by what controllers outside say of them, as long as it holds', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  await using _scheduler = await startScheduler(controlPlane);
  const group = 'federation.cellplane.io/v1alpha1';
  const score = (name: string, cell: string, value: number, validUntil: string) => ({
    apiVersion: group,
    kind: 'CellScore',
    metadata: { name },
    spec: { cell, scores: [{ name: 'carbon', value }], validUntil },
  });
  const place = async (name: string, schedulerName?: string): Promise<void> => {
    const spec = {
      resourceSelectors: [{ apiVersion: 'apps/v1', kind: 'Deployment', name }],
      placement: oneCell,
      ...(schedulerName === undefined ? {} : { schedulerName }),
    };
    await controlPlane.create(project, 'propagationpolicies', policy(name, spec));
    await controlPlane.create(project, 'deployments', deployment(name, 1));
  };
  const later = new Date(Date.now() + 3_600_000).toISOString();
  await controlPlane.create('root:cells', 'cellscores', score('a', 'fra', 80, later));
  await controlPlane.create('root:cells', 'cellscores', score('b', 'ams', -20, later));
  await place('green', 'green');
  const waiting = await bindingWhere(controlPlane, project, 'green', ({ status }) => status !== undefined);
  assert.match(condition(waiting, 'Scheduled')?.message ?? '', /waits for the SchedulingProfile green/);
  await controlPlane.create('root:cells', 'schedulingprofiles', {
    apiVersion: group,
    kind: 'SchedulingProfile',
    metadata: { name: 'green' },
    spec: {
      scores: [
        { name: 'Named', score: 'carbon', weight: 5 },
        { name: 'Stickiness', weight: 1 },
      ],
    },
  });
  await bindingWhere(controlPlane, project, 'green', ({ spec }) => spec.clusters?.[0]?.name === 'fra');
  await place('plain');
  await bindingWhere(controlPlane, project, 'plain', ({ spec }) => spec.clusters?.[0]?.name === 'ams');
  const past = {
    cluster: 'root:cells',
    gvr: { group: 'federation.cellplane.io', version: 'v1alpha1', resource: 'cellscores' },
  };
  const body = { spec: { validUntil: new Date(Date.now() - 1_000).toISOString() } };
  for (const name of ['a', 'b']) await controlPlane.admin.patch({ ...past, name }, { type: 'merge', body });
  await place('late', 'green');
  await bindingWhere(controlPlane, project, 'late', ({ spec }) => spec.clusters?.[0]?.name === 'ams');
});
