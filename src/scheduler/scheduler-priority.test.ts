import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import type { KubeClient } from '#client/client.ts';
import { aggregated } from './algorithm/testing/placements.ts';
import { until } from './testing/control-plane.ts';
import { deployment, policy } from './testing/objects.ts';
import {
  bindings,
  bindingWhere,
  cellRef,
  condition,
  hasOutcome,
  projectRef,
  startScheduler,
  type World,
  world,
} from './testing/world.ts';

const placed = (w: World, count: number): Promise<string[]> =>
  until('all are decided', async () => {
    const all = (await w.controlPlane.list(w.project, bindings, 'resourcebindings')) as ResourceBinding[];
    if (all.length < count || all.some((one) => condition(one, 'Scheduled') === undefined)) return undefined;
    const scheduled = all.filter((one) => condition(one, 'Scheduled')?.status === 'True');
    return scheduled.map(({ spec }) => spec.resource.name).sort();
  });

async function priorityClass(w: World, name: string, value: number): Promise<void> {
  const object = { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name }, value };
  await w.controlPlane.create(w.project, 'priorityclasses', object);
}

async function priorityClasses(w: World): Promise<void> {
  await priorityClass(w, 'high', 1_000);
  await priorityClass(w, 'low', 10);
}

/** A policy for the Deployment of its name, in Frankfurt. */
const ofClass = (name: string, priorityClassName: string) =>
  policy(name, {
    resourceSelectors: [{ apiVersion: 'apps/v1', kind: 'Deployment', name }],
    placement: { clusterAffinity: { clusterNames: ['fra'] } },
    schedulePriority: { priorityClassSource: 'KubePriorityClass', priorityClassName },
  });

const bindingOf = (w: World, name: string, reason: string) =>
  bindingWhere(w.controlPlane, w.project, name, hasOutcome(reason));

for (const priorityClassSource of ['PodPriorityClass', 'KubePriorityClass']) {
  test(`what waits to be decided for the first time gets room by its priority: ${priorityClassSource}`, async () => {
    await using w = await world({ capacity: { pods: '2' } });
    await priorityClasses(w);
    for (const name of ['high', 'low']) {
      const labelSelector = { matchLabels: { class: name } };
      const schedulePriority = {
        priorityClassSource,
        ...(priorityClassSource === 'KubePriorityClass' ? { priorityClassName: name } : {}),
      };
      const resourceSelectors = [{ apiVersion: 'apps/v1', kind: 'Deployment', labelSelector }];
      await w.controlPlane.create(
        w.project,
        'propagationpolicies',
        policy(name, { resourceSelectors, placement: aggregated, schedulePriority }),
      );
    }
    for (let i = 0; i < 8; i++) {
      const name = i < 6 ? 'low' : 'high';
      const object = deployment(`${name}-${i}`, 2, { priorityClassName: name });
      object.metadata.labels = { class: name };
      await w.controlPlane.create(w.project, 'deployments', object);
    }
    {
      await using _first = await startScheduler(w.controlPlane, { concurrency: 1 });
      assert.deepEqual(await placed(w, 8), ['high-6', 'high-7']);
    }
    // One more of each while no scheduler runs, and room for one: what waited before is no more than what is new.
    for (const name of ['low-8', 'high-9']) {
      const object = deployment(name, 2, { priorityClassName: name.split('-')[0] as string });
      object.metadata.labels = { class: name.split('-')[0] as string };
      await w.controlPlane.create(w.project, 'deployments', object);
    }
    await w.controlPlane.admin.patch(cellRef('fra'), {
      type: 'merge',
      body: { spec: { capacity: { pods: '4' } } },
    });
    await using _again = await startScheduler(w.controlPlane, { concurrency: 1 });
    assert.deepEqual(await placed(w, 10), ['high-6', 'high-7', 'high-9']);
  });
}

test('of what is read at once the most important gets the room, though it is read last', async () => {
  await using w = await world({ capacity: { pods: '2' } });
  await priorityClasses(w);
  const resourceSelectors = [{ apiVersion: 'apps/v1', kind: 'Deployment' }];
  const placement = { ...aggregated, clusterAffinity: { clusterNames: ['fra'] } };
  const schedulePriority = { priorityClassSource: 'PodPriorityClass' };
  const spec = { resourceSelectors, placement, schedulePriority };
  await w.controlPlane.create(w.project, 'propagationpolicies', policy('all', spec));
  const less = ['a-low', 'b-low', 'c-low', 'd-low'];
  for (const name of [...less, 'e-high']) {
    const priorityClassName = name.slice(2);
    await w.controlPlane.create(w.project, 'deployments', deployment(name, 2, { priorityClassName }));
  }
  const read = new Set<string>();
  const get: KubeClient['get'] = async (ref, options) => {
    const isObject = ref.gvr.resource === 'deployments' && ref.cluster === w.project;
    if (isObject && ref.name === 'e-high' && !read.has(ref.name)) {
      await until('the others are read', async () =>
        less.every((name) => read.has(name)) ? true : undefined,
      );
      for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
    const object = await w.controlPlane.scheduler.get(ref, options);
    if (isObject) read.add(ref.name);
    return object;
  };
  await using _scheduler = await startScheduler(w.controlPlane, {
    client: new Proxy(w.controlPlane.scheduler, {
      get: (target, name: keyof KubeClient) => (name === 'get' ? get : target[name].bind(target)),
    }),
  });
  assert.deepEqual(await placed(w, 5), ['e-high']);
});

test('freed room goes to the most important, though the less important are read as fast', async () => {
  await using w = await world({ capacity: { pods: '1' } });
  await priorityClasses(w);
  await using _scheduler = await startScheduler(w.controlPlane);
  const placement = { ...aggregated, clusterAffinity: { clusterNames: ['fra'] } };
  for (const name of ['high', 'low']) {
    const schedulePriority =
      name === 'high' ? { priorityClassSource: 'KubePriorityClass', priorityClassName: 'high' } : undefined;
    const labelSelector = { matchLabels: { class: name } };
    const resourceSelectors = [{ apiVersion: 'apps/v1', kind: 'Deployment', labelSelector }];
    const spec = {
      resourceSelectors,
      placement,
      ...(schedulePriority === undefined ? {} : { schedulePriority }),
    };
    await w.controlPlane.create(w.project, 'propagationpolicies', policy(name, spec));
  }
  for (const name of ['low-0', 'low-1', 'low-2', 'high-3']) {
    const object = deployment(name, 2);
    object.metadata.labels = { class: name.split('-')[0] as string };
    await w.controlPlane.create(w.project, 'deployments', object);
  }
  assert.deepEqual(await placed(w, 4), []);
  const makeRoom = (pods: string) =>
    w.controlPlane.admin.patch(cellRef('fra'), { type: 'merge', body: { spec: { capacity: { pods } } } });
  await makeRoom('2');
  const first = await until('one is placed', async () => {
    const names = await placed(w, 4);
    return names.length > 0 ? names : undefined;
  });
  assert.deepEqual(first, ['high-3']);
  await makeRoom('8');
  await until('all are', async () => ((await placed(w, 4)).length === 4 ? true : undefined));
});

test('a PriorityClass that is not there is waited for, and its coming decides', async () => {
  await using w = await world();
  await using scheduler = await startScheduler(w.controlPlane);
  await w.controlPlane.create(w.project, 'propagationpolicies', ofClass('web', 'high'));
  await w.controlPlane.create(w.project, 'deployments', deployment('web', 1));
  const waiting = await bindingOf(w, 'web', 'PriorityClassNotFound');
  assert.equal(condition(waiting, 'Scheduled')?.message, 'waits for the PriorityClass high');
  assert.deepEqual([waiting.spec.clusters, waiting.spec.schedulePriority], [[], undefined]);
  const eventOfDeployment = await until('an Event tells', async () =>
    (await w.controlPlane.list(w.project, 'v1', 'events')).find(
      ({ involvedObject }) => (involvedObject as { kind?: string }).kind === 'Deployment',
    ),
  );
  assert.deepEqual(
    [eventOfDeployment['type'], eventOfDeployment['reason'], eventOfDeployment['message']],
    ['Warning', 'ApplyPolicyFailed', 'waits for the PriorityClass high'],
  );
  await until('nothing is left to do', () => scheduler.idle);
  await priorityClass(w, 'high', 1_000);
  const placed = await bindingOf(w, 'web', 'Success');
  assert.deepEqual(placed.spec.schedulePriority, { priority: 1_000 });
  assert.deepEqual(
    placed.spec.clusters?.map(({ name }) => name),
    ['fra'],
  );
});

test('a PriorityClass that comes while an object finds none is not missed', async () => {
  await using w = await world();
  let meanwhile: (() => Promise<unknown>) | undefined;
  const get: KubeClient['get'] = async (ref, options) => {
    try {
      return await w.controlPlane.scheduler.get(ref, options);
    } catch (error) {
      const then = ref.gvr.resource === 'priorityclasses' ? meanwhile : undefined;
      meanwhile = undefined;
      await then?.();
      throw error;
    }
  };
  await using _scheduler = await startScheduler(w.controlPlane, {
    client: new Proxy(w.controlPlane.scheduler, {
      get: (target, name: keyof KubeClient) => (name === 'get' ? get : target[name].bind(target)),
    }),
  });
  for (const name of ['first', 'second'])
    await w.controlPlane.create(w.project, 'propagationpolicies', ofClass(name, 'high'));
  await w.controlPlane.create(w.project, 'deployments', deployment('first', 1));
  await bindingOf(w, 'first', 'PriorityClassNotFound');
  meanwhile = async () => {
    await priorityClass(w, 'high', 1_000);
    await bindingOf(w, 'first', 'Success');
  };
  await w.controlPlane.create(w.project, 'deployments', deployment('second', 1));
  await bindingOf(w, 'second', 'Success');
});

test('what is placed keeps what it has, whichever PriorityClass is not there', async () => {
  await using w = await world();
  await priorityClass(w, 'high', 1_000);
  await using _scheduler = await startScheduler(w.controlPlane);
  for (const name of ['goes', 'changes']) {
    await w.controlPlane.create(w.project, 'propagationpolicies', ofClass(name, 'high'));
    await w.controlPlane.create(w.project, 'deployments', deployment(name, 1));
    await bindingOf(w, name, 'Success');
  }
  const { admin } = w.controlPlane;
  const at = (apiVersion: string, resource: string, name: string) =>
    projectRef(w.project, apiVersion, resource, name);
  // Another policy, of which no class is known, moves nothing.
  await w.controlPlane.create(
    w.project,
    'propagationpolicies',
    policy('other', {
      priority: 5,
      resourceSelectors: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'changes' }],
      placement: { clusterAffinity: { clusterNames: ['ams'] } },
      schedulePriority: { priorityClassSource: 'KubePriorityClass', priorityClassName: 'absent' },
      preemption: 'Always',
    }),
  );
  const held = await bindingOf(w, 'changes', 'PriorityClassNotFound');
  assert.deepEqual(held.spec.clusters, [{ name: 'fra', replicas: 1 }]);
  // The value of a class that goes is known from the binding: the object is decided as before.
  const { namespace: _none, ...high } = at('scheduling.k8s.io/v1', 'priorityclasses', 'high');
  await admin.delete(high);
  await admin.patch(at('apps/v1', 'deployments', 'goes'), { type: 'merge', body: { spec: { replicas: 3 } } });
  const scaled = await bindingWhere(w.controlPlane, w.project, 'goes', ({ spec }) => spec.replicas === 3);
  assert.deepEqual(
    [scaled.spec.schedulePriority, condition(scaled, 'Scheduled')?.reason],
    [{ priority: 1_000 }, 'Success'],
  );
  assert.deepEqual(scaled.spec.clusters, [{ name: 'fra', replicas: 3 }]);
});

test('a PriorityClass that pods name and the project has not may be an edge’s own, and counts as 0', async () => {
  await using w = await world();
  await using _scheduler = await startScheduler(w.controlPlane);
  const resourceSelectors = [{ apiVersion: 'apps/v1', kind: 'Deployment' }];
  const schedulePriority = { priorityClassSource: 'PodPriorityClass' };
  await w.controlPlane.create(
    w.project,
    'propagationpolicies',
    policy('all', { resourceSelectors, schedulePriority }),
  );
  await w.controlPlane.create(w.project, 'deployments', deployment('web', 1, { priorityClassName: 'gold' }));
  const { spec } = await bindingOf(w, 'web', 'Success');
  assert.deepEqual(spec.schedulePriority, { priority: 0 });
});
