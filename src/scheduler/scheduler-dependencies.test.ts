import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import { until } from './testing/control-plane.ts';
import { configMap, deployment, policy } from './testing/objects.ts';
import { bindings, bindingWhere, policies, projectRef, startScheduler, world } from './testing/world.ts';

const pod: JsonObject = {
  serviceAccountName: 'runner',
  volumes: [{ name: 'v', configMap: { name: 'config' } }],
};
const onlyDeployments = { resourceSelectors: [{ apiVersion: 'apps/v1', kind: 'Deployment' }] };
const inFra = { placement: { clusterAffinity: { clusterNames: ['fra'] } } };

test('what a workload names goes where it goes, follows it, and goes with it', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  await using _scheduler = await startScheduler(controlPlane);
  await controlPlane.create(
    project,
    'propagationpolicies',
    policy('web', { ...onlyDeployments, ...inFra, propagateDeps: true }),
  );
  await controlPlane.create(project, 'serviceaccounts', {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'runner', namespace: 'default' },
    imagePullSecrets: [{ name: 'pull' }],
  });
  await controlPlane.create(project, 'deployments', deployment('web', 1, pod));
  await w.fra.copy('apps/v1', 'deployments', 'web');
  await w.fra.copy('v1', 'serviceaccounts', 'runner');
  // It came after the workload; and one that what is needed needs.
  await controlPlane.create(project, 'configmaps', configMap('config', { x: '1' }));
  await controlPlane.create(project, 'configmaps', configMap('other'));
  await controlPlane.create(project, 'secrets', {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'pull', namespace: 'default' },
  });
  await w.fra.copy('v1', 'configmaps', 'config');
  await w.fra.copy('v1', 'secrets', 'pull');
  const binding = await bindingWhere(controlPlane, project, 'config', () => true);
  assert.equal(binding.spec.policy, undefined);
  assert.deepEqual(
    binding.spec.requiredBy?.map(({ namespace, resource, resourceName, clusters }) => ({
      namespace,
      resource,
      resourceName,
      clusters,
    })),
    [
      {
        namespace: 'default',
        resource: 'deployments.apps',
        resourceName: 'web',
        clusters: [{ name: 'fra' }],
      },
    ],
  );
  // Its changes follow, and the cells of the workload.
  const config = projectRef(project, 'v1', 'configmaps', 'config');
  await controlPlane.admin.patch(config, { type: 'merge', body: { data: { x: '2' } } });
  await w.fra.copy('v1', 'configmaps', 'config', ({ data }) => (data as JsonObject)['x'] === '2');
  const policyRef = projectRef(project, policies, 'propagationpolicies', 'web');
  await controlPlane.admin.patch(policyRef, { type: 'merge', body: { spec: { placement: null } } });
  await w.ams.copy('v1', 'configmaps', 'config');
  assert.equal((await w.fra.copies('v1', 'configmaps')).length, 1, 'what nobody names stays at home');
  // No longer named: withdrawn, unless a policy selects it itself.
  const web = projectRef(project, 'apps/v1', 'deployments', 'web');
  await controlPlane.create(
    project,
    'propagationpolicies',
    policy('accounts', { resourceSelectors: [{ apiVersion: 'v1', kind: 'ServiceAccount' }], ...inFra }),
  );
  await bindingWhere(controlPlane, project, 'runner', ({ spec }) => spec.policy?.name === 'accounts');
  await controlPlane.admin.delete(web);
  await w.fra.drained('apps/v1', 'deployments');
  await w.fra.drained('v1', 'configmaps');
  await w.ams.drained('v1', 'configmaps');
  await w.ams.drained('v1', 'serviceaccounts');
  await w.fra.copy('v1', 'serviceaccounts', 'runner');
  await bindingWhere(controlPlane, project, 'runner', ({ spec }) => spec.requiredBy === undefined);
});

test('a restart withdraws nothing that is needed, and what is no longer needed', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  {
    await using _scheduler = await startScheduler(controlPlane);
    await controlPlane.create(
      project,
      'propagationpolicies',
      policy('web', { ...onlyDeployments, propagateDeps: true }),
    );
    await controlPlane.create(project, 'configmaps', configMap('config'));
    await controlPlane.create(project, 'deployments', deployment('web', 1, pod));
    await w.fra.copy('v1', 'configmaps', 'config');
    await w.ams.copy('v1', 'configmaps', 'config');
  }
  const before = (await w.fra.copy('v1', 'configmaps', 'config')).metadata.uid;
  {
    await using scheduler = await startScheduler(controlPlane);
    await until('all was looked at', () => scheduler.idle);
    const copy = await w.fra.copy('v1', 'configmaps', 'config');
    assert.equal(copy.metadata.uid, before);
    assert.equal(copy.metadata.deletionTimestamp, undefined);
  }
  const policyRef = projectRef(project, policies, 'propagationpolicies', 'web');
  await controlPlane.admin.patch(policyRef, { type: 'merge', body: { spec: { propagateDeps: false } } });
  await using _scheduler = await startScheduler(controlPlane);
  await w.fra.drained('v1', 'configmaps');
  await w.ams.drained('v1', 'configmaps');
  await until('its binding is gone', async () => {
    const all = await controlPlane.list(project, bindings, 'resourcebindings');
    return all.length === 1;
  });
});
