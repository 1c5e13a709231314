import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import { systemClock } from '#apimachinery/clock.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { aggregated } from './algorithm/testing/placements.ts';
import { until } from './testing/control-plane.ts';
import { edge, imageOf, withImage } from './testing/edge.ts';
import { configMap, deployment, policy } from './testing/objects.ts';
import { Syncer } from './testing/syncer.ts';
import {
  bindingWhere,
  cellRef,
  condition,
  hasOutcome,
  policies,
  projectRef,
  startScheduler,
  type World,
  world,
} from './testing/world.ts';

const deployments = { resourceSelectors: [{ apiVersion: 'apps/v1', kind: 'Deployment' }] };
const oneCell: JsonObject = { spreadConstraints: [{ spreadByField: 'cluster', minGroups: 1, maxGroups: 1 }] };
const canaryInAms = {
  waves: [{ name: 'canary', clusterAffinity: { clusterNames: ['ams'] } }, { name: 'all' }],
};
const old = 'registry.example.com/app:1';

/** Of a Deployment of two replicas. */
const unwell = {
  observedGeneration: 1,
  replicas: 2,
  updatedReplicas: 2,
  readyReplicas: 0,
  availableReplicas: 0,
};

const patchCell = ({ controlPlane }: World, name: string, body: JsonObject) =>
  controlPlane.admin.patch(cellRef(name), { type: 'merge', body });
const taint = (w: World, name: string, effect: string) =>
  patchCell(w, name, { spec: { taints: [{ key: 'k', effect, timeAdded: '2026-01-01T00:00:00Z' }] } });
const patchWeb = ({ controlPlane, project }: World, body: JsonObject) =>
  controlPlane.admin.patch(projectRef(project, 'apps/v1', 'deployments', 'web'), { type: 'merge', body });
const rebalance = ({ controlPlane, project }: World) =>
  controlPlane.create(project, 'workloadrebalancers', {
    apiVersion: 'apps.karmada.io/v1alpha1',
    kind: 'WorkloadRebalancer',
    metadata: { name: 'now' },
    spec: { workloads: [{ apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'default', name: 'web' }] },
  });
const webWhere = (w: World, holds: Parameters<typeof bindingWhere>[3]) =>
  bindingWhere(w.controlPlane, w.project, 'web', holds);
const placedIn = (w: World, cells: string) =>
  webWhere(w, ({ spec }) => (spec.clusters ?? []).map(({ name }) => name).join() === cells);
const phaseIs = (w: World, ...phases: string[]) =>
  webWhere(w, ({ status }) => phases.includes(status?.rollout?.phase ?? ''));
const aMinuteLater = Object.create(systemClock, {
  now: { value: () => systemClock.now() + 61_000 },
}) as typeof systemClock;
const replicasOf = (copy: KubeObject) => (copy['spec'] as JsonObject)['replicas'];

test('a broken change is gone back on in the canary cell, which application failover does not leave', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  await using _ams = edge(w.ams);
  await using _fra = edge(w.fra);
  await using _scheduler = await startScheduler(controlPlane);
  const failover = { application: { decisionConditions: { tolerationSeconds: 1 } } };
  const rollout = { ...canaryInAms, healthTimeoutSeconds: 3 };
  const spec = { ...deployments, failover, rollout };
  await controlPlane.create(project, 'propagationpolicies', policy('web', spec));
  await controlPlane.create(project, 'deployments', deployment('web', 2));
  await phaseIs(w, 'Complete');
  await patchWeb(w, withImage('app:broken'));
  const ended = await webWhere(w, ({ status, spec: { clusters } }) => {
    return status?.rollout?.phase === 'RolledBack' || clusters?.length !== 2;
  });
  assert.equal(ended.status?.rollout?.phase, 'RolledBack');
  assert.equal(ended.spec.clusters?.length, 2);
  assert.deepEqual((await w.fra.copies('apps/v1', 'deployments')).map(imageOf), [old]);
  await w.ams.copy('apps/v1', 'deployments', 'web', (one) => imageOf(one) === old);
});

test('a rollout that paused at what is broken holds application failover, until it goes on', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  await using _ams = edge(w.ams);
  await using _fra = edge(w.fra);
  await using scheduler = await startScheduler(controlPlane);
  const failover = { application: { decisionConditions: { tolerationSeconds: 0 } } };
  const rollout = { ...canaryInAms, healthTimeoutSeconds: 1, onFailure: 'Pause' };
  const spec = { ...deployments, failover, rollout };
  await controlPlane.create(project, 'propagationpolicies', policy('web', spec));
  await controlPlane.create(project, 'deployments', deployment('web', 2));
  await phaseIs(w, 'Complete');
  await patchWeb(w, withImage('app:broken'));
  const isBroken = (binding: ResourceBinding) =>
    binding.status?.aggregatedStatus?.some((one) => one.health === 'Unhealthy') === true;
  await webWhere(w, (one) => one.status?.rollout?.phase === 'Paused' && isBroken(one));
  // Something that has it decided anew, and long after all that failover waits for.
  await rebalance(w);
  const held = await webWhere(w, (one) => one.spec.rescheduleTriggeredAt !== undefined);
  assert.equal(held.spec.clusters?.length, 2);
  await until('all is done that can be', () => scheduler.idle);
  const { spec: bound, status } = await placedIn(w, 'ams,fra');
  assert.deepEqual([bound.gracefulEvictionTasks, status?.rollout?.phase], [undefined, 'Paused']);
  assert.deepEqual((await w.fra.copies('apps/v1', 'deployments')).map(imageOf), [old]);
  await patchWeb(w, withImage('app:2'));
  await w.fra.copy('apps/v1', 'deployments', 'web', (one) => imageOf(one) === 'app:2');
  await phaseIs(w, 'Complete');
});

test('a canary cell that is lost before it told of the change lets it go nowhere else', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  await using _fra = edge(w.fra);
  {
    await using _ams = edge(w.ams);
    await using _scheduler = await startScheduler(controlPlane);
    const spec = { ...deployments, rollout: { ...canaryInAms, healthTimeoutSeconds: 60 } };
    await controlPlane.create(project, 'propagationpolicies', policy('web', spec));
    await controlPlane.create(project, 'deployments', deployment('web', 2));
    await placedIn(w, 'ams,fra');
    await phaseIs(w, 'Complete');
  }
  {
    await using _scheduler = await startScheduler(controlPlane);
    await patchWeb(w, withImage('app:2'));
    await w.ams.copy('apps/v1', 'deployments', 'web', (one) => imageOf(one) === 'app:2');
    await controlPlane.admin.delete(cellRef('ams'));
    await webWhere(w, ({ status }) => status?.rollout?.message?.includes('none of its cells') === true);
  }
  await using _scheduler = await startScheduler(controlPlane, { clock: aMinuteLater });
  const { status } = await phaseIs(w, 'Complete', 'RolledBack');
  assert.equal(status?.rollout?.phase, 'RolledBack');
  assert.equal(status?.rollout?.message, 'wave canary has none of its cells any more');
  assert.deepEqual((await w.fra.copies('apps/v1', 'deployments')).map(imageOf), [old]);
});

test('an unhealthy object that can go nowhere else is decided about once', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  await using scheduler = await startScheduler(controlPlane);
  const failover = { application: { decisionConditions: { tolerationSeconds: 0 } } };
  const spec = { ...deployments, failover, placement: { clusterAffinity: { clusterNames: ['ams'] } } };
  await controlPlane.create(project, 'propagationpolicies', policy('web', spec));
  await controlPlane.create(project, 'deployments', deployment('web', 2));
  const copy = await w.ams.copy('apps/v1', 'deployments', 'web');
  await w.ams.report('apps/v1', 'deployments', copy, unwell);
  await webWhere(w, (one) => /it stays where it is/.test(condition(one, 'Scheduled')?.message ?? ''));
  await until('all is done that can be', () => scheduler.idle);
  await placedIn(w, 'ams');
});

test('a rollout goes on though the scheduler was away for longer than it waits', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  const rollout = { ...canaryInAms, healthTimeoutSeconds: 60 };
  await using _fra = edge(w.fra);
  {
    await using _ams = edge(w.ams);
    await using _scheduler = await startScheduler(controlPlane);
    await controlPlane.create(project, 'propagationpolicies', policy('web', { ...deployments, rollout }));
    await controlPlane.create(project, 'deployments', deployment('web', 2));
    await phaseIs(w, 'Complete');
  }
  {
    await using _scheduler = await startScheduler(controlPlane);
    await patchWeb(w, withImage('app:2'));
    await phaseIs(w, 'Progressing');
    await w.ams.copy('apps/v1', 'deployments', 'web', (one) => imageOf(one) === 'app:2');
  }
  await using _ams = edge(w.ams);
  await until('the edge has told', async () => {
    const [copy] = await w.ams.copies('apps/v1', 'deployments');
    return (
      copy !== undefined && (copy['status'] as JsonObject)['observedGeneration'] === copy.metadata.generation
    );
  });
  await using _scheduler = await startScheduler(controlPlane, { clock: aMinuteLater });
  const { status } = await phaseIs(w, 'Complete', 'RolledBack');
  assert.equal(status?.rollout?.phase, 'Complete', status?.rollout?.message);
});
test('a rebalancer during a rollout: who comes has what was before until its wave, and the rollout goes on', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  await controlPlane.cell('par');
  const par = new Syncer(controlPlane, 'par');
  await using _fra = edge(w.fra);
  await using _par = edge(par);
  await using _scheduler = await startScheduler(controlPlane);
  const placement = { spreadConstraints: [{ spreadByField: 'cluster', minGroups: 2, maxGroups: 2 }] };
  const spec = { ...deployments, placement, rollout: canaryInAms };
  await controlPlane.create(project, 'propagationpolicies', policy('web', spec));
  await controlPlane.create(project, 'deployments', deployment('web', 2));
  await placedIn(w, 'ams,fra');
  await phaseIs(w, 'Complete');
  await patchWeb(w, withImage('app:2'));
  await phaseIs(w, 'Progressing');
  await taint(w, 'fra', 'NoSchedule');
  await rebalance(w);
  const { status } = await placedIn(w, 'ams,par');
  assert.equal(status?.rollout?.phase, 'Progressing');
  assert.equal(imageOf(await par.copy('apps/v1', 'deployments', 'web')), old);
  await using _ams = edge(w.ams);
  await w.fra.drained('apps/v1', 'deployments');
  await par.copy('apps/v1', 'deployments', 'web', (one) => imageOf(one) === 'app:2');
  await phaseIs(w, 'Complete');
});

test('a cell deleted during a rollout is waited for no more', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  await using _ams = edge(w.ams);
  await using _scheduler = await startScheduler(controlPlane);
  const then = { name: 'then', clusterAffinity: { clusterNames: ['fra'] } };
  const rollout = { waves: [canaryInAms.waves[0], then, { name: 'last', approval: true }] } as JsonObject;
  await controlPlane.create(project, 'propagationpolicies', policy('web', { ...deployments, rollout }));
  await controlPlane.create(project, 'deployments', deployment('web', 2));
  await placedIn(w, 'ams,fra');
  await phaseIs(w, 'Complete');
  await patchWeb(w, withImage('app:2'));
  await w.fra.copy('apps/v1', 'deployments', 'web', (one) => imageOf(one) === 'app:2');
  await webWhere(w, ({ status }) => /waits for fra/.test(status?.rollout?.message ?? ''));
  await controlPlane.admin.delete(cellRef('fra'));
  const { status } = await phaseIs(w, 'Complete');
  assert.deepEqual([status?.rollout?.cells, status?.rollout?.wave], [1, 2]);
});

test('a rollout does not wait for a copy that failover left behind for good', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  await using _fra = edge(w.fra);
  await using _scheduler = await startScheduler(controlPlane);
  const application = { decisionConditions: { tolerationSeconds: 0 }, purgeMode: 'Never' };
  const spec = { ...deployments, placement: oneCell, failover: { application }, rollout: canaryInAms };
  await controlPlane.create(project, 'propagationpolicies', policy('web', spec));
  await controlPlane.create(project, 'deployments', deployment('web', 2));
  const copy = await w.ams.copy('apps/v1', 'deployments', 'web');
  await w.ams.report('apps/v1', 'deployments', copy, unwell);
  await placedIn(w, 'fra');
  await patchWeb(w, withImage('app:2'));
  await w.fra.copy('apps/v1', 'deployments', 'web', (one) => imageOf(one) === 'app:2');
  const { spec: bound } = await phaseIs(w, 'Complete');
  assert.equal(bound.gracefulEvictionTasks?.[0]?.fromCluster, 'ams');
});

test('what is scaled while it fails over has its new size where it goes, and its old one where it leaves', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  await using _ams = edge(w.ams);
  await using _scheduler = await startScheduler(controlPlane);
  const spec = { ...deployments, placement: oneCell };
  await controlPlane.create(project, 'propagationpolicies', policy('web', spec));
  await controlPlane.create(project, 'deployments', deployment('web', 3));
  await placedIn(w, 'ams');
  await taint(w, 'ams', 'NoExecute');
  await placedIn(w, 'fra');
  for (const replicas of [5, 1]) {
    await patchWeb(w, { spec: { replicas } });
    await w.fra.copy('apps/v1', 'deployments', 'web', (one) => replicasOf(one) === replicas);
    const { spec: bound } = await placedIn(w, 'fra');
    assert.deepEqual(
      bound.gracefulEvictionTasks?.map((task) => [task.fromCluster, task.replicas]),
      [['ams', 3]],
    );
    assert.deepEqual((await w.ams.copies('apps/v1', 'deployments')).map(replicasOf), [3]);
  }
  await using _fra = edge(w.fra);
  await w.ams.drained('apps/v1', 'deployments');
  await webWhere(w, ({ spec: { gracefulEvictionTasks } }) => gracefulEvictionTasks === undefined);
});

const leaves = (w: World, cell: string | undefined) =>
  webWhere(w, ({ spec }) => {
    return (spec.gracefulEvictionTasks ?? []).map(({ fromCluster }) => fromCluster).join() === (cell ?? '');
  });

test('what finds no room during a graceful eviction keeps the copy that it leaves, until it is well elsewhere', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  for (const cell of ['ams', 'fra']) await patchCell(w, cell, { spec: { capacity: { pods: '6' } } });
  await using scheduler = await startScheduler(controlPlane);
  const spec = { ...deployments, placement: aggregated };
  await controlPlane.create(project, 'propagationpolicies', policy('web', spec));
  await controlPlane.create(project, 'deployments', deployment('web', 5));
  await placedIn(w, 'ams');
  await taint(w, 'ams', 'NoExecute');
  await placedIn(w, 'fra');
  await patchWeb(w, { spec: { replicas: 9 } });
  await webWhere(w, hasOutcome('Unschedulable'));
  await using _fra = edge(w.fra);
  await webWhere(
    w,
    ({ status }) => status?.aggregatedStatus?.some((one) => one.health === 'Healthy') === true,
  );
  await until('all is done that can be', () => scheduler.idle);
  await leaves(w, 'ams');
  assert.equal((await w.ams.copies('apps/v1', 'deployments'))[0]?.metadata.deletionTimestamp, undefined);
  await patchCell(w, 'fra', { spec: { capacity: { pods: '20' } } });
  await w.ams.drained('apps/v1', 'deployments');
  await leaves(w, undefined);
});

test('what is suspended during a graceful eviction stays where it is, and leaves when that is over', async () => {
  for (const suspension of [{ scheduling: true }, { dispatching: true }]) {
    await using w = await world();
    const { controlPlane, project } = w;
    await using scheduler = await startScheduler(controlPlane);
    const spec = { ...deployments, placement: oneCell };
    await controlPlane.create(project, 'propagationpolicies', policy('web', spec));
    await controlPlane.create(project, 'deployments', deployment('web', 2));
    await placedIn(w, 'ams');
    await taint(w, 'ams', 'NoExecute');
    await placedIn(w, 'fra');
    await w.fra.copy('apps/v1', 'deployments', 'web');
    const suspend = (value: JsonObject | null) =>
      controlPlane.admin.patch(projectRef(project, policies, 'propagationpolicies', 'web'), {
        type: 'merge',
        body: { spec: { suspension: value, priority: value === null ? 2 : 1 } },
      });
    await suspend(suspension);
    if ('scheduling' in suspension) await webWhere(w, hasOutcome('SchedulingSuspended'));
    else await until('all is done that can be', () => scheduler.idle);
    await using _fra = edge(w.fra);
    await webWhere(
      w,
      ({ status }) => status?.aggregatedStatus?.some((one) => one.health === 'Healthy') === true,
    );
    await until('all is done that can be', () => scheduler.idle);
    const [kept] = await w.ams.copies('apps/v1', 'deployments');
    assert.ok(
      kept !== undefined && kept.metadata.deletionTimestamp === undefined,
      JSON.stringify(suspension),
    );
    await suspend(null);
    await w.ams.drained('apps/v1', 'deployments');
    await leaves(w, undefined);
  }
});

test('a policy that takes over during a graceful eviction lets it end, without going back', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  await controlPlane.cell('par');
  const par = new Syncer(controlPlane, 'par');
  await using scheduler = await startScheduler(controlPlane);
  const spec = { ...deployments, placement: oneCell };
  await controlPlane.create(project, 'propagationpolicies', policy('web', spec));
  await controlPlane.create(project, 'deployments', deployment('web', 2));
  await placedIn(w, 'ams');
  await taint(w, 'ams', 'NoExecute');
  await placedIn(w, 'fra');
  const everywhere = { ...deployments, priority: 5, preemption: 'Always' };
  await controlPlane.create(project, 'propagationpolicies', policy('all', everywhere));
  const switched = await placedIn(w, 'fra,par');
  assert.equal(switched.spec.policy?.name, 'all');
  assert.deepEqual(
    switched.spec.gracefulEvictionTasks?.map(({ fromCluster }) => fromCluster),
    ['ams'],
  );
  await using _fra = edge(w.fra);
  await webWhere(
    w,
    ({ status }) => status?.aggregatedStatus?.some((one) => one.health === 'Healthy') === true,
  );
  await until('all is done that can be', () => scheduler.idle);
  const [kept] = await w.ams.copies('apps/v1', 'deployments');
  assert.equal(kept?.metadata.deletionTimestamp, undefined, 'it is not well everywhere yet');
  await using _par = edge(par);
  await w.ams.drained('apps/v1', 'deployments');
  await webWhere(w, ({ spec: bound }) => bound.gracefulEvictionTasks === undefined);
  await placedIn(w, 'fra,par');
});

test('a lazy policy preempts at once; its edits wait, also while what it took could go back', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  const isIn = (cell: string, owner: string) =>
    bindingWhere(controlPlane, project, 'a', ({ spec }) => {
      return spec.policy?.name === owner && spec.clusters?.map(({ name }) => name).join() === cell;
    });
  const to = (cell: string) => ({ placement: { clusterAffinity: { clusterNames: [cell] } } });
  const edit = (name: string, spec: JsonObject) =>
    controlPlane.admin.patch(projectRef(project, policies, 'propagationpolicies', name), {
      type: 'merge',
      body: { spec },
    });
  const lazy = { activationPreference: 'Lazy' };
  await controlPlane.create(project, 'propagationpolicies', policy('low', { ...lazy, ...to('ams') }));
  await controlPlane.create(project, 'configmaps', configMap('a'));
  await using scheduler = await startScheduler(controlPlane);
  await isIn('ams', 'low');
  const high = { ...lazy, ...to('fra'), priority: 5, preemption: 'Always' };
  await controlPlane.create(project, 'propagationpolicies', policy('high', high));
  await isIn('fra', 'high');
  await edit('high', to('ams'));
  await until('all is done that can be', () => scheduler.idle);
  await isIn('fra', 'high');
  // What the lazy one below has become since is no edit of what it lost.
  await edit('low', { ...to('ams'), priority: 9 });
  await until('all is done that can be', () => scheduler.idle);
  await isIn('fra', 'high');
  await edit('low', { preemption: 'Always' });
  await isIn('ams', 'low');
});
