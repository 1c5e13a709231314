import assert from 'node:assert/strict';
import { test } from 'node:test';
import { copyAnnotations, edgeFinalizer } from '#api/federation/copy-contract.ts';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { gvrOf, until } from './testing/control-plane.ts';
import { forgetfulWatches } from './testing/forgetful-watches.ts';
import { configMap, deployment, divided, policy } from './testing/objects.ts';
import {
  bindings,
  bindingWhere,
  condition,
  policies,
  projectRef,
  startScheduler,
  world,
} from './testing/world.ts';

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
  {
    await using _scheduler = await startScheduler(w.controlPlane);
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
  }
  // One that is so impatient might take the namespace away before its first copy is written.
  await using _impatient = await startScheduler(w.controlPlane, { emptyNamespaceMs: 30 });
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
  const available = ({ conditions }: JsonObject) => (conditions as JsonObject[])[0]?.['status'];
  assert.equal(available(first), 'Unknown', 'one cell has not told yet');
  await w.fra.report('apps/v1', 'deployments', inFra, status(replicasOf(inFra)));
  const both = await statusWhere('both have reported', ({ readyReplicas }) => readyReplicas === 5);
  assert.equal(both['observedGeneration'], 1);
  assert.equal(available(both), 'True');
  const binding = await bindingWhere(
    w.controlPlane,
    w.project,
    'web',
    (one) => condition(one, 'FullyApplied')?.status === 'True' && one.status?.summary?.healthy === 2,
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

test('a status that follows its object at once is gathered at once, however rarely the rest is', async () => {
  await using w = await world();
  await using _scheduler = await startScheduler(w.controlPlane, { gatherIntervalMs: 3_600_000 });
  const placement = { clusterAffinity: { clusterNames: ['fra'] } };
  await w.controlPlane.create(w.project, 'propagationpolicies', policy('all', { placement }));
  await w.controlPlane.create(w.project, 'deployments', deployment('web', 1));
  const copy = await w.fra.copy('apps/v1', 'deployments', 'web');
  await w.fra.report('apps/v1', 'deployments', copy);
  await bindingWhere(w.controlPlane, w.project, 'web', ({ status }) => status?.summary?.applied === 1);
  await w.fra.report('apps/v1', 'deployments', copy, {
    observedGeneration: 1,
    replicas: 1,
    readyReplicas: 1,
  });
  const ref = projectRef(w.project, 'apps/v1', 'deployments', 'web');
  await until('it is gathered', async () => {
    const status = (await w.controlPlane.admin.get(ref))['status'] as JsonObject | undefined;
    return status?.['readyReplicas'] === 1;
  });
});

test('that cells have taken objects without a status is gathered in lots', async () => {
  await using w = await world();
  // A quarter of an hour from one lot to the next.
  await using scheduler = await startScheduler(w.controlPlane, { gatherIntervalMs: 3_600_000 });
  const placement = { clusterAffinity: { clusterNames: ['fra'] } };
  await w.controlPlane.create(w.project, 'propagationpolicies', policy('all', { placement }));
  const applied = (name: string) => (one: ResourceBinding) =>
    one.spec.resource.name === name && one.status?.summary?.applied === 1;
  const take = async (name: string) => {
    await w.controlPlane.create(w.project, 'configmaps', configMap(name));
    const copy = await w.fra.copy('v1', 'configmaps', name);
    // The look that decided is over: it would gather what is there by its end.
    await until('nothing is looked at', async () => scheduler.idle);
    await w.fra.report('v1', 'configmaps', copy);
  };
  await take('a');
  await bindingWhere(w.controlPlane, w.project, 'a', applied('a'));
  await take('b');
  // What comes behind it on the same watch has been seen to.
  await w.controlPlane.create(w.project, 'configmaps', configMap('c'));
  await w.fra.copy('v1', 'configmaps', 'c');
  const all = (await w.controlPlane.list(w.project, bindings, 'resourcebindings')) as ResourceBinding[];
  assert.equal(all.some(applied('b')), false, 'it waits for the next');
});

test('status that nobody reports any more is taken back', async () => {
  await using w = await world();
  await using _scheduler = await startScheduler(w.controlPlane);
  const placement = { clusterAffinity: { clusterNames: ['fra'] } };
  await w.controlPlane.create(w.project, 'propagationpolicies', policy('all', { placement }));
  await w.controlPlane.create(w.project, 'deployments', deployment('web', 1));
  const ref = projectRef(w.project, 'apps/v1', 'deployments', 'web');
  const readyReplicas = async (): Promise<unknown> =>
    ((await w.controlPlane.admin.get(ref))['status'] as JsonObject | undefined)?.['readyReplicas'];
  const copy = await w.fra.copy('apps/v1', 'deployments', 'web');
  const status = { observedGeneration: 1, replicas: 1, readyReplicas: 1 };
  await w.fra.report('apps/v1', 'deployments', copy, status);
  await until('it is gathered', async () => (await readyReplicas()) === 1);
  // The edge's object was made again: its new status is empty.
  const nothing = Object.fromEntries(Object.keys(status).map((field) => [field, null]));
  await w.fra.report('apps/v1', 'deployments', copy, nothing);
  await until('the empty status is gathered', async () => (await readyReplicas()) === undefined);
  await w.fra.report('apps/v1', 'deployments', copy, status);
  await until('it is gathered again', async () => (await readyReplicas()) === 1);
  await w.controlPlane.admin.delete(projectRef(w.project, policies, 'propagationpolicies', 'all'));
  await until('nothing selects it any more', async () => (await readyReplicas()) === undefined);
});

test('an object made again under the same name gets the status that its copies still have', async () => {
  await using w = await world();
  const watching = forgetfulWatches(w.controlPlane.scheduler, 'deployments');
  await using _scheduler = await startScheduler(w.controlPlane, { client: watching.client });
  const placement = { clusterAffinity: { clusterNames: ['fra'] } };
  await w.controlPlane.create(w.project, 'propagationpolicies', policy('all', { placement }));
  await w.controlPlane.create(w.project, 'deployments', deployment('web', 1));
  const ref = projectRef(w.project, 'apps/v1', 'deployments', 'web');
  const readyReplicas = async (): Promise<unknown> =>
    ((await w.controlPlane.admin.get(ref))['status'] as JsonObject | undefined)?.['readyReplicas'];
  const copy = await w.fra.copy('apps/v1', 'deployments', 'web');
  await w.fra.report('apps/v1', 'deployments', copy, { replicas: 1, readyReplicas: 1 });
  await until('it is gathered', async () => (await readyReplicas()) === 1);
  watching.isRelisting = true;
  await w.controlPlane.admin.delete(ref);
  await w.controlPlane.create(w.project, 'deployments', deployment('web', 1));
  await until('the new one has it too', async () => (await readyReplicas()) === 1);
});

test('a gathered status that no binding tells of is taken back all the same', async () => {
  await using w = await world();
  const create = () => w.controlPlane.create(w.project, 'propagationpolicies', policy('all'));
  await create();
  await w.controlPlane.create(w.project, 'deployments', deployment('web', 1));
  const ref = projectRef(w.project, 'apps/v1', 'deployments', 'web');
  const readyReplicas = async (): Promise<unknown> =>
    ((await w.controlPlane.admin.get(ref))['status'] as JsonObject | undefined)?.['readyReplicas'];
  /** As by a scheduler that was killed before it could write the binding. */
  const gatherAndDie = async (): Promise<void> => {
    {
      await using _first = await startScheduler(w.controlPlane);
      await bindingWhere(w.controlPlane, w.project, 'web', ({ spec }) => spec.clusters?.length === 2);
    }
    const metadata = { name: 'web', namespace: 'default' };
    const body = { apiVersion: 'apps/v1', kind: 'Deployment', metadata };
    await w.controlPlane.scheduler.apply(
      ref,
      { ...body, status: { replicas: 1, readyReplicas: 1 } },
      { fieldManager: 'cellplane', subresource: 'status' },
    );
    assert.equal(await readyReplicas(), 1);
  };
  const takenBack = () => until('it is taken back', async () => (await readyReplicas()) === undefined);
  await gatherAndDie();
  {
    await using _again = await startScheduler(w.controlPlane);
    await takenBack();
  }
  await gatherAndDie();
  await w.controlPlane.admin.delete(projectRef(w.project, policies, 'propagationpolicies', 'all'));
  {
    await using _again = await startScheduler(w.controlPlane);
    await takenBack();
  }
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
  const status = await until('the rest is gathered', async () => {
    const found = (await w.controlPlane.admin.get(ref))['status'] as JsonObject;
    return found['updatedReplicas'] === 1 ? found : undefined;
  });
  assert.equal(status['readyReplicas'], 7);
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
