import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '#apimachinery/object.ts';
import { until } from './testing/control-plane.ts';
import { clusterPolicy, configMap, deployment, policy } from './testing/objects.ts';
import { bindingWhere, condition, startScheduler, world } from './testing/world.ts';

test('why an object fits nowhere is told by Events, and of what fits nothing is', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  await using _scheduler = await startScheduler(controlPlane);
  const placement = { clusterAffinity: { clusterNames: ['nowhere'] } };
  const resourceSelectors = [{ apiVersion: 'apps/v1', kind: 'Deployment' }];
  await controlPlane.create(project, 'propagationpolicies', policy('web', { resourceSelectors, placement }));
  const fitting = [{ apiVersion: 'v1', kind: 'ConfigMap' }];
  await controlPlane.create(project, 'propagationpolicies', policy('fits', { resourceSelectors: fitting }));
  await controlPlane.create(
    project,
    'clusterpropagationpolicies',
    clusterPolicy('roles', [['rbac.authorization.k8s.io/v1', 'ClusterRole']]),
  );
  await controlPlane.create(project, 'configmaps', configMap('settings'));
  await controlPlane.create(project, 'deployments', deployment('web', 1));
  await controlPlane.create(project, 'clusterroles', {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: 'Reads:all' },
    rules: [],
  });
  const eventsThere = async () => await controlPlane.list(project, 'v1', 'events');
  const about = (events: readonly KubeObject[], kind: string) =>
    events.find(({ involvedObject }) => (involvedObject as { kind?: string }).kind === kind);
  await until('all is told', async () => (await eventsThere()).length === 4);
  const binding = await bindingWhere(controlPlane, project, 'web', () => true);
  const { message } = condition(binding, 'Scheduled') ?? {};
  const events = await eventsThere();
  const ofDeployment = about(events, 'Deployment');
  const [type, reason] = [ofDeployment?.['type'], ofDeployment?.['reason']];
  const told = `${message}; ams, fra: the policy's affinity (of several the one in use) leaves the cell out`;
  assert.deepEqual([type, reason, ofDeployment?.['message']], ['Warning', 'ScheduleBindingFailed', told]);
  const ofBinding = about(events, 'ResourceBinding')?.['involvedObject'] as { name?: string; uid?: string };
  assert.deepEqual([ofBinding.name, ofBinding.uid], [binding.metadata.name, binding.metadata.uid]);
  const ofRole = about(events, 'ClusterRole');
  assert.equal(ofRole?.metadata.namespace, 'default');
  assert.ok(about(events, 'ClusterResourceBinding'));
});
