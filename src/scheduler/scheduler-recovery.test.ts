import assert from 'node:assert/strict';
import { test } from 'node:test';
import { copyAnnotations } from '#api/federation/copy-contract.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeClient } from '#client/client.ts';
import { readControlPlane } from '#client/control-plane.ts';
import type { ClientStore } from '#client/store-client.ts';
import { ControlPlane, gvrOf, until } from './testing/control-plane.ts';
import { CutWatches } from './testing/cut-watches.ts';
import { clusterPolicy, configMap, deployment, policy, widgetCrd } from './testing/objects.ts';
import { Syncer } from './testing/syncer.ts';
import {
  bindings,
  bindingWhere,
  condition,
  policies,
  projectRef,
  startScheduler,
  world,
} from './testing/world.ts';

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

test('a copy that came and went while its watch was broken is written again', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  const watches = new CutWatches(controlPlane.scheduler, 'configmaps', ({ metadata }) => {
    return metadata.namespace !== 'default';
  });
  await using _scheduler = await startScheduler(controlPlane, { client: watches.client });
  await controlPlane.create(project, 'propagationpolicies', policy('all'));
  await controlPlane.create(project, 'configmaps', configMap('first'));
  const { namespace } = (await w.fra.copy('v1', 'configmaps', 'first')).metadata;
  watches.cut();
  await controlPlane.create(project, 'configmaps', configMap('a'));
  const ref = { cluster: 'root:cells:fra', gvr: gvrOf('v1', 'configmaps'), namespace, name: 'a' };
  const written = await until('the copy is there', () => controlPlane.find(ref));
  await bindingWhere(controlPlane, project, 'a', (one) => condition(one, 'FullyApplied') !== undefined);
  await controlPlane.admin.delete(ref);
  await w.fra.release('v1', 'configmaps');
  assert.equal(await controlPlane.find(ref), undefined);
  watches.mend();
  const again = await until('it is there again', () => controlPlane.find(ref));
  assert.notEqual(again.metadata.uid, written.metadata.uid);
});

test('a kind that is gone with its definition takes its copies with it, and may come again', async () => {
  await using w = await world();
  await using scheduler = await startScheduler(w.controlPlane);
  await w.controlPlane.create(
    w.project,
    'clusterpropagationpolicies',
    clusterPolicy('widgets', [['example.com/v1', 'Widget']]),
  );
  await w.controlPlane.create(w.project, 'customresourcedefinitions', widgetCrd('integer'));
  const widget = {
    apiVersion: 'example.com/v1',
    kind: 'Widget',
    metadata: { name: 'w', namespace: 'default' },
    spec: { size: 1 },
  };
  await until('widgets are served', () => w.controlPlane.create(w.project, 'widgets', widget));
  await w.fra.copy('example.com/v1', 'widgets', 'w');
  await w.ams.copy('example.com/v1', 'widgets', 'w');
  const crds = gvrOf('apiextensions.k8s.io/v1', 'customresourcedefinitions');
  await w.controlPlane.admin.delete({ cluster: w.project, gvr: crds, name: 'widgets.example.com' });
  for (const cell of [w.fra, w.ams]) await cell.drained('example.com/v1', 'widgets');
  assert.equal(scheduler.ready, true);
  await w.controlPlane.create(w.project, 'customresourcedefinitions', widgetCrd('integer'));
  await until('widgets are served', () => w.controlPlane.create(w.project, 'widgets', widget));
  await w.fra.copy('example.com/v1', 'widgets', 'w');
});

test('all that a scheduler writes is for the store that it has read; where that is another one it begins anew', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  const { incarnationId } = await readControlPlane(controlPlane.scheduler, new AbortController().signal);
  const writing: readonly (keyof KubeClient)[] = ['create', 'update', 'patch', 'apply', 'delete'];
  const unbound: string[] = [];
  const bare = new Proxy(controlPlane.scheduler, {
    get: (target, name: keyof KubeClient) => {
      if (writing.includes(name)) unbound.push(name);
      return target[name].bind(target);
    },
  });
  const stores: ClientStore[] = [];
  const clientOf = (store: ClientStore): KubeClient => {
    stores.push(store);
    // It is closed with what it was made for; the control plane's own is not.
    return new Proxy(controlPlane.scheduler, {
      get: (target, name: keyof KubeClient) =>
        name === 'close' ? () => Promise.resolve() : target[name].bind(target),
    });
  };
  await using _scheduler = await startScheduler(controlPlane, { client: bare, clientOf });
  assert.deepEqual(
    stores.map((store) => store.incarnationId),
    [incarnationId],
  );
  await controlPlane.create(project, 'propagationpolicies', policy('all'));
  await controlPlane.create(project, 'configmaps', configMap('a'));
  await w.fra.copy('v1', 'configmaps', 'a');
  assert.deepEqual(unbound, []);
  stores[0]?.onOther();
  await until('it begins anew', () => stores.length === 2);
  await controlPlane.create(project, 'configmaps', configMap('b'));
  await w.fra.copy('v1', 'configmaps', 'b');
  assert.deepEqual(unbound, []);
});
