import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import { ApiError } from '#apimachinery/api-error.ts';
import type { KubeClient } from '#client/client.ts';
import { until } from './testing/control-plane.ts';
import { configMap, deployment, policy } from './testing/objects.ts';
import { bindingWhere, cellRef, projectRef, startScheduler, withUpdate, world } from './testing/world.ts';

const one = { placement: { spreadConstraints: [{ spreadByField: 'cluster', minGroups: 1, maxGroups: 1 }] } };

test('work leaves a drained cell when it is healthy elsewhere, and what it needs with it', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  await using scheduler = await startScheduler(controlPlane);
  const spec = { resourceSelectors: [{ apiVersion: 'apps/v1', kind: 'Deployment' }], propagateDeps: true };
  await controlPlane.create(project, 'propagationpolicies', policy('one', { ...one, ...spec }));
  await controlPlane.create(project, 'configmaps', configMap('config'));
  const pod = { volumes: [{ name: 'v', configMap: { name: 'config' } }] };
  await controlPlane.create(project, 'deployments', deployment('web', 1, pod));
  await w.ams.copy('apps/v1', 'deployments', 'web');
  await w.ams.copy('v1', 'configmaps', 'config');
  const ams = cellRef('ams');
  const taints = [{ key: 'federation.cellplane.io/drain', effect: 'NoExecute' }];
  await controlPlane.admin.patch(ams, { type: 'merge', body: { spec: { taints } } });
  const copy = await w.fra.copy('apps/v1', 'deployments', 'web');
  const config = await w.fra.copy('v1', 'configmaps', 'config');
  const moving = await bindingWhere(
    controlPlane,
    project,
    'web',
    ({ spec }) => spec.clusters?.[0]?.name === 'fra',
  );
  assert.deepEqual(
    moving.spec.gracefulEvictionTasks?.map(({ fromCluster, reason, replicas }) => [
      fromCluster,
      reason,
      replicas,
    ]),
    [['ams', 'TaintUntolerated', 1]],
  );
  await until('all is done that can be', () => scheduler.idle);
  for (const [apiVersion, resource] of [
    ['apps/v1', 'deployments'],
    ['v1', 'configmaps'],
  ] as const) {
    const [kept] = await w.ams.copies(apiVersion, resource);
    assert.equal(kept?.metadata.deletionTimestamp, undefined, `${resource} stay`);
  }
  await w.fra.report('v1', 'configmaps', config);
  await w.fra.report('apps/v1', 'deployments', copy, {
    observedGeneration: copy.metadata.generation ?? 1,
    replicas: 1,
    updatedReplicas: 1,
    readyReplicas: 1,
    availableReplicas: 1,
  });
  await w.ams.drained('apps/v1', 'deployments');
  await w.ams.drained('v1', 'configmaps');
  await bindingWhere(controlPlane, project, 'web', ({ spec: { gracefulEvictionTasks } }) => {
    return gracefulEvictionTasks === undefined;
  });
});

test('a toleration that runs out moves work by itself, though something else is looked at in between', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  await using _scheduler = await startScheduler(controlPlane);
  const clusterTolerations = [{ key: 'down', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 1 }];
  const spec = {
    resourceSelectors: [{ apiVersion: 'apps/v1', kind: 'Deployment' }],
    placement: { ...one.placement, clusterTolerations },
  };
  await controlPlane.create(project, 'propagationpolicies', policy('one', spec));
  await controlPlane.create(project, 'deployments', deployment('web', 1));
  const copy = await w.ams.copy('apps/v1', 'deployments', 'web');
  const ams = cellRef('ams');
  const taints = [{ key: 'down', effect: 'NoExecute', timeAdded: new Date().toISOString() }];
  await controlPlane.admin.patch(ams, { type: 'merge', body: { spec: { taints } } });
  await w.ams.report('apps/v1', 'deployments', copy, { observedGeneration: 1, replicas: 1 });
  await w.fra.copy('apps/v1', 'deployments', 'web');
});

test('a copy that purgeMode Never leaves goes when somebody lets go of that eviction', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  await using scheduler = await startScheduler(controlPlane);
  const spec = {
    resourceSelectors: [{ apiVersion: 'apps/v1', kind: 'Deployment' }],
    ...one,
    failover: { application: { decisionConditions: { tolerationSeconds: 1 }, purgeMode: 'Never' } },
  };
  await controlPlane.create(project, 'propagationpolicies', policy('one', spec));
  await controlPlane.create(project, 'deployments', deployment('web', 1));
  const copy = await w.ams.copy('apps/v1', 'deployments', 'web');
  const well = { observedGeneration: 1, replicas: 1, updatedReplicas: 1, readyReplicas: 1 };
  await w.ams.report('apps/v1', 'deployments', copy, { ...well, readyReplicas: 0 });
  const elsewhere = await w.fra.copy('apps/v1', 'deployments', 'web');
  await w.fra.report('apps/v1', 'deployments', elsewhere, { ...well, availableReplicas: 1 });
  const { spec: bound } = await bindingWhere(controlPlane, project, 'web', ({ status }) => {
    return status?.aggregatedStatus?.some((item) => item.health === 'Healthy') === true;
  });
  const [task] = bound.gracefulEvictionTasks ?? [];
  assert.deepEqual([task?.fromCluster, task?.purgeMode], ['ams', 'Never']);
  await until('all is done that can be', () => scheduler.idle);
  const [kept] = await w.ams.copies('apps/v1', 'deployments');
  assert.notEqual(kept, undefined);
  assert.equal(kept?.metadata.deletionTimestamp, undefined);
  const annotations = {
    'federation.cellplane.io/released-evictions': `ams/${task?.creationTimestamp ?? ''}`,
  };
  await controlPlane.admin.patch(projectRef(project, 'apps/v1', 'deployments', 'web'), {
    type: 'merge',
    body: { metadata: { annotations } },
  });
  await w.ams.drained('apps/v1', 'deployments');
  await bindingWhere(
    controlPlane,
    project,
    'web',
    ({ spec: now }) => now.gracefulEvictionTasks === undefined,
  );
});

test('a cell is not avoided because of a decision to leave it that was refused', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  const bound: ResourceBinding[] = [];
  let refused = 0;
  const update: KubeClient['update'] = async (ref, object, options) => {
    if (ref.gvr.resource !== 'resourcebindings') return controlPlane.scheduler.update(ref, object, options);
    const binding = object as ResourceBinding;
    const isLeaving = (binding.spec.gracefulEvictionTasks ?? []).length > 0;
    if (isLeaving && refused++ === 0) throw new ApiError('Conflict', 'the object has been modified');
    bound.push(binding);
    return controlPlane.scheduler.update(ref, object, options);
  };
  // The second try has to wait for its turn.
  await using _scheduler = await startScheduler(controlPlane, {
    client: withUpdate(controlPlane, update),
    eviction: { perSecond: 1 },
  });
  const resourceSelectors = [{ apiVersion: 'apps/v1', kind: 'Deployment' }];
  const failover = { application: { decisionConditions: { tolerationSeconds: 1 } } };
  await controlPlane.create(
    project,
    'propagationpolicies',
    policy('one', { resourceSelectors, ...one, failover }),
  );
  await controlPlane.create(project, 'deployments', deployment('web', 1));
  const copy = await w.ams.copy('apps/v1', 'deployments', 'web');
  const unwell = { observedGeneration: 1, replicas: 1, updatedReplicas: 1, readyReplicas: 0 };
  await w.ams.report('apps/v1', 'deployments', copy, unwell);
  await w.fra.copy('apps/v1', 'deployments', 'web');
  assert.equal(refused > 0, true);
  for (const { spec, status } of bound) {
    const avoided = (status?.failover?.avoid ?? []).map(({ cluster }) => cluster);
    const stays = (spec.clusters ?? []).map(({ name }) => name);
    assert.deepEqual(
      stays.filter((cell) => avoided.includes(cell)),
      [],
    );
  }
});
