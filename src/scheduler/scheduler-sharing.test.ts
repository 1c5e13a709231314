// docs/federation-contract.md: FA4
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resourceBindingsGvr } from '#api/work/group.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { aggregated } from './algorithm/testing/placements.ts';
import { type ControlPlane, gvrOf, until } from './testing/control-plane.ts';
import { HalfOfTheLanes, projectsOfBoth } from './testing/half-of-the-lanes.ts';
import { configMap, deployment, policy } from './testing/objects.ts';
import { bindingWhere, cellRef, hasOutcome, projectRef, startScheduler, world } from './testing/world.ts';

const containers = [{ name: 'c', image: 'c', resources: { requests: { cpu: '500m' } } }];
const placement = {
  clusterAffinity: { clusterNames: ['ams'] },
  ...aggregated,
};

function replicasOf(controlPlane: ControlPlane, project: string, replicas: number) {
  const body = { spec: { replicas } };
  const ref = projectRef(project, 'apps/v1', 'deployments', 'web');
  return controlPlane.admin.patch(ref, { type: 'merge', body });
}

for (const [what, told] of [
  ['only what there is', { allocatable: { cpu: '4', pods: '100' } }],
  [
    'what is free, before what is under way can be told',
    { allocatable: { cpu: '4', pods: '100' }, allocated: {} },
  ],
] as const satisfies readonly (readonly [string, JsonObject])[]) {
  test(`two schedulers fill a cell no further than it goes: it tells ${what}`, async () => {
    await using w = await world();
    const { controlPlane } = w;
    const ams = {
      cluster: 'root:cells',
      gvr: gvrOf('federation.cellplane.io/v1alpha1', 'cells'),
      name: 'ams',
    };
    await controlPlane.admin.patch(ams, { type: 'merge', body: { status: told } }, { subresource: 'status' });
    const projects = await projectsOfBoth(controlPlane, w.project);
    const [first = '', last = ''] = [projects[0], projects.at(-1)];
    for (const project of [first, last])
      await controlPlane.create(project, 'propagationpolicies', policy('all', { placement }));
    const sharing = new HalfOfTheLanes(1);
    await using _even = await startScheduler(controlPlane, { sharing: () => new HalfOfTheLanes(0) });
    {
      await using _odd = await startScheduler(controlPlane, { sharing: () => sharing });
      await controlPlane.create(first, 'deployments', deployment('web', 5, { containers }));
      const { spec } = await bindingWhere(controlPlane, first, 'web', hasOutcome('Success'));
      assert.deepEqual(spec.replicaRequirements, { resourceRequest: { cpu: '500m' } });
      // Of eight places five are taken by a project that the other scheduler decides for.
      await controlPlane.create(last, 'deployments', deployment('web', 4, { containers }));
      await bindingWhere(controlPlane, last, 'web', hasOutcome('Unschedulable'));
      await replicasOf(controlPlane, first, 4);
      await bindingWhere(controlPlane, last, 'web', hasOutcome('Success'));
      await replicasOf(controlPlane, first, 5);
      await bindingWhere(controlPlane, first, 'web', hasOutcome('Unschedulable'));
      // What was its own counts on when another decides about it, and not twice when it is its own again.
      sharing.hand(true);
      sharing.hand(false);
      await replicasOf(controlPlane, last, 3);
      await bindingWhere(controlPlane, first, 'web', hasOutcome('Success'));
      await replicasOf(controlPlane, last, 4);
      await bindingWhere(controlPlane, last, 'web', hasOutcome('Unschedulable'));
    }
    // Nor does a restart forget what others took.
    await using _odd = await startScheduler(controlPlane, { sharing: () => new HalfOfTheLanes(1) });
    await controlPlane.create(last, 'deployments', deployment('late', 1, { containers }));
    await bindingWhere(controlPlane, last, 'late', hasOutcome('Unschedulable'));
    await controlPlane.admin.delete(projectRef(first, 'apps/v1', 'deployments', 'web'));
    await bindingWhere(controlPlane, last, 'late', hasOutcome('Success'));
  });
}

test('what another scheduler has under way takes room on the nodes that it may come to, and on no others', async () => {
  await using w = await world();
  const { controlPlane } = w;
  const ams = cellRef('ams');
  const free = { cpu: '2', pods: '100' };
  const status = {
    allocatable: { cpu: '4', pods: '200' },
    allocated: {},
    nodeKinds: { kinds: [{ labels: { disk: 'ssd' } }, {}] },
    nodeRoom: [
      { nodes: 1, free, kind: 0 },
      { nodes: 1, free, kind: 1 },
    ],
  };
  await controlPlane.admin.patch(ams, { type: 'merge', body: { status } }, { subresource: 'status' });
  const projects = await projectsOfBoth(controlPlane, w.project);
  const [first = '', last = ''] = [projects[0], projects.at(-1)];
  for (const project of [first, last])
    await controlPlane.create(project, 'propagationpolicies', policy('all', { placement }));
  await using _even = await startScheduler(controlPlane, { sharing: () => new HalfOfTheLanes(0) });
  await using _odd = await startScheduler(controlPlane, { sharing: () => new HalfOfTheLanes(1) });
  const onSsd = { containers, nodeSelector: { disk: 'ssd' } };
  await controlPlane.create(first, 'deployments', deployment('web', 4, onSsd));
  const { spec } = await bindingWhere(controlPlane, first, 'web', hasOutcome('Success'));
  assert.deepEqual(spec.replicaRequirements?.nodeClaim, { nodeSelector: { disk: 'ssd' } });
  await controlPlane.create(last, 'deployments', deployment('fast', 1, onSsd));
  await bindingWhere(controlPlane, last, 'fast', hasOutcome('Unschedulable'));
  const terms = [{ matchExpressions: [{ key: 'disk', operator: 'DoesNotExist' }] }];
  const nodeAffinity = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } };
  const elsewhere = { containers, affinity: { nodeAffinity } };
  await controlPlane.create(last, 'deployments', deployment('slow', 4, elsewhere));
  await bindingWhere(controlPlane, last, 'slow', hasOutcome('Success'));
});

/** As a scheduler writes it whose request was under way while the rest of the world went on. */
function asMade({ metadata, ...rest }: KubeObject): KubeObject {
  const made = structuredClone(metadata);
  for (const one of ['uid', 'resourceVersion', 'creationTimestamp', 'generation', 'managedFields'] as const)
    delete made[one];
  return { ...rest, metadata: made };
}

test('what a scheduler that stood still makes of an object that is gone is withdrawn by the other one', async () => {
  await using w = await world();
  const { controlPlane, fra, ams } = w;
  const project = (await projectsOfBoth(controlPlane, w.project)).at(-1) ?? '';
  await using _even = await startScheduler(controlPlane, { sharing: () => new HalfOfTheLanes(0) });
  await using _odd = await startScheduler(controlPlane, { sharing: () => new HalfOfTheLanes(1) });
  await controlPlane.create(project, 'propagationpolicies', policy('all'));
  for (const name of ['a', 'b']) await controlPlane.create(project, 'configmaps', configMap(name));
  const copy = await fra.copy('v1', 'configmaps', 'a');
  for (const name of ['a', 'b']) await ams.copy('v1', 'configmaps', name);
  await fra.copy('v1', 'configmaps', 'b');
  const binding = await bindingWhere(controlPlane, project, 'a', () => true);
  const bindingRef = {
    cluster: project,
    gvr: resourceBindingsGvr,
    namespace: 'default',
    name: binding.metadata.name ?? '',
  };
  const copyRef = {
    cluster: 'root:cells:fra',
    gvr: gvrOf('v1', 'configmaps'),
    namespace: copy.metadata.namespace,
    name: copy.metadata.name ?? '',
  };
  const isGone = async () => {
    for (const cell of [fra, ams]) await cell.release('v1', 'configmaps');
    const left = [await controlPlane.find(bindingRef), await controlPlane.find(copyRef)];
    return left.every((one) => one === undefined);
  };
  await controlPlane.admin.delete(projectRef(project, 'v1', 'configmaps', 'a'));
  await until('all of it is gone', isGone);
  // The project's scheduler has nothing of it in mind any more.
  await controlPlane.scheduler.create(bindingRef, asMade(binding));
  await until('the binding is gone again', isGone);
  await controlPlane.scheduler.apply(copyRef, asMade(copy), {
    fieldManager: 'cellplane-scheduler',
    ifAbsent: true,
  });
  await until('the copy is gone again', isGone);
  await fra.copy('v1', 'configmaps', 'b');
});
