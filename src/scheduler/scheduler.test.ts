import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Condition } from '#api/conditions.ts';
import { conditionOf } from '#api/conditions.ts';
import { copyAnnotations, edgeFinalizer } from '#api/federation/copy-contract.ts';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import { systemClock } from '#apimachinery/clock.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { silentLogger } from '#client/logger.ts';
import { createScheduler, type Scheduler, type SchedulerOptions } from './scheduler.ts';
import { ControlPlane, gvrOf, until } from './testing/control-plane.ts';
import { clusterPolicy, configMap, deployment, divided, policy } from './testing/objects.ts';
import { Syncer } from './testing/syncer.ts';

const bindings = 'work.karmada.io/v1alpha2';
const policies = 'policy.karmada.io/v1alpha1';

async function startScheduler(
  controlPlane: ControlPlane,
  more: Partial<SchedulerOptions> = {},
): Promise<Scheduler & AsyncDisposable> {
  const scheduler = createScheduler({
    client: controlPlane.scheduler,
    clock: systemClock,
    logger: silentLogger,
    gatherIntervalMs: 20,
    ...more,
  });
  await scheduler.start(new AbortController().signal);
  return Object.assign(scheduler, { [Symbol.asyncDispose]: () => scheduler.stop() });
}

interface World extends AsyncDisposable {
  readonly controlPlane: ControlPlane;
  /** Logical cluster of project `shop`. */
  readonly project: string;
  readonly fra: Syncer;
  readonly ams: Syncer;
}

/** A project `shop`, and the cells `ams` and `fra`. */
async function world(spec: JsonObject = {}): Promise<World> {
  const controlPlane = await ControlPlane.open();
  const project = await controlPlane.project('shop');
  await controlPlane.cell('ams', spec, { region: 'nl' });
  await controlPlane.cell('fra', spec, { region: 'de' });
  return {
    controlPlane,
    project,
    fra: new Syncer(controlPlane, 'fra'),
    ams: new Syncer(controlPlane, 'ams'),
    [Symbol.asyncDispose]: () => controlPlane[Symbol.asyncDispose](),
  };
}

function bindingWhere(
  controlPlane: ControlPlane,
  project: string,
  name: string,
  holds: (binding: ResourceBinding) => boolean,
): Promise<ResourceBinding> {
  return until(`binding of ${name}`, async () => {
    const resource = 'resourcebindings';
    const all = (await controlPlane.list(project, bindings, resource)) as ResourceBinding[];
    const wide = (await controlPlane.list(project, bindings, `cluster${resource}`)) as ResourceBinding[];
    return [...all, ...wide].find((one) => one.spec.resource.name === name && holds(one));
  });
}

function condition(binding: ResourceBinding, type: string): Condition | undefined {
  return conditionOf(binding.status?.conditions, type);
}

function projectRef(project: string, apiVersion: string, resource: string, name: string) {
  return { cluster: project, gvr: gvrOf(apiVersion, resource), namespace: 'default', name };
}

test('an object goes to all cells, follows its changes, and is withdrawn when it is deleted', async () => {
  await using w = await world();
  await using _scheduler = await startScheduler(w.controlPlane);
  await w.controlPlane.create(w.project, 'propagationpolicies', policy('all'));
  const made = await w.controlPlane.create(w.project, 'configmaps', configMap('a', { x: '1' }));
  const copy = await w.fra.copy('v1', 'configmaps', 'a');
  await w.ams.copy('v1', 'configmaps', 'a');
  assert.deepEqual(copy['data'], { x: '1' });
  assert.match(copy.metadata.namespace ?? '', /^shop-default-[a-z2-7]{16}$/);
  assert.equal(copy.metadata.name, 'a');
  assert.deepEqual(copy.metadata.finalizers, [edgeFinalizer]);
  assert.equal(copy.metadata.annotations?.[copyAnnotations.originUid], made.metadata.uid);
  const binding = await bindingWhere(w.controlPlane, w.project, 'a', () => true);
  assert.deepEqual(binding.spec.clusters, [{ name: 'ams' }, { name: 'fra' }]);
  assert.equal(condition(binding, 'Scheduled')?.status, 'True');

  const ref = projectRef(w.project, 'v1', 'configmaps', 'a');
  await w.controlPlane.admin.patch(ref, { type: 'merge', body: { data: { x: '2' } } });
  await w.fra.copy('v1', 'configmaps', 'a', ({ data }) => (data as JsonObject)['x'] === '2');
  await w.controlPlane.admin.patch(ref, {
    type: 'merge',
    body: { metadata: { annotations: { note: 'n' } } },
  });
  await w.fra.copy('v1', 'configmaps', 'a', ({ metadata }) => metadata.annotations?.['note'] === 'n');

  const stored = await w.controlPlane.admin.get(ref);
  assert.equal(stored.metadata.finalizers, undefined, 'a dead cell never blocks a deletion');
  assert.equal(stored.metadata.labels, undefined);
  assert.deepEqual(Object.keys(stored.metadata.annotations ?? {}).sort(), ['kcp.io/cluster', 'note']);
  await w.controlPlane.admin.delete(ref);
  await w.fra.drained('v1', 'configmaps');
  await w.ams.drained('v1', 'configmaps');
  await until(
    'the binding is gone',
    async () => (await w.controlPlane.list(w.project, bindings, 'resourcebindings')).length === 0,
  );
});

test('a mapped namespace follows the labels of the project’s, and goes a while after the last copy', async () => {
  await using w = await world();
  await using _scheduler = await startScheduler(w.controlPlane, { emptyNamespaceMs: 30 });
  await w.controlPlane.create(w.project, 'propagationpolicies', policy('all'));
  await w.controlPlane.create(w.project, 'configmaps', configMap('a'));
  await w.fra.copy('v1', 'configmaps', 'a');
  const namespace = { cluster: w.project, gvr: gvrOf('v1', 'namespaces'), name: 'default' };
  const labels = {
    team: 'a',
    'pod-security.kubernetes.io/enforce': 'privileged',
    'federation.cellplane.io/origin-cluster': 'x',
  };
  await w.controlPlane.admin.patch(namespace, { type: 'merge', body: { metadata: { labels } } });
  const mapped = await w.fra.copy(
    'v1',
    'namespaces',
    'default',
    ({ metadata }) => metadata.labels?.['team'] === 'a',
  );
  assert.equal(mapped.metadata.labels?.['pod-security.kubernetes.io/enforce'], undefined);
  assert.equal(mapped.metadata.labels?.['federation.cellplane.io/origin-cluster'], w.project);
  await w.controlPlane.admin.delete(projectRef(w.project, 'v1', 'configmaps', 'a'));
  await w.fra.drained('v1', 'configmaps');
  await w.fra.drained('v1', 'namespaces');
});

test('replicas are divided, status comes back summed, observedGeneration rises with the last cell', async () => {
  await using w = await world();
  await using _scheduler = await startScheduler(w.controlPlane);
  await w.controlPlane.create(w.project, 'propagationpolicies', policy('all', { placement: divided }));
  await w.controlPlane.create(w.project, 'deployments', deployment('web', 5));
  const inAms = await w.ams.copy('apps/v1', 'deployments', 'web');
  const inFra = await w.fra.copy('apps/v1', 'deployments', 'web');
  const replicasOf = (copy: KubeObject) => (copy['spec'] as JsonObject)['replicas'] as number;
  assert.equal(replicasOf(inAms) + replicasOf(inFra), 5);
  const status = (replicas: number): JsonObject => ({
    observedGeneration: 1,
    replicas,
    updatedReplicas: replicas,
    readyReplicas: replicas,
    availableReplicas: replicas,
    conditions: [
      {
        type: 'Available',
        status: 'True',
        reason: 'MinimumReplicasAvailable',
        message: '',
        lastTransitionTime: '2026-01-01T00:00:00Z',
      },
    ],
  });
  await w.ams.report('apps/v1', 'deployments', inAms, status(replicasOf(inAms)));
  const ref = projectRef(w.project, 'apps/v1', 'deployments', 'web');
  const statusWhere = (what: string, holds: (status: JsonObject) => boolean): Promise<JsonObject> =>
    until(what, async () => {
      const found = ((await w.controlPlane.admin.get(ref))['status'] ?? {}) as JsonObject;
      return holds(found) ? found : undefined;
    });
  const first = await statusWhere(
    'one cell has reported',
    ({ readyReplicas }) => readyReplicas === replicasOf(inAms),
  );
  assert.equal(first['observedGeneration'], undefined, 'one cell has not observed it yet');
  await w.fra.report('apps/v1', 'deployments', inFra, status(replicasOf(inFra)));
  const both = await statusWhere('both have reported', ({ readyReplicas }) => readyReplicas === 5);
  assert.equal(both['observedGeneration'], 1);
  const binding = await bindingWhere(
    w.controlPlane,
    w.project,
    'web',
    (one) => condition(one, 'FullyApplied')?.status === 'True',
  );
  assert.deepEqual(binding.status?.summary, { cells: 2, applied: 2, healthy: 2, unhealthy: 0, unknown: 0 });

  const scale = { spec: { replicas: 8 } };
  await w.controlPlane.admin.patch(ref, { type: 'merge', body: scale });
  const scaled = await bindingWhere(w.controlPlane, w.project, 'web', ({ spec }) => spec.replicas === 8);
  assert.equal(
    scaled.spec.clusters?.reduce((sum, { replicas = 0 }) => sum + replicas, 0),
    8,
  );
  await w.fra.copy('apps/v1', 'deployments', 'web', (copy) => replicasOf(copy) === 4);
  const stored = (await w.controlPlane.admin.get(ref))['status'] as JsonObject;
  assert.equal(stored['observedGeneration'], 1, 'no cell has observed the new size');
});

test('status that another manager owns stays theirs', async () => {
  await using w = await world();
  await using _scheduler = await startScheduler(w.controlPlane);
  await w.controlPlane.create(
    w.project,
    'propagationpolicies',
    policy('all', { placement: { clusterAffinity: { clusterNames: ['fra'] } } }),
  );
  await w.controlPlane.create(w.project, 'deployments', deployment('web', 1));
  const ref = projectRef(w.project, 'apps/v1', 'deployments', 'web');
  await w.controlPlane.admin.patch(
    ref,
    { type: 'merge', body: { status: { replicas: 7, readyReplicas: 7 } } },
    { subresource: 'status', fieldManager: 'somebody' },
  );
  const copy = await w.fra.copy('apps/v1', 'deployments', 'web');
  await w.fra.report('apps/v1', 'deployments', copy, {
    observedGeneration: 1,
    replicas: 1,
    readyReplicas: 1,
    updatedReplicas: 1,
  });
  const binding = await bindingWhere(
    w.controlPlane,
    w.project,
    'web',
    (one) => condition(one, 'StatusOwnedElsewhere')?.status === 'True',
  );
  assert.match(condition(binding, 'StatusOwnedElsewhere')?.message ?? '', /readyReplicas.*somebody/);
  const status = (await w.controlPlane.admin.get(ref))['status'] as JsonObject;
  assert.equal(status['readyReplicas'], 7);
  assert.equal(status['updatedReplicas'], 1);
});

test('policies: a change moves copies, a deletion withdraws them, priority decides', async () => {
  await using w = await world();
  await using _scheduler = await startScheduler(w.controlPlane);
  const to = (cell: string): JsonObject => ({ placement: { clusterAffinity: { clusterNames: [cell] } } });
  await w.controlPlane.create(w.project, 'propagationpolicies', policy('low', { ...to('fra'), priority: 1 }));
  await w.controlPlane.create(w.project, 'propagationpolicies', policy('lower', to('ams')));
  await w.controlPlane.create(w.project, 'configmaps', configMap('a'));
  await w.fra.copy('v1', 'configmaps', 'a');
  assert.deepEqual(await w.ams.copies('v1', 'configmaps'), []);
  const ref = projectRef(w.project, policies, 'propagationpolicies', 'low');
  await w.controlPlane.admin.patch(ref, { type: 'merge', body: { spec: to('ams') } });
  await w.ams.copy('v1', 'configmaps', 'a');
  await w.fra.drained('v1', 'configmaps');
  await w.controlPlane.admin.delete(ref);
  const binding = await bindingWhere(
    w.controlPlane,
    w.project,
    'a',
    ({ spec }) => spec.policy?.name === 'lower',
  );
  assert.deepEqual(binding.spec.clusters, [{ name: 'ams' }]);
  await w.controlPlane.admin.delete(projectRef(w.project, policies, 'propagationpolicies', 'lower'));
  await w.ams.drained('v1', 'configmaps');
  await until(
    'the binding is gone',
    async () => (await w.controlPlane.list(w.project, bindings, 'resourcebindings')).length === 0,
  );
});

test('what lies at a copy’s place and is none of ours is not touched; when it goes the copy comes', async () => {
  await using w = await world();
  await using _scheduler = await startScheduler(w.controlPlane);
  await w.controlPlane.create(w.project, 'propagationpolicies', policy('all'));
  await w.controlPlane.create(w.project, 'configmaps', configMap('first'));
  const namespace = (await w.fra.copy('v1', 'configmaps', 'first')).metadata.namespace as string;
  const foreign = await w.controlPlane.create(
    'root:cells:fra',
    'configmaps',
    configMap('a', { mine: 'yes' }, namespace),
  );
  await w.controlPlane.create(w.project, 'configmaps', configMap('a', { mine: 'no' }));
  const binding = await bindingWhere(
    w.controlPlane,
    w.project,
    'a',
    (one) => condition(one, 'NameCollision')?.status === 'True',
  );
  assert.match(condition(binding, 'NameCollision')?.message ?? '', /cell fra/);
  await w.ams.copy('v1', 'configmaps', 'a');
  const ref = { cluster: 'root:cells:fra', gvr: gvrOf('v1', 'configmaps'), namespace, name: 'a' };
  const still = await w.controlPlane.admin.get(ref);
  assert.equal(still.metadata.resourceVersion, foreign.metadata.resourceVersion);
  await w.controlPlane.admin.delete(ref);
  await w.fra.copy('v1', 'configmaps', 'a');
  await bindingWhere(
    w.controlPlane,
    w.project,
    'a',
    (one) => condition(one, 'NameCollision')?.status === 'False',
  );
});

test('an object made anew takes over its copies', async () => {
  await using w = await world();
  const scheduler = await startScheduler(w.controlPlane);
  await w.controlPlane.create(w.project, 'propagationpolicies', policy('all'));
  await w.controlPlane.create(w.project, 'configmaps', configMap('a', { x: '1' }));
  const before = await w.fra.copy('v1', 'configmaps', 'a');
  await w.ams.copy('v1', 'configmaps', 'a');
  await scheduler.stop();
  await w.controlPlane.admin.delete(projectRef(w.project, 'v1', 'configmaps', 'a'));
  const made = await w.controlPlane.create(w.project, 'configmaps', configMap('a', { x: '2' }));
  await using _again = await startScheduler(w.controlPlane);
  const after = await w.fra.copy('v1', 'configmaps', 'a', ({ data }) => (data as JsonObject)['x'] === '2');
  assert.equal(after.metadata.uid, before.metadata.uid);
  assert.equal(after.metadata.annotations?.[copyAnnotations.originUid], made.metadata.uid);
});

test('what happened while the scheduler was away is made up for', async () => {
  await using w = await world();
  const scheduler = await startScheduler(w.controlPlane);
  await w.controlPlane.create(
    w.project,
    'propagationpolicies',
    policy('maps', { resourceSelectors: [{ apiVersion: 'v1', kind: 'ConfigMap' }] }),
  );
  await w.controlPlane.create(
    w.project,
    'propagationpolicies',
    policy('secrets', { resourceSelectors: [{ apiVersion: 'v1', kind: 'Secret' }] }),
  );
  for (const name of ['stays', 'goes']) await w.controlPlane.create(w.project, 'configmaps', configMap(name));
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 's', namespace: 'default' },
    stringData: { a: 'b' },
  };
  await w.controlPlane.create(w.project, 'secrets', secret);
  for (const cell of [w.fra, w.ams]) {
    await cell.copy('v1', 'secrets', 's');
    for (const name of ['stays', 'goes']) await cell.copy('v1', 'configmaps', name);
  }
  await scheduler.stop();
  await w.controlPlane.admin.delete(projectRef(w.project, 'v1', 'configmaps', 'goes'));
  await w.controlPlane.admin.delete(projectRef(w.project, policies, 'propagationpolicies', 'secrets'));
  await w.controlPlane.create(w.project, 'configmaps', configMap('comes'));
  await using _again = await startScheduler(w.controlPlane);
  for (const cell of [w.fra, w.ams]) {
    await cell.copy('v1', 'configmaps', 'comes');
    await cell.drained('v1', 'secrets');
    await until('only what is there is left', async () => {
      await cell.release('v1', 'configmaps');
      const names = (await cell.copies('v1', 'configmaps')).map(({ metadata }) => metadata.name);
      return names.sort().join() === 'comes,stays';
    });
  }
});

test('a project that is gone takes its copies with it, also when nobody watched', async () => {
  await using w = await world();
  const scheduler = await startScheduler(w.controlPlane);
  await w.controlPlane.create(w.project, 'propagationpolicies', policy('all'));
  await w.controlPlane.create(w.project, 'configmaps', configMap('a'));
  await w.fra.copy('v1', 'configmaps', 'a');
  await scheduler.stop();
  const workspace = { cluster: 'root', gvr: gvrOf('tenancy.kcp.io/v1alpha1', 'workspaces'), name: 'shop' };
  await w.controlPlane.admin.delete(workspace);
  await until('the workspace is gone', async () => (await w.controlPlane.find(workspace)) === undefined);
  await using _again = await startScheduler(w.controlPlane);
  await w.fra.drained('v1', 'configmaps');
});

test('cells: a new one is used, a taint evicts, a closed one is not used', async () => {
  await using w = await world();
  await using _scheduler = await startScheduler(w.controlPlane);
  await w.controlPlane.create(w.project, 'propagationpolicies', policy('all'));
  await w.controlPlane.create(w.project, 'configmaps', configMap('a'));
  await w.fra.copy('v1', 'configmaps', 'a');
  await w.controlPlane.cell('par');
  await new Syncer(w.controlPlane, 'par').copy('v1', 'configmaps', 'a');
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

const widgetCrd = (type: string): KubeObject => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'WidgetList' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: {
                type: 'object',
                properties: {
                  size: { type },
                  target: { type: 'object', properties: { namespace: { type: 'string' } } },
                },
              },
            },
          },
        },
      },
    ],
  },
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

test('with the hash cut away every second project collides, and nothing of the first is touched', async () => {
  await using controlPlane = await ControlPlane.open();
  const projects = [
    await controlPlane.project('shop', 'one'),
    await controlPlane.project('shop', 'two'),
  ] as const;
  await controlPlane.cell('fra');
  const fra = new Syncer(controlPlane, 'fra');
  await using _scheduler = await startScheduler(controlPlane, { hashBits: 0, emptyNamespaceMs: 20 });
  await controlPlane.create(projects[0], 'propagationpolicies', policy('all'));
  await controlPlane.create(projects[0], 'configmaps', configMap('a', { of: 'one' }));
  const first = await fra.copy('v1', 'configmaps', 'a');
  await controlPlane.create(projects[1], 'propagationpolicies', policy('all'));
  await controlPlane.create(projects[1], 'configmaps', configMap('a', { of: 'two' }));
  const binding = await bindingWhere(controlPlane, projects[1], 'a', (one) => {
    return condition(one, 'NameCollision')?.status === 'True';
  });
  assert.match(condition(binding, 'NameCollision')?.message ?? '', /root:one:shop/);
  const ref = {
    cluster: 'root:cells:fra',
    gvr: gvrOf('v1', 'configmaps'),
    namespace: first.metadata.namespace,
    name: 'a',
  };
  assert.equal((await controlPlane.admin.get(ref)).metadata.resourceVersion, first.metadata.resourceVersion);
  // The loser's deletion must not reach the winner's copy either.
  await controlPlane.admin.delete(projectRef(projects[1], 'v1', 'configmaps', 'a'));
  await until(
    'the binding is gone',
    async () => (await controlPlane.list(projects[1], bindings, 'resourcebindings')).length === 0,
  );
  assert.equal((await controlPlane.admin.get(ref)).metadata.resourceVersion, first.metadata.resourceVersion);
  // When the first project lets go, the place is free.
  await controlPlane.create(projects[1], 'configmaps', configMap('a', { of: 'two' }));
  await controlPlane.admin.delete(projectRef(projects[0], 'v1', 'configmaps', 'a'));
  await until('the second project has its copy', async () => {
    await fra.release('v1', 'configmaps');
    await fra.release('v1', 'namespaces');
    return (await fra.copies('v1', 'configmaps')).some(({ data }) => (data as JsonObject)['of'] === 'two');
  });
});

test('a copy that somebody changed in the cell is set right', async () => {
  await using w = await world();
  await using _scheduler = await startScheduler(w.controlPlane);
  await w.controlPlane.create(w.project, 'propagationpolicies', policy('all'));
  await w.controlPlane.create(w.project, 'deployments', deployment('web', 1));
  const copy = await w.fra.copy('apps/v1', 'deployments', 'web');
  const ref = {
    cluster: 'root:cells:fra',
    gvr: gvrOf('apps/v1', 'deployments'),
    namespace: copy.metadata.namespace,
    name: 'web',
  };
  await w.controlPlane.admin.patch(
    ref,
    { type: 'merge', body: { spec: { replicas: 9 } } },
    { fieldManager: 'somebody' },
  );
  await w.fra.copy('apps/v1', 'deployments', 'web', ({ metadata, spec }) => {
    return metadata.generation === 3 && (spec as JsonObject)['replicas'] === 1;
  });
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
