import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type WorkloadRebalancer, workloadRebalancersGvr } from '#api/policy/workload-rebalancer.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { until } from './testing/control-plane.ts';
import { configMap, deployment, policy } from './testing/objects.ts';
import {
  bindingWhere,
  cellRef,
  condition,
  policies,
  projectRef,
  startScheduler,
  world,
} from './testing/world.ts';

const web = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'default', name: 'web' };
const rebalancer = (spec: WorkloadRebalancer['spec']): KubeObject => ({
  apiVersion: 'apps.karmada.io/v1alpha1',
  kind: 'WorkloadRebalancer',
  metadata: { name: 'now' },
  spec,
});

test('a rebalancer has its workloads decided afresh, tells each result, and goes after its time', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  const one = { spreadConstraints: [{ spreadByField: 'cluster', minGroups: 1, maxGroups: 1 }] };
  await controlPlane.create(project, 'propagationpolicies', policy('all', { placement: one }));
  await controlPlane.create(project, 'deployments', deployment('web', 1));
  const ref = { cluster: project, gvr: workloadRebalancersGvr, name: 'now' };
  {
    await using _scheduler = await startScheduler(controlPlane);
    await w.ams.copy('apps/v1', 'deployments', 'web');
    const taints = [{ key: 'k', effect: 'NoSchedule' }];
    const ams = cellRef('ams');
    await controlPlane.admin.patch(ams, { type: 'merge', body: { spec: { taints } } });
  }
  await using _scheduler = await startScheduler(controlPlane);
  const binding = await bindingWhere(controlPlane, project, 'web', () => true);
  assert.deepEqual(binding.spec.clusters, [{ name: 'ams', replicas: 1 }], 'a taint alone moves nothing');
  const workloads = [web, { ...web, name: 'missing' }];
  const made = await controlPlane.create(project, 'workloadrebalancers', rebalancer({ workloads }));
  const done = await until('the rebalancer is done', async () => {
    const stored = (await controlPlane.admin.get(ref)) as WorkloadRebalancer;
    return stored.status?.finishTime === undefined ? undefined : stored;
  });
  assert.deepEqual(
    done.status?.observedWorkloads?.map(({ workload, result, reason }) => [workload.name, result, reason]),
    [
      ['web', 'Successful', undefined],
      ['missing', 'Failed', 'ReferencedBindingNotFound'],
    ],
  );
  assert.equal(done.status?.observedGeneration, 1);
  const moved = await bindingWhere(
    controlPlane,
    project,
    'web',
    ({ spec }) => spec.clusters?.[0]?.name !== 'ams',
  );
  assert.deepEqual(moved.spec.clusters, [{ name: 'fra', replicas: 1 }]);
  assert.equal(moved.spec.rescheduleTriggeredAt, made.metadata.creationTimestamp);
  await w.fra.copy('apps/v1', 'deployments', 'web');
  await controlPlane.admin.patch(ref, { type: 'merge', body: { spec: { ttlSecondsAfterFinished: 0 } } });
  await until('it is gone', async () => (await controlPlane.find(ref)) === undefined);
});

test('a policy that suspends scheduling places nothing new and moves nothing', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  await using _scheduler = await startScheduler(controlPlane);
  await controlPlane.create(
    project,
    'propagationpolicies',
    policy('all', { suspension: { scheduling: true } }),
  );
  await controlPlane.create(project, 'configmaps', configMap('a'));
  const binding = await bindingWhere(controlPlane, project, 'a', () => true);
  assert.deepEqual(binding.spec.clusters, []);
  assert.equal(condition(binding, 'Scheduled')?.reason, 'SchedulingSuspended');
  const ref = projectRef(project, policies, 'propagationpolicies', 'all');
  await controlPlane.admin.patch(ref, { type: 'merge', body: { spec: { suspension: null } } });
  await w.fra.copy('v1', 'configmaps', 'a');
});
