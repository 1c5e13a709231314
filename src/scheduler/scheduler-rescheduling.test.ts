import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withCondition } from '#api/conditions.ts';
import type { Cell } from '#api/federation/cell.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { dynamic } from './algorithm/testing/placements.ts';
import { startEstimator } from './testing/estimator.ts';
import { deployment, policy } from './testing/objects.ts';
import { Syncer } from './testing/syncer.ts';
import { bindingWhere, cellRef, condition, startScheduler, type World, world } from './testing/world.ts';

const deployments = { resourceSelectors: [{ apiVersion: 'apps/v1', kind: 'Deployment' }] };

const shares = (w: World, expected: string) =>
  bindingWhere(w.controlPlane, w.project, 'web', ({ spec }) => {
    return (spec.clusters ?? []).map(({ name, replicas }) => `${name} ${replicas}`).join() === expected;
  });

const report = (syncer: Syncer, copy: KubeObject, replicas: number, ready: number) =>
  syncer.report('apps/v1', 'deployments', copy, {
    observedGeneration: copy.metadata.generation ?? 1,
    replicas,
    updatedReplicas: replicas,
    readyReplicas: ready,
    availableReplicas: ready,
  });

test('replicas that do not run move to where there is room, and are told about', async () => {
  await using w = await world({ capacity: { pods: '10' } });
  const { controlPlane, project } = w;
  {
    await using _scheduler = await startScheduler(controlPlane);
    const reschedule = { unschedulable: { afterSeconds: 1 } };
    await controlPlane.create(
      project,
      'propagationpolicies',
      policy('all', { ...deployments, placement: dynamic, reschedule }),
    );
    await controlPlane.create(project, 'deployments', deployment('web', 8));
    await shares(w, 'ams 4,fra 4');
    await report(w.ams, await w.ams.copy('apps/v1', 'deployments', 'web'), 4, 4);
    await report(w.fra, await w.fra.copy('apps/v1', 'deployments', 'web'), 4, 1);
    await bindingWhere(controlPlane, project, 'web', ({ status }) => {
      const { missingSince = [], limited } = status?.failover ?? {};
      const isSeen = missingSince.some(({ cluster, replicas }) => cluster === 'fra' && replicas === 3);
      // On a slow machine its time may be over before anybody looks.
      return isSeen || limited !== undefined;
    });
  }
  // Another scheduler takes over, and the time goes on running.
  await using _again = await startScheduler(controlPlane);
  const binding = await shares(w, 'ams 7,fra 1');
  assert.equal(condition(binding, 'Scheduled')?.status, 'True');
  assert.match(condition(binding, 'Scheduled')?.message ?? '', /at most 1 in fra: more did not run/);
  assert.deepEqual(
    binding.status?.failover?.limited?.map(({ cluster, replicas, times }) => [cluster, replicas, times]),
    [['fra', 1, 1]],
  );
});

test('of replicas that do not run only those without a node move, where the cell’s estimator tells', async () => {
  const questions: JsonObject[] = [];
  await using estimator = await startEstimator((question) => {
    questions.push(question);
    return { replicas: 100, unschedulableReplicas: 1 };
  });
  await using w = await world({ capacity: { pods: '10' } });
  const { controlPlane, project } = w;
  const body = { spec: { estimator: { url: estimator.url, timeoutMs: 10_000 } } };
  await controlPlane.admin.patch(cellRef('fra'), { type: 'merge', body });
  await using _scheduler = await startScheduler(controlPlane);
  const spec = { ...deployments, placement: dynamic, reschedule: { unschedulable: { afterSeconds: 1 } } };
  await controlPlane.create(project, 'propagationpolicies', policy('all', spec));
  await controlPlane.create(project, 'deployments', deployment('web', 8));
  await shares(w, 'ams 4,fra 4');
  await report(w.ams, await w.ams.copy('apps/v1', 'deployments', 'web'), 4, 4);
  const copy = await w.fra.copy('apps/v1', 'deployments', 'web');
  await report(w.fra, copy, 4, 1);
  const binding = await shares(w, 'ams 5,fra 3');
  assert.match(condition(binding, 'Scheduled')?.message ?? '', /at most 3 in fra/);
  const { namespace = '', name = '' } = copy.metadata;
  assert.deepEqual(
    questions.find(({ kind }) => kind === 'UnschedulableRequest'),
    {
      apiVersion: 'federation.cellplane.io/v1alpha1',
      kind: 'UnschedulableRequest',
      resource: { apiVersion: 'apps/v1', kind: 'Deployment', namespace, name },
      afterSeconds: 1,
    },
  );
});

test('of replicas that do not run only those without a node move, where the federator watches pods', async () => {
  await using w = await world({ capacity: { pods: '10' } });
  const { controlPlane, project } = w;
  await using _scheduler = await startScheduler(controlPlane);
  const spec = { ...deployments, placement: dynamic, reschedule: { unschedulable: { afterSeconds: 1 } } };
  await controlPlane.create(project, 'propagationpolicies', policy('all', spec));
  await controlPlane.create(project, 'deployments', deployment('web', 8));
  await shares(w, 'ams 4,fra 4');
  const copy = await w.fra.copy('apps/v1', 'deployments', 'web');
  const { namespace = '', name = '' } = copy.metadata;
  const tell = async (workloads: JsonObject[], others?: number) => {
    const { status } = (await controlPlane.admin.get(cellRef('fra'))) as Cell;
    const watched = { type: 'NodesWatched', status: 'True', reason: 'Watched', message: '' } as const;
    const conditions = withCondition(status?.conditions, watched, '2026-01-01T00:00:00Z');
    const unschedulable = { workloads, ...(others === undefined ? {} : { others }) };
    const body = { status: { conditions: [...conditions], unschedulable } };
    await controlPlane.admin.patch(cellRef('fra'), { type: 'merge', body }, { subresource: 'status' });
  };
  await tell([{ kind: 'Deployment', namespace, name: 'other', pods: 3 }]);
  await report(w.ams, await w.ams.copy('apps/v1', 'deployments', 'web'), 4, 4);
  await report(w.fra, copy, 4, 1);
  const crashing = await bindingWhere(controlPlane, project, 'web', (binding) => {
    return (condition(binding, 'Scheduled')?.message ?? '').includes('not for want of a node: 3 in fra');
  });
  assert.deepEqual(
    crashing.spec.clusters?.map(({ name: cell, replicas }) => `${cell} ${replicas}`),
    ['ams 4', 'fra 4'],
  );
  await tell([{ kind: 'Deployment', namespace, name, pods: 2 }]);
  const binding = await shares(w, 'ams 6,fra 2');
  assert.match(condition(binding, 'Scheduled')?.message ?? '', /at most 2 in fra/);
});

test('replicas that run nowhere else stay, until a cell has room', async () => {
  await using w = await world({ capacity: { pods: '4' } });
  const { controlPlane, project } = w;
  await using _scheduler = await startScheduler(controlPlane);
  const spec = { ...deployments, placement: dynamic, reschedule: { unschedulable: { afterSeconds: 1 } } };
  await controlPlane.create(project, 'propagationpolicies', policy('all', spec));
  await controlPlane.create(project, 'deployments', deployment('web', 8));
  await shares(w, 'ams 4,fra 4');
  await report(w.ams, await w.ams.copy('apps/v1', 'deployments', 'web'), 4, 4);
  await report(w.fra, await w.fra.copy('apps/v1', 'deployments', 'web'), 4, 0);
  const stuck = await bindingWhere(controlPlane, project, 'web', (binding) => {
    return (condition(binding, 'Scheduled')?.message ?? '').includes('have no other place');
  });
  assert.equal(condition(stuck, 'Scheduled')?.status, 'True');
  await controlPlane.admin.patch(cellRef('ams'), {
    type: 'merge',
    body: { spec: { capacity: { pods: '20' } } },
  });
  await shares(w, 'ams 8');
});

test('a cell that joins is used by what asks for it, and by nothing else', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  await using scheduler = await startScheduler(controlPlane);
  const named = (name: string) => [{ apiVersion: 'apps/v1', kind: 'Deployment', name }];
  await controlPlane.create(
    project,
    'propagationpolicies',
    policy('asks', {
      resourceSelectors: named('web'),
      placement: dynamic,
      reschedule: { triggers: ['CellJoined'] },
    }),
  );
  await controlPlane.create(
    project,
    'propagationpolicies',
    policy('asks-not', { resourceSelectors: named('api'), placement: dynamic }),
  );
  for (const name of ['api', 'web']) await controlPlane.create(project, 'deployments', deployment(name, 6));
  await shares(w, 'ams 3,fra 3');
  await bindingWhere(controlPlane, project, 'api', ({ spec }) => spec.clusters?.length === 2);
  await controlPlane.cell('waw');
  await shares(w, 'ams 2,fra 2,waw 2');
  await new Syncer(controlPlane, 'waw').copy('apps/v1', 'deployments', 'web');
  assert.equal(scheduler.ready, true);
  await bindingWhere(controlPlane, project, 'api', ({ spec }) => spec.clusters?.length === 2);
});
