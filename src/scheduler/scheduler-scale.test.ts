import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import { isJsonObject } from '#apimachinery/json.ts';
import type { KubeClient } from '#client/client.ts';
import { decide } from './algorithm/decide.ts';
import { cell, inputOf, snapshotOf, template } from './algorithm/testing/cells.ts';
import { bindingOf } from './bindings/binding.ts';
import type { CellReport } from './gather/cell-report.ts';
import { gatheredStatus } from './gather/gathered-status.ts';
import { until } from './testing/control-plane.ts';
import { configMap, policy } from './testing/objects.ts';
import { bindings, bindingWhere, cellRef, startScheduler, world } from './testing/world.ts';

/** The same client; `onGet` is told of the project's ConfigMaps that it reads one by one. */
function hearingOf(client: KubeClient, onGet: (name: string) => void, project: string): KubeClient {
  const hearing: KubeClient = Object.create(client, {
    get: {
      value: (...[ref, options]: Parameters<KubeClient['get']>) => {
        if (ref.gvr.resource === 'configmaps' && ref.cluster === project) onGet(ref.name);
        return client.get(ref, options);
      },
    },
  }) as KubeClient;
  for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(client))) {
    if (name === 'constructor' || name === 'get') continue;
    const method = Reflect.get(client, name) as unknown;
    if (typeof method === 'function') Object.defineProperty(hearing, name, { value: method.bind(client) });
  }
  return hearing;
}

test('a label of a cell makes only those be looked at again whose policies look at it', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  const decided: string[] = [];
  const watching = hearingOf(controlPlane.scheduler, (name) => decided.push(name), project);
  await using scheduler = await startScheduler(controlPlane, { client: watching });
  const of = (name: string, placement: object) =>
    policy(name, {
      resourceSelectors: [{ apiVersion: 'v1', kind: 'ConfigMap', name }],
      placement: { ...placement },
    });
  const tier = { labelSelector: { matchLabels: { tier: 'edge' } } };
  await controlPlane.create(project, 'propagationpolicies', of('by-label', { clusterAffinity: tier }));
  await controlPlane.create(project, 'propagationpolicies', of('everywhere', {}));
  await controlPlane.create(
    project,
    'propagationpolicies',
    of('by-name', { clusterAffinity: { clusterNames: ['ams'] } }),
  );
  await controlPlane.create(
    project,
    'propagationpolicies',
    of('spread', { spreadConstraints: [{ spreadByLabel: 'rack' }] }),
  );
  for (const name of ['by-label', 'everywhere', 'by-name', 'spread']) {
    await controlPlane.create(project, 'configmaps', configMap(name));
    await bindingWhere(controlPlane, project, name, () => true);
  }
  await until('all is done that can be', () => scheduler.idle);
  const label = async (labels: { [key: string]: string }): Promise<string[]> => {
    decided.length = 0;
    const ams = cellRef('ams');
    await controlPlane.admin.patch(ams, { type: 'merge', body: { metadata: { labels } } });
    await until('something was looked at', () => decided.length > 0);
    await until('all is done that can be', () => scheduler.idle);
    return [...new Set(decided)].sort();
  };
  assert.deepEqual(await label({ tier: 'edge' }), ['by-label']);
  assert.deepEqual(await label({ rack: 'r1', colour: 'red' }), ['spread']);
});

test('the many objects that a new policy selects are read by pages', async () => {
  await using w = await world();
  const { controlPlane, project } = w;
  const read: string[] = [];
  const client = hearingOf(controlPlane.scheduler, (name) => read.push(name), project);
  await using _ = await startScheduler(controlPlane, { client });
  const names = Array.from({ length: 150 }, (_, index) => `many-${index}`);
  for (const name of names)
    await controlPlane.create(project, 'configmaps', configMap(name, { from: 'many' }));
  await controlPlane.create(
    project,
    'propagationpolicies',
    policy('all', {
      resourceSelectors: [{ apiVersion: 'v1', kind: 'ConfigMap' }],
      placement: { clusterAffinity: { clusterNames: ['ams'] } },
    }),
  );
  const bound = await until('all are bound', async () => {
    const found = await controlPlane.list(project, bindings, 'resourcebindings');
    return found.length >= names.length ? found : undefined;
  });
  assert.equal(new Set(bound.map((one) => (one as ResourceBinding).spec.resource.name)).size, names.length);
  const once = read.filter((name) => name.startsWith('many-')).length;
  assert.ok(once < names.length / 2, `${once} were read one by one`);
  const copies = await until('all are copied', async () => {
    const found = (await w.ams.copies('v1', 'configmaps')).filter(
      (copy) => isJsonObject(copy['data']) && copy['data']['from'] === 'many',
    );
    return found.length >= names.length ? found : undefined;
  });
  assert.equal(copies.length, names.length);
});

test('a binding over a thousand cells stays under 64 KiB', () => {
  const cells = Array.from({ length: 1_000 }, (_, i) => cell(`pop-${String(i).padStart(4, '0')}-cell-a`));
  const snapshot = snapshotOf(...cells);
  const decision = decide(inputOf(snapshot, { template: template({ replicas: 3 }) }), {});
  assert.equal(decision.targets.length, 1_000);
  const now = '2026-01-01T00:00:00Z';
  const resource = { group: 'apps', version: 'v1', resource: 'deployments', kind: 'Deployment' };
  const binding: ResourceBinding = bindingOf(
    {
      key: { group: 'apps', resource: 'deployments', cluster: 'p', namespace: 'default', name: 'web' },
      resource: { ...resource, namespaced: true, hasStatus: true, hasScale: true },
      uid: '00000000-0000-0000-0000-000000000000',
      replicas: 3,
      policy: undefined,
      decision,
      snapshot,
      problems: { overrideFailed: 'x'.repeat(5_000) },
      now,
    },
    undefined,
  );
  const reports = cells.map(({ name }): CellReport => {
    const status = { conditions: [{ type: 'Available', status: 'False', message: 'm'.repeat(480) }] };
    return { cell: name, applied: true, message: 'e'.repeat(2_000), health: 'Unhealthy', status };
  });
  const whole = { ...binding, status: gatheredStatus(binding.status, reports, now) };
  assert.ok((whole.status.aggregatedStatus?.length ?? 0) > 10);
  const bytes = Buffer.byteLength(JSON.stringify(whole));
  assert.ok(bytes < 64 * 1024, `${bytes} bytes`);
});
