import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { equally } from './algorithm/testing/placements.ts';
import { gvrOf, until } from './testing/control-plane.ts';
import { clusterPolicy, configMap, deployment, policy, widgetCrd } from './testing/objects.ts';
import { Syncer } from './testing/syncer.ts';
import {
  bindingWhere,
  cellRef,
  condition,
  policies,
  projectRef,
  startScheduler,
  world,
} from './testing/world.ts';

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
  const taints = [{ key: 'drain', effect: 'NoExecute' }];
  await w.controlPlane.admin.patch(cellRef('fra'), { type: 'merge', body: { spec: { taints } } });
  // It is withdrawn when it is healthy elsewhere.
  for (const syncer of [w.ams, par])
    await syncer.report('v1', 'configmaps', await syncer.copy('v1', 'configmaps', 'a'));
  await w.fra.drained('v1', 'configmaps');
  await w.controlPlane.admin.patch(cellRef('fra'), { type: 'merge', body: { spec: { taints: null } } });
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
  await w.controlPlane.admin.patch(cellRef('fra'), { type: 'merge', body: { spec: { allow: { kinds } } } });
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

test('cells divide by their own weights where the policy gives none, and by new ones at once', async () => {
  await using w = await world();
  await using _scheduler = await startScheduler(w.controlPlane);
  const weigh = (weight: number): Promise<KubeObject> => {
    return w.controlPlane.admin.patch(cellRef('ams'), {
      type: 'merge',
      body: { spec: { weight, dataCenter: 'a' } },
    });
  };
  await weigh(3);
  const placement = {
    clusterAffinity: { clusterNames: ['ams', 'fra'] },
    ...equally,
  };
  await w.controlPlane.create(w.project, 'propagationpolicies', policy('all', { placement }));
  await w.controlPlane.create(w.project, 'deployments', deployment('web', 4));
  const ams = (replicas: number) => (one: ResourceBinding) =>
    one.spec.clusters?.find(({ name }) => name === 'ams')?.replicas === replicas;
  await bindingWhere(w.controlPlane, w.project, 'web', ams(3));
  await weigh(1);
  await bindingWhere(w.controlPlane, w.project, 'web', ams(2));
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
  const keep = { metadata: { finalizers: ['federation.cellplane.io/cell', 'example.com/keep'] } };
  await w.controlPlane.admin.patch(cellRef('fra'), { type: 'merge', body: keep });
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
  await w.controlPlane.admin.delete(cellRef('fra'));
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
