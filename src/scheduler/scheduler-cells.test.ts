import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { gvrOf, until } from './testing/control-plane.ts';
import { clusterPolicy, configMap, deployment, policy, widgetCrd } from './testing/objects.ts';
import { Syncer } from './testing/syncer.ts';
import { bindingWhere, condition, policies, projectRef, startScheduler, world } from './testing/world.ts';

test('cells: a new one is used, a taint evicts, a closed one is not used', async () => {
  await using w = await world();
  await using _scheduler = await startScheduler(w.controlPlane);
  await w.controlPlane.create(w.project, 'propagationpolicies', policy('all'));
  await w.controlPlane.create(w.project, 'configmaps', configMap('a'));
  await w.fra.copy('v1', 'configmaps', 'a');
  await w.controlPlane.cell('par');
  const par = new Syncer(w.controlPlane, 'par');
  await par.copy('v1', 'configmaps', 'a');
  await w.controlPlane.cell('closed', { projects: ['root:other'] });
  const binding = await bindingWhere(w.controlPlane, w.project, 'a', ({ status }) =>
    (status?.refusals ?? []).some(({ code }) => code === 'ProjectNotAdmitted'),
  );
  assert.deepEqual(binding.status?.refusals, [
    { code: 'ProjectNotAdmitted', count: 1, examples: ['closed'] },
  ]);
  const fra = { cluster: 'root:cells', gvr: gvrOf('federation.cellplane.io/v1alpha1', 'cells'), name: 'fra' };
  const taints = [{ key: 'drain', effect: 'NoExecute' }];
  await w.controlPlane.admin.patch(fra, { type: 'merge', body: { spec: { taints } } });
  // It is withdrawn when it is healthy elsewhere.
  for (const syncer of [w.ams, par])
    await syncer.report('v1', 'configmaps', await syncer.copy('v1', 'configmaps', 'a'));
  await w.fra.drained('v1', 'configmaps');
  await w.controlPlane.admin.patch(fra, { type: 'merge', body: { spec: { taints: null } } });
  await w.fra.copy('v1', 'configmaps', 'a');
});

test('overrides make cells differ', async () => {
  await using w = await world();
  await using _scheduler = await startScheduler(w.controlPlane);
  await w.controlPlane.create(w.project, 'propagationpolicies', policy('all'));
  await w.controlPlane.create(w.project, 'deployments', deployment('web', 1));
  await w.fra.copy('apps/v1', 'deployments', 'web');
  await w.controlPlane.create(w.project, 'overridepolicies', {
    apiVersion: policies,
    kind: 'OverridePolicy',
    metadata: { name: 'registry', namespace: 'default' },
    spec: {
      resourceSelectors: [{ apiVersion: 'apps/v1', kind: 'Deployment' }],
      overrideRules: [
        {
          targetCluster: { labelSelector: { matchLabels: { region: 'de' } } },
          overriders: {
            imageOverrider: [{ component: 'Registry', operator: 'replace', value: 'de.example.com' }],
          },
        },
      ],
    },
  });
  const image = (copy: KubeObject): string => JSON.stringify(copy).match(/"image":"([^"]+)"/)?.[1] ?? '';
  await w.fra.copy('apps/v1', 'deployments', 'web', (copy) => image(copy) === 'de.example.com/app:1');
  assert.equal(image(await w.ams.copy('apps/v1', 'deployments', 'web')), 'registry.example.com/app:1');
});

test('kinds with authority go only where a cell allows them; a ClusterRoleBinding becomes RoleBindings', async () => {
  await using w = await world();
  await using _scheduler = await startScheduler(w.controlPlane);
  const rbac = 'rbac.authorization.k8s.io/v1';
  await w.controlPlane.create(
    w.project,
    'clusterpropagationpolicies',
    clusterPolicy('all', [
      ['v1', 'ConfigMap'],
      [rbac, 'ClusterRole'],
      [rbac, 'ClusterRoleBinding'],
    ]),
  );
  await w.controlPlane.create(w.project, 'configmaps', configMap('a'));
  await w.controlPlane.create(w.project, 'clusterroles', {
    apiVersion: rbac,
    kind: 'ClusterRole',
    metadata: { name: 'reader' },
    rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get'] }],
  });
  await w.controlPlane.create(w.project, 'clusterrolebindings', {
    apiVersion: rbac,
    kind: 'ClusterRoleBinding',
    metadata: { name: 'readers' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'reader' },
    subjects: [{ kind: 'ServiceAccount', namespace: 'default', name: 'app' }],
  });
  await bindingWhere(
    w.controlPlane,
    w.project,
    'readers',
    (one) => condition(one, 'KindNotAllowed')?.status === 'True',
  );
  const mapped = (await w.fra.copy('v1', 'configmaps', 'a')).metadata.namespace;
  const kinds = ['ClusterRole', 'ClusterRoleBinding'].map((kind) => ({
    group: 'rbac.authorization.k8s.io',
    kind,
  }));
  const cells = gvrOf('federation.cellplane.io/v1alpha1', 'cells');
  await w.controlPlane.admin.patch(
    { cluster: 'root:cells', gvr: cells, name: 'fra' },
    { type: 'merge', body: { spec: { allow: { kinds } } } },
  );
  const role = await w.fra.copy(rbac, 'clusterroles', 'reader');
  const bound = await w.fra.copy(rbac, 'rolebindings', 'readers');
  assert.equal(bound.metadata.namespace, mapped);
  assert.equal((bound['roleRef'] as JsonObject)['name'], role.metadata.name);
  assert.deepEqual(bound['subjects'], [{ kind: 'ServiceAccount', namespace: mapped, name: 'app' }]);
  assert.deepEqual(await w.ams.copies(rbac, 'clusterroles'), []);
});

test('custom resources bring their definition; a differing one is a conflict that names the field', async () => {
  await using w = await world();
  const other = await w.controlPlane.project('other');
  await using _scheduler = await startScheduler(w.controlPlane);
  const widgets = clusterPolicy('widgets', [['example.com/v1', 'Widget']]);
  const widget = (name: string, spec: JsonObject): KubeObject => ({
    apiVersion: 'example.com/v1',
    kind: 'Widget',
    metadata: { name, namespace: 'default' },
    spec,
  });
  await w.controlPlane.create(w.project, 'clusterpropagationpolicies', widgets);
  await w.controlPlane.create(w.project, 'customresourcedefinitions', widgetCrd('integer'));
  await until('widgets are served', () =>
    w.controlPlane.create(w.project, 'widgets', widget('w', { size: 1, target: { namespace: 'x' } })),
  );
  const copy = await w.fra.copy('example.com/v1', 'widgets', 'w');
  assert.deepEqual(copy['spec'], { size: 1, target: { namespace: 'x' } });
  const binding = await bindingWhere(
    w.controlPlane,
    w.project,
    'w',
    (one) => condition(one, 'UnmappedReference')?.status === 'True',
  );
  assert.match(condition(binding, 'UnmappedReference')?.message ?? '', /^spec\.target\.namespace/);

  // While no other project uses the kind in the cell, its definition follows.
  const crds = gvrOf('apiextensions.k8s.io/v1', 'customresourcedefinitions');
  const wider = [
    {
      op: 'add',
      path: '/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/zoom',
      value: { type: 'string' },
    },
  ];
  const crd = { cluster: w.project, gvr: crds, name: 'widgets.example.com' };
  await w.controlPlane.admin.patch(crd, { type: 'json', operations: wider });
  const widgetRef = projectRef(w.project, 'example.com/v1', 'widgets', 'w');
  await until('the project serves the new field', async () => {
    const patched = await w.controlPlane.admin.patch(widgetRef, {
      type: 'merge',
      body: { spec: { zoom: 'in' } },
    });
    return (patched['spec'] as JsonObject)['zoom'] === 'in';
  });
  await w.fra.copy('example.com/v1', 'widgets', 'w', ({ spec }) => (spec as JsonObject)['zoom'] === 'in');

  await w.controlPlane.create(other, 'clusterpropagationpolicies', widgets);
  await w.controlPlane.create(other, 'customresourcedefinitions', widgetCrd('string'));
  await until('widgets are served', () =>
    w.controlPlane.create(other, 'widgets', widget('theirs', { size: 'big' })),
  );
  const refused = await bindingWhere(
    w.controlPlane,
    other,
    'theirs',
    (one) => condition(one, 'APIConflict')?.status === 'True',
  );
  assert.match(
    condition(refused, 'APIConflict')?.message ?? '',
    /spec\.versions\[v1\]\.schema\..*size\.type differs/,
  );
  assert.equal((await w.fra.copies('example.com/v1', 'widgets')).length, 1);
});

test('what is under way counts beside what an estimator says, which cannot know of it', async () => {
  const estimator = createServer((_request, response) => {
    response.end(JSON.stringify({ replicas: 4 }));
  });
  estimator.listen(0, '127.0.0.1');
  await once(estimator, 'listening');
  try {
    const url = `http://127.0.0.1:${(estimator.address() as AddressInfo).port}/`;
    await using w = await world({ capacity: { pods: 100 }, estimator: { url, timeoutMs: 10_000 } });
    await using _scheduler = await startScheduler(w.controlPlane);
    const replicaScheduling = {
      replicaSchedulingType: 'Divided',
      replicaDivisionPreference: 'Aggregated',
    };
    const spec = { placement: { replicaScheduling } };
    await w.controlPlane.create(w.project, 'propagationpolicies', policy('all', spec));
    const names = ['one', 'two', 'three'];
    for (const name of names) await w.controlPlane.create(w.project, 'deployments', deployment(name, 3));
    const outcomes = new Map<string, number>();
    for (const name of names) {
      const binding = await bindingWhere(
        w.controlPlane,
        w.project,
        name,
        (one) => condition(one, 'Scheduled') !== undefined,
      );
      for (const { name: cell, replicas = 0 } of binding.spec.clusters ?? [])
        outcomes.set(cell, (outcomes.get(cell) ?? 0) + replicas);
    }
    // Four and four: two objects of three find room, the third does not.
    assert.deepEqual([...outcomes].sort(), [
      ['ams', 3],
      ['fra', 3],
    ]);
  } finally {
    estimator.closeAllConnections();
    estimator.close();
  }
});

test('an estimator that has room again is heard of, though nothing tells', async () => {
  let replicas = 1;
  let asked = 0;
  const estimator = createServer((_request, response) => {
    asked++;
    response.end(JSON.stringify({ replicas }));
  });
  estimator.listen(0, '127.0.0.1');
  await once(estimator, 'listening');
  try {
    const url = `http://127.0.0.1:${(estimator.address() as AddressInfo).port}/`;
    await using w = await world({ capacity: { pods: 10 }, estimator: { url, timeoutMs: 10_000 } });
    await using _scheduler = await startScheduler(w.controlPlane, { estimateAgainMs: 100 });
    const replicaScheduling = {
      replicaSchedulingType: 'Divided',
      replicaDivisionPreference: 'Aggregated',
    };
    await w.controlPlane.create(
      w.project,
      'propagationpolicies',
      policy('all', { placement: { replicaScheduling } }),
    );
    await w.controlPlane.create(w.project, 'deployments', deployment('web', 6));
    // Both cells were asked, and have room for two together.
    await until('both are asked', () => asked >= 2);
    replicas = 8;
    const isScheduled = (one: ResourceBinding) => condition(one, 'Scheduled')?.status === 'True';
    await bindingWhere(w.controlPlane, w.project, 'web', isScheduled);
  } finally {
    estimator.closeAllConnections();
    estimator.close();
  }
});

test('freed capacity wakes what waits for it', async () => {
  await using w = await world({ capacity: { pods: 2 } });
  await using _scheduler = await startScheduler(w.controlPlane);
  const dynamicWeight = { dynamicWeight: 'AvailableReplicas' };
  const replicaScheduling = {
    replicaSchedulingType: 'Divided',
    replicaDivisionPreference: 'Weighted',
    weightPreference: dynamicWeight,
  };
  await w.controlPlane.create(
    w.project,
    'propagationpolicies',
    policy('all', { placement: { replicaScheduling } }),
  );
  await w.controlPlane.create(w.project, 'deployments', deployment('web', 6));
  const waiting = await bindingWhere(w.controlPlane, w.project, 'web', (one) => {
    return condition(one, 'Scheduled')?.reason === 'Unschedulable';
  });
  assert.deepEqual(waiting.spec.clusters, []);
  const cells = gvrOf('federation.cellplane.io/v1alpha1', 'cells');
  const fra = { cluster: 'root:cells', gvr: cells, name: 'fra' };
  await w.controlPlane.admin.patch(fra, { type: 'merge', body: { spec: { capacity: { pods: 4 } } } });
  const placed = await bindingWhere(
    w.controlPlane,
    w.project,
    'web',
    (one) => condition(one, 'Scheduled')?.status === 'True',
  );
  assert.deepEqual(placed.spec.clusters, [
    { name: 'ams', replicas: 2 },
    { name: 'fra', replicas: 4 },
  ]);
});

test('what fits on no single node waits until it does, though the nodes together have the room', async () => {
  await using w = await world();
  await using _scheduler = await startScheduler(w.controlPlane);
  const cells = gvrOf('federation.cellplane.io/v1alpha1', 'cells');
  const tell = (...groups: readonly (readonly [nodes: number, cpu: string])[]): Promise<KubeObject> => {
    const nodeRoom = groups.map(([nodes, cpu]) => ({ nodes, free: { cpu, pods: '100' } }));
    const status = { allocatable: { cpu: '4', pods: '300' }, allocated: { cpu: '1' }, nodeRoom };
    const ams = { cluster: 'root:cells', gvr: cells, name: 'ams' };
    return w.controlPlane.admin.patch(ams, { type: 'merge', body: { status } }, { subresource: 'status' });
  };
  await tell([3, '1']);
  const placement = {
    clusterAffinity: { clusterNames: ['ams'] },
    replicaScheduling: { replicaSchedulingType: 'Divided', replicaDivisionPreference: 'Aggregated' },
  };
  await w.controlPlane.create(w.project, 'propagationpolicies', policy('all', { placement }));
  const containers = [{ name: 'c', image: 'c', resources: { requests: { cpu: '2' } } }];
  await w.controlPlane.create(w.project, 'deployments', deployment('web', 1, { containers }));
  const isScheduled = (reason: string) => (one: ResourceBinding) =>
    condition(one, 'Scheduled')?.reason === reason;
  await bindingWhere(w.controlPlane, w.project, 'web', isScheduled('Unschedulable'));
  await tell([1, '2'], [1, '1']);
  const placed = await bindingWhere(w.controlPlane, w.project, 'web', isScheduled('Success'));
  assert.deepEqual(placed.spec.clusters, [{ name: 'ams', replicas: 1 }]);
});

test('room counts on the nodes that a pod template may use, and more of it there wakes', async () => {
  await using w = await world();
  await using _scheduler = await startScheduler(w.controlPlane);
  const cells = gvrOf('federation.cellplane.io/v1alpha1', 'cells');
  const tell = (ssd: string, hdd: string): Promise<KubeObject> => {
    const status = {
      allocatable: { cpu: '12', pods: '300' },
      allocated: { cpu: '1' },
      nodeKinds: { kinds: [{ labels: { disk: 'hdd' } }, { labels: { disk: 'ssd' } }] },
      nodeRoom: [
        { nodes: 1, free: { cpu: hdd, pods: '100' }, kind: 0 },
        { nodes: 1, free: { cpu: ssd, pods: '100' }, kind: 1 },
      ],
    };
    const ams = { cluster: 'root:cells', gvr: cells, name: 'ams' };
    return w.controlPlane.admin.patch(ams, { type: 'merge', body: { status } }, { subresource: 'status' });
  };
  await tell('2', '8');
  const placement = {
    clusterAffinity: { clusterNames: ['ams'] },
    replicaScheduling: { replicaSchedulingType: 'Divided', replicaDivisionPreference: 'Aggregated' },
  };
  await w.controlPlane.create(w.project, 'propagationpolicies', policy('all', { placement }));
  const containers = [{ name: 'c', image: 'c', resources: { requests: { cpu: '1' } } }];
  const on = (disk: string) => ({ containers, nodeSelector: { disk } });
  const isScheduled = (reason: string) => (one: ResourceBinding) =>
    condition(one, 'Scheduled')?.reason === reason;
  await w.controlPlane.create(w.project, 'deployments', deployment('slow', 6, on('hdd')));
  await bindingWhere(w.controlPlane, w.project, 'slow', isScheduled('Success'));
  // What is under way to nodes with one kind of disks takes nothing of those with the other.
  await w.controlPlane.create(w.project, 'deployments', deployment('small', 2, on('ssd')));
  await bindingWhere(w.controlPlane, w.project, 'small', isScheduled('Success'));
  await w.controlPlane.create(w.project, 'deployments', deployment('fast', 3, on('ssd')));
  await bindingWhere(w.controlPlane, w.project, 'fast', isScheduled('Unschedulable'));
  // As much in all as before, but elsewhere.
  await tell('5', '5');
  await bindingWhere(w.controlPlane, w.project, 'fast', isScheduled('Success'));
});

test('cells divide by their own weights where the policy gives none, and by new ones at once', async () => {
  await using w = await world();
  await using _scheduler = await startScheduler(w.controlPlane);
  const cells = gvrOf('federation.cellplane.io/v1alpha1', 'cells');
  const weigh = (weight: number): Promise<KubeObject> => {
    const ams = { cluster: 'root:cells', gvr: cells, name: 'ams' };
    return w.controlPlane.admin.patch(ams, { type: 'merge', body: { spec: { weight, dataCenter: 'a' } } });
  };
  await weigh(3);
  const placement = {
    clusterAffinity: { clusterNames: ['ams', 'fra'] },
    replicaScheduling: { replicaSchedulingType: 'Divided', replicaDivisionPreference: 'Weighted' },
  };
  await w.controlPlane.create(w.project, 'propagationpolicies', policy('all', { placement }));
  await w.controlPlane.create(w.project, 'deployments', deployment('web', 4));
  const ams = (replicas: number) => (one: ResourceBinding) =>
    one.spec.clusters?.find(({ name }) => name === 'ams')?.replicas === replicas;
  await bindingWhere(w.controlPlane, w.project, 'web', ams(3));
  await weigh(1);
  await bindingWhere(w.controlPlane, w.project, 'web', ams(2));
});

test('room that was to be taken and is not wakes what waits for it, though no cell tells of it', async () => {
  await using w = await world({ capacity: { pods: 3 } });
  await using _scheduler = await startScheduler(w.controlPlane);
  const placement = {
    clusterAffinity: { clusterNames: ['ams'] },
    replicaScheduling: { replicaSchedulingType: 'Divided', replicaDivisionPreference: 'Aggregated' },
  };
  await w.controlPlane.create(w.project, 'propagationpolicies', policy('all', { placement }));
  const isPlaced = (one: ResourceBinding): boolean => condition(one, 'Scheduled')?.status === 'True';
  await w.controlPlane.create(w.project, 'deployments', deployment('first', 3));
  await bindingWhere(w.controlPlane, w.project, 'first', isPlaced);
  for (const [name, replicas] of [
    ['second', 1],
    ['third', 2],
  ] as const) {
    await w.controlPlane.create(w.project, 'deployments', deployment(name, replicas));
    await bindingWhere(w.controlPlane, w.project, name, (one) => {
      return condition(one, 'Scheduled')?.reason === 'Unschedulable';
    });
  }
  const first = projectRef(w.project, 'apps/v1', 'deployments', 'first');
  await w.controlPlane.admin.patch(first, { type: 'merge', body: { spec: { replicas: 2 } } });
  await bindingWhere(w.controlPlane, w.project, 'second', isPlaced);
  await w.controlPlane.admin.delete(first);
  await bindingWhere(w.controlPlane, w.project, 'third', isPlaced);
});

const aggregatedIn = (...clusterNames: string[]): JsonObject => ({
  placement: {
    clusterAffinity: { clusterNames },
    replicaScheduling: { replicaSchedulingType: 'Divided', replicaDivisionPreference: 'Aggregated' },
  },
});

test('what is bound counts where nobody says what is taken, however it was divided, over a restart too', async () => {
  await using w = await world({ capacity: { pods: 3 } });
  const isPlaced = (one: ResourceBinding): boolean => condition(one, 'Scheduled')?.status === 'True';
  const isWaiting = (one: ResourceBinding): boolean =>
    condition(one, 'Scheduled')?.reason === 'Unschedulable';
  const { controlPlane, project } = w;
  const duplicated = policy('everywhere', {
    resourceSelectors: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'first' }],
  });
  await controlPlane.create(project, 'propagationpolicies', duplicated);
  await controlPlane.create(project, 'propagationpolicies', policy('ams', aggregatedIn('ams')));
  {
    await using _scheduler = await startScheduler(controlPlane);
    await controlPlane.create(project, 'deployments', deployment('first', 2));
    await bindingWhere(controlPlane, project, 'first', isPlaced);
    await controlPlane.create(project, 'deployments', deployment('second', 2));
    await bindingWhere(controlPlane, project, 'second', isWaiting);
  }
  await controlPlane.create(project, 'deployments', deployment('third', 3));
  await using _scheduler = await startScheduler(controlPlane);
  await bindingWhere(controlPlane, project, 'third', isWaiting);
  const first = projectRef(project, 'apps/v1', 'deployments', 'first');
  await controlPlane.admin.patch(first, { type: 'merge', body: { spec: { replicas: 1 } } });
  await bindingWhere(controlPlane, project, 'second', isPlaced);
  await controlPlane.admin.delete(first);
  await controlPlane.admin.delete(projectRef(project, 'apps/v1', 'deployments', 'second'));
  await bindingWhere(controlPlane, project, 'third', isPlaced);
});

test('replicas that are there count once in a cell whose pods are watched, before they are well', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  await using _scheduler = await startScheduler(controlPlane, { landedMs: 100 });
  const ams = { cluster: 'root:cells', gvr: gvrOf('federation.cellplane.io/v1alpha1', 'cells'), name: 'ams' };
  const tell = (status: JsonObject) =>
    controlPlane.admin.patch(ams, { type: 'merge', body: { status } }, { subresource: 'status' });
  const watched = { type: 'NodesWatched', status: 'True', reason: 'Watched' };
  const lastTransitionTime = '2026-01-01T00:00:00Z';
  const conditions = [{ ...watched, message: '', lastTransitionTime }];
  await tell({ conditions, allocatable: { pods: 5 }, allocated: { pods: 0 } });
  await controlPlane.create(project, 'propagationpolicies', policy('all', aggregatedIn('ams')));
  await controlPlane.create(project, 'deployments', deployment('first', 3));
  const copy = await w.ams.copy('apps/v1', 'deployments', 'first');
  await tell({ allocated: { pods: 3 } });
  // Who knows the label knows what was told before.
  await controlPlane.admin.patch(ams, { type: 'merge', body: { metadata: { labels: { told: 'yes' } } } });
  const { placement } = aggregatedIn('ams');
  await controlPlane.create(
    project,
    'propagationpolicies',
    policy('second', {
      resourceSelectors: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'second' }],
      placement: {
        ...(placement as JsonObject),
        clusterAffinity: { labelSelector: { matchLabels: { told: 'yes' } } },
      },
    }),
  );
  await controlPlane.create(project, 'deployments', deployment('second', 2));
  await bindingWhere(controlPlane, project, 'second', (one) => {
    return condition(one, 'Scheduled')?.reason === 'Unschedulable';
  });
  const { generation = 1 } = copy.metadata;
  await w.ams.report('apps/v1', 'deployments', copy, { observedGeneration: generation, replicas: 3 });
  await bindingWhere(controlPlane, project, 'second', (one) => {
    return condition(one, 'Scheduled')?.status === 'True';
  });
});

test('an affinity whose cells lack room leaves the object where it is, until there is room or the platform speaks', async () => {
  // None has room at first, so that nothing is decided by what is not heard of yet.
  await using w = await world({ capacity: { pods: 0 } });
  await using _scheduler = await startScheduler(w.controlPlane);
  const placementIn = (...clusterNames: string[]): JsonObject => ({
    replicaScheduling: { replicaSchedulingType: 'Divided', replicaDivisionPreference: 'Aggregated' },
    clusterAffinity: { clusterNames },
  });
  await w.controlPlane.create(
    w.project,
    'propagationpolicies',
    policy('all', { placement: placementIn('ams') }),
  );
  const cells = gvrOf('federation.cellplane.io/v1alpha1', 'cells');
  const change = (name: string, spec: JsonObject) =>
    w.controlPlane.admin.patch(
      { cluster: 'root:cells', gvr: cells, name },
      { type: 'merge', body: { spec } },
    );
  await change('ams', { capacity: { pods: 8 } });
  const wanted = { moves: 3, goes: 5 };
  for (const [name, replicas] of Object.entries(wanted)) {
    await w.controlPlane.create(w.project, 'deployments', deployment(name, replicas));
    await bindingWhere(w.controlPlane, w.project, name, ({ spec }) => spec.clusters?.[0]?.name === 'ams');
  }
  const ref = projectRef(w.project, policies, 'propagationpolicies', 'all');
  await w.controlPlane.admin.patch(ref, { type: 'merge', body: { spec: { placement: placementIn('fra') } } });
  for (const [name, replicas] of Object.entries(wanted)) {
    const kept = await bindingWhere(
      w.controlPlane,
      w.project,
      name,
      (one) => condition(one, 'Scheduled')?.reason === 'Unschedulable',
    );
    assert.deepEqual(kept.spec.clusters, [{ name: 'ams', replicas }]);
    assert.match(condition(kept, 'Scheduled')?.message ?? '', /stays in 1 cell that the affinity excludes/);
  }
  await change('fra', { capacity: { pods: 4 } });
  await bindingWhere(
    w.controlPlane,
    w.project,
    'moves',
    ({ spec }) => spec.clusters?.map(({ name }) => name).join() === 'fra',
  );
  await change('ams', { projects: ['root:other'] });
  await bindingWhere(w.controlPlane, w.project, 'goes', ({ spec }) => (spec.clusters ?? []).length === 0);
});

test('suspended dispatching leaves the cells as they are', async () => {
  await using w = await world();
  await using _scheduler = await startScheduler(w.controlPlane);
  const suspension = { dispatchingOnClusters: { clusterNames: ['fra'] } };
  await w.controlPlane.create(w.project, 'propagationpolicies', policy('all', { suspension }));
  await w.controlPlane.create(w.project, 'configmaps', configMap('a'));
  await w.ams.copy('v1', 'configmaps', 'a');
  assert.deepEqual(await w.fra.copies('v1', 'configmaps'), []);
  const ref = projectRef(w.project, policies, 'propagationpolicies', 'all');
  await w.controlPlane.admin.patch(ref, { type: 'merge', body: { spec: { suspension: null } } });
  await w.fra.copy('v1', 'configmaps', 'a');
});

test('a cell that is being deleted is left as it is: its edge keeps what it has', async () => {
  await using w = await world();
  await using _scheduler = await startScheduler(w.controlPlane, { emptyNamespaceMs: 10 });
  await w.controlPlane.create(w.project, 'propagationpolicies', policy('all'));
  await w.controlPlane.create(w.project, 'configmaps', configMap('a'));
  const copy = await w.fra.copy('v1', 'configmaps', 'a');
  const cells = gvrOf('federation.cellplane.io/v1alpha1', 'cells');
  const fra = { cluster: 'root:cells', gvr: cells, name: 'fra' };
  const keep = { metadata: { finalizers: ['federation.cellplane.io/cell', 'example.com/keep'] } };
  await w.controlPlane.admin.patch(fra, { type: 'merge', body: keep });
  const ref = {
    cluster: 'root:cells:fra',
    gvr: gvrOf('v1', 'configmaps'),
    namespace: copy.metadata.namespace,
    name: 'a',
  };
  const marked: string[] = [];
  const watching = new AbortController();
  const events = w.controlPlane.admin.watch(ref, {
    resourceVersion: copy.metadata.resourceVersion,
    signal: watching.signal,
  });
  const watched = (async () => {
    for await (const event of events) {
      if (event.type === 'MODIFIED' && event.object.metadata.deletionTimestamp !== undefined)
        marked.push(event.type);
    }
  })().catch(() => {}); // the workspace goes, and its watches with it
  await w.controlPlane.admin.delete(fra);
  await bindingWhere(
    w.controlPlane,
    w.project,
    'a',
    ({ spec }) => spec.clusters?.map(({ name }) => name).join() === 'ams',
  );
  await w.controlPlane.create(w.project, 'configmaps', configMap('later'));
  await w.ams.copy('v1', 'configmaps', 'later');
  watching.abort();
  await watched;
  assert.deepEqual(marked, []);
});
