import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Placement } from '#api/policy/placement.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { aggregated, dynamic } from './algorithm/testing/placements.ts';
import { until } from './testing/control-plane.ts';
import { startEstimator } from './testing/estimator.ts';
import { deployment, policy } from './testing/objects.ts';
import {
  bindingWhere,
  cellRef,
  condition,
  hasOutcome,
  isScheduled,
  policies,
  projectRef,
  startScheduler,
  world,
} from './testing/world.ts';

const aggregatedIn = (...clusterNames: string[]): { readonly placement: Placement } => ({
  placement: { ...aggregated, clusterAffinity: { clusterNames } },
});

test('what is under way counts beside what an estimator says, which cannot know of it', async () => {
  await using estimator = await startEstimator(() => ({ replicas: 4 }));
  const { url } = estimator;
  await using w = await world({ capacity: { pods: 100 }, estimator: { url, timeoutMs: 10_000 } });
  await using _scheduler = await startScheduler(w.controlPlane);
  await w.controlPlane.create(w.project, 'propagationpolicies', policy('all', { placement: aggregated }));
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
});

test('an estimator that has room again is heard of, though nothing tells', async () => {
  let replicas = 1;
  let asked = 0;
  await using estimator = await startEstimator(() => {
    asked++;
    return { replicas };
  });
  const { url } = estimator;
  await using w = await world({ capacity: { pods: 10 }, estimator: { url, timeoutMs: 10_000 } });
  await using _scheduler = await startScheduler(w.controlPlane, { estimateAgainMs: 100 });
  await w.controlPlane.create(w.project, 'propagationpolicies', policy('all', { placement: aggregated }));
  await w.controlPlane.create(w.project, 'deployments', deployment('web', 6));
  // Both cells were asked, and have room for two together.
  await until('both are asked', () => asked >= 2);
  replicas = 8;
  await bindingWhere(w.controlPlane, w.project, 'web', isScheduled);
});

test('freed capacity wakes what waits for it', async () => {
  await using w = await world({ capacity: { pods: 2 } });
  await using _scheduler = await startScheduler(w.controlPlane);
  await w.controlPlane.create(w.project, 'propagationpolicies', policy('all', { placement: dynamic }));
  await w.controlPlane.create(w.project, 'deployments', deployment('web', 6));
  const waiting = await bindingWhere(w.controlPlane, w.project, 'web', hasOutcome('Unschedulable'));
  assert.deepEqual(waiting.spec.clusters, []);
  await w.controlPlane.admin.patch(cellRef('fra'), {
    type: 'merge',
    body: { spec: { capacity: { pods: 4 } } },
  });
  const placed = await bindingWhere(w.controlPlane, w.project, 'web', isScheduled);
  assert.deepEqual(placed.spec.clusters, [
    { name: 'ams', replicas: 2 },
    { name: 'fra', replicas: 4 },
  ]);
});

test('what fits on no single node waits until it does, though the nodes together have the room', async () => {
  await using w = await world();
  await using _scheduler = await startScheduler(w.controlPlane);
  const tell = (...groups: readonly (readonly [nodes: number, cpu: string])[]): Promise<KubeObject> => {
    const nodeRoom = groups.map(([nodes, cpu]) => ({ nodes, free: { cpu, pods: '100' } }));
    const status = { allocatable: { cpu: '4', pods: '300' }, allocated: { cpu: '1' }, nodeRoom };
    return w.controlPlane.admin.patch(
      cellRef('ams'),
      { type: 'merge', body: { status } },
      { subresource: 'status' },
    );
  };
  await tell([3, '1']);
  await w.controlPlane.create(w.project, 'propagationpolicies', policy('all', aggregatedIn('ams')));
  const containers = [{ name: 'c', image: 'c', resources: { requests: { cpu: '2' } } }];
  await w.controlPlane.create(w.project, 'deployments', deployment('web', 1, { containers }));
  await bindingWhere(w.controlPlane, w.project, 'web', hasOutcome('Unschedulable'));
  await tell([1, '2'], [1, '1']);
  const placed = await bindingWhere(w.controlPlane, w.project, 'web', isScheduled);
  assert.deepEqual(placed.spec.clusters, [{ name: 'ams', replicas: 1 }]);
});

test('room counts on the nodes that a pod template may use, and more of it there wakes', async () => {
  await using w = await world();
  await using _scheduler = await startScheduler(w.controlPlane);
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
    return w.controlPlane.admin.patch(
      cellRef('ams'),
      { type: 'merge', body: { status } },
      { subresource: 'status' },
    );
  };
  await tell('2', '8');
  await w.controlPlane.create(w.project, 'propagationpolicies', policy('all', aggregatedIn('ams')));
  const containers = [{ name: 'c', image: 'c', resources: { requests: { cpu: '1' } } }];
  const on = (disk: string) => ({ containers, nodeSelector: { disk } });
  await w.controlPlane.create(w.project, 'deployments', deployment('slow', 6, on('hdd')));
  await bindingWhere(w.controlPlane, w.project, 'slow', isScheduled);
  // What is under way to nodes with one kind of disks takes nothing of those with the other.
  await w.controlPlane.create(w.project, 'deployments', deployment('small', 2, on('ssd')));
  await bindingWhere(w.controlPlane, w.project, 'small', isScheduled);
  await w.controlPlane.create(w.project, 'deployments', deployment('fast', 3, on('ssd')));
  await bindingWhere(w.controlPlane, w.project, 'fast', hasOutcome('Unschedulable'));
  // As much in all as before, but elsewhere.
  await tell('5', '5');
  await bindingWhere(w.controlPlane, w.project, 'fast', isScheduled);
});

test('room that was to be taken and is not wakes what waits for it, though no cell tells of it', async () => {
  await using w = await world({ capacity: { pods: 3 } });
  await using _scheduler = await startScheduler(w.controlPlane);
  await w.controlPlane.create(w.project, 'propagationpolicies', policy('all', aggregatedIn('ams')));
  await w.controlPlane.create(w.project, 'deployments', deployment('first', 3));
  await bindingWhere(w.controlPlane, w.project, 'first', isScheduled);
  for (const [name, replicas] of [
    ['second', 1],
    ['third', 2],
  ] as const) {
    await w.controlPlane.create(w.project, 'deployments', deployment(name, replicas));
    await bindingWhere(w.controlPlane, w.project, name, hasOutcome('Unschedulable'));
  }
  const first = projectRef(w.project, 'apps/v1', 'deployments', 'first');
  await w.controlPlane.admin.patch(first, { type: 'merge', body: { spec: { replicas: 2 } } });
  await bindingWhere(w.controlPlane, w.project, 'second', isScheduled);
  await w.controlPlane.admin.delete(first);
  await bindingWhere(w.controlPlane, w.project, 'third', isScheduled);
});

test('what is bound counts where nobody says what is taken, however it was divided, over a restart too', async () => {
  await using w = await world({ capacity: { pods: 3 } });
  const { controlPlane, project } = w;
  const duplicated = policy('everywhere', {
    resourceSelectors: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'first' }],
  });
  await controlPlane.create(project, 'propagationpolicies', duplicated);
  await controlPlane.create(project, 'propagationpolicies', policy('ams', aggregatedIn('ams')));
  {
    await using _scheduler = await startScheduler(controlPlane);
    await controlPlane.create(project, 'deployments', deployment('first', 2));
    await bindingWhere(controlPlane, project, 'first', isScheduled);
    await controlPlane.create(project, 'deployments', deployment('second', 2));
    await bindingWhere(controlPlane, project, 'second', hasOutcome('Unschedulable'));
  }
  await controlPlane.create(project, 'deployments', deployment('third', 3));
  await using _scheduler = await startScheduler(controlPlane);
  await bindingWhere(controlPlane, project, 'third', hasOutcome('Unschedulable'));
  const first = projectRef(project, 'apps/v1', 'deployments', 'first');
  await controlPlane.admin.patch(first, { type: 'merge', body: { spec: { replicas: 1 } } });
  await bindingWhere(controlPlane, project, 'second', isScheduled);
  await controlPlane.admin.delete(first);
  await controlPlane.admin.delete(projectRef(project, 'apps/v1', 'deployments', 'second'));
  await bindingWhere(controlPlane, project, 'third', isScheduled);
});

test('replicas that are there count once in a cell whose pods are watched, before they are well', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  await using _scheduler = await startScheduler(controlPlane, { landedMs: 100 });
  const tell = (status: JsonObject) =>
    controlPlane.admin.patch(cellRef('ams'), { type: 'merge', body: { status } }, { subresource: 'status' });
  const watched = { type: 'NodesWatched', status: 'True', reason: 'Watched' };
  const lastTransitionTime = '2026-01-01T00:00:00Z';
  const conditions = [{ ...watched, message: '', lastTransitionTime }];
  await tell({ conditions, allocatable: { pods: 5 }, allocated: { pods: 0 } });
  await controlPlane.create(project, 'propagationpolicies', policy('all', aggregatedIn('ams')));
  await controlPlane.create(project, 'deployments', deployment('first', 3));
  const copy = await w.ams.copy('apps/v1', 'deployments', 'first');
  await tell({ allocated: { pods: 3 } });
  // Who knows the label knows what was told before.
  await controlPlane.admin.patch(cellRef('ams'), {
    type: 'merge',
    body: { metadata: { labels: { told: 'yes' } } },
  });
  await controlPlane.create(
    project,
    'propagationpolicies',
    policy('second', {
      resourceSelectors: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'second' }],
      placement: {
        ...aggregated,
        clusterAffinity: { labelSelector: { matchLabels: { told: 'yes' } } },
      },
    }),
  );
  await controlPlane.create(project, 'deployments', deployment('second', 2));
  await bindingWhere(controlPlane, project, 'second', hasOutcome('Unschedulable'));
  const { generation = 1 } = copy.metadata;
  await w.ams.report('apps/v1', 'deployments', copy, { observedGeneration: generation, replicas: 3 });
  await bindingWhere(controlPlane, project, 'second', isScheduled);
});

test('an affinity whose cells lack room leaves the object where it is, until there is room or the platform speaks', async () => {
  // None has room at first, so that nothing is decided by what is not heard of yet.
  await using w = await world({ capacity: { pods: 0 } });
  await using _scheduler = await startScheduler(w.controlPlane);
  await w.controlPlane.create(w.project, 'propagationpolicies', policy('all', aggregatedIn('ams')));
  const change = (name: string, spec: JsonObject) =>
    w.controlPlane.admin.patch(cellRef(name), { type: 'merge', body: { spec } });
  await change('ams', { capacity: { pods: 8 } });
  const wanted = { moves: 3, goes: 5 };
  for (const [name, replicas] of Object.entries(wanted)) {
    await w.controlPlane.create(w.project, 'deployments', deployment(name, replicas));
    await bindingWhere(w.controlPlane, w.project, name, ({ spec }) => spec.clusters?.[0]?.name === 'ams');
  }
  const ref = projectRef(w.project, policies, 'propagationpolicies', 'all');
  await w.controlPlane.admin.patch(ref, { type: 'merge', body: { spec: aggregatedIn('fra') } });
  for (const [name, replicas] of Object.entries(wanted)) {
    const kept = await bindingWhere(w.controlPlane, w.project, name, hasOutcome('Unschedulable'));
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
