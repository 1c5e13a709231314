import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import type { KubeClient } from '#client/client.ts';
import { aggregated } from './algorithm/testing/placements.ts';
import { until } from './testing/control-plane.ts';
import { deployment, policy } from './testing/objects.ts';
import { bindings, cellRef, condition, startScheduler, type World, world } from './testing/world.ts';

const placed = (w: World, count: number): Promise<string[]> =>
  until('all are decided', async () => {
    const all = (await w.controlPlane.list(w.project, bindings, 'resourcebindings')) as ResourceBinding[];
    if (all.length < count || all.some((one) => condition(one, 'Scheduled') === undefined)) return undefined;
    const scheduled = all.filter((one) => condition(one, 'Scheduled')?.status === 'True');
    return scheduled.map(({ spec }) => spec.resource.name).sort();
  });

async function priorityClasses(w: World): Promise<void> {
  for (const [name, value] of [
    ['high', 1_000],
    ['low', 10],
  ] as const) {
    const object = { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name }, value };
    await w.controlPlane.create(w.project, 'priorityclasses', object);
  }
}

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
