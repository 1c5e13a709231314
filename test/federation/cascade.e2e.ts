// A cell of another control plane: its edge API server is the workspace of a cell there. Projects of one control plane run in the
// other's cell beside its own projects', and either control plane may be away.
// docs/federation-contract.md: FP2
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { conditionOf } from '#api/conditions.ts';
import { Constellation } from '../harness/constellation.ts';
import { disposeAll } from '../harness/dispose-all.ts';
import { configMaps, deployments, namespaces } from '../harness/edge-objects.ts';
import { openCell } from '../harness/neighbour.ts';
import { placeInShop } from '../harness/place-in-shop.ts';
import { until } from '../harness/until.ts';

const project = 'root:acme:shop';

describe('a cell of another control plane', { timeout: 600_000 }, () => {
  let near: Constellation;
  let far: Constellation;

  before(async () => {
    far = await Constellation.start({ cells: ['fra-1'] });
    await until('the workspace of the cell is there', async () => {
      const { items } = await far.admin.list({ cluster: 'root:cells:fra-1', gvr: namespaces });
      return items !== undefined;
    });
    near = await Constellation.start({ cells: ['own'] });
    await near.addCell('far-fra-1', {}, await openCell(far, 'fra-1'));
    for (const [plane, cells] of [
      [near, ['own', 'far-fra-1']],
      [far, ['fra-1']],
    ] as const) {
      await plane.createProject(project);
      await placeInShop(
        plane.admin,
        project,
        'all',
        [
          { apiVersion: 'v1', kind: 'ConfigMap' },
          { apiVersion: 'apps/v1', kind: 'Deployment' },
        ],
        cells,
      );
    }
  });
  after(() => disposeAll(near, far));

  const write = (plane: Constellation, name: string, text: string) =>
    plane.admin.apply(
      { cluster: project, gvr: configMaps, namespace: 'shop', name },
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'shop' }, data: { text } },
      { fieldManager: 'test', force: true },
    );
  const textsAt = async (plane: Constellation, cell: string, name: string) => {
    const { items } = await plane.edge(cell).client.list({ cluster: undefined, gvr: configMaps });
    return items
      .filter(({ metadata }) => metadata.name === name)
      .map(({ data }) => (data as { text: string }).text)
      .sort();
  };
  const arrives = (plane: Constellation, cell: string, name: string, ...texts: string[]) =>
    until(`${name} at ${cell} says ${texts}`, async () => {
      const found = await textsAt(plane, cell, name);
      if (JSON.stringify(found) === JSON.stringify(texts)) return true;
      throw new Error(JSON.stringify(found));
    });

  test('projects of both share the cell, change, and go', async () => {
    await write(near, 'a', 'near');
    await write(far, 'a', 'far');
    await arrives(near, 'own', 'a', 'near');
    await arrives(far, 'fra-1', 'a', 'far', 'near');
    await write(near, 'a', 'near again');
    await arrives(far, 'fra-1', 'a', 'far', 'near again');
    await near.admin.delete({ cluster: project, gvr: configMaps, namespace: 'shop', name: 'a' });
    await arrives(far, 'fra-1', 'a', 'far');
  });

  test('status comes back through both', async () => {
    const template = {
      metadata: { labels: { app: 'web' } },
      spec: { containers: [{ name: 'web', image: 'web:1' }] },
    };
    await near.admin.create(
      { cluster: project, gvr: deployments, namespace: 'shop' },
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'web' },
        spec: { replicas: 2, selector: { matchLabels: { app: 'web' } }, template },
      },
    );
    const edges = [near.edge('own').client, far.edge('fra-1').client];
    for (const client of edges) {
      const found = await until('it is there', async () => {
        const { items } = await client.list({ cluster: undefined, gvr: deployments });
        return items[0];
      });
      const { name = '', namespace, generation } = found.metadata;
      await client.patch(
        { cluster: undefined, gvr: deployments, namespace, name },
        {
          type: 'merge',
          body: {
            status: {
              observedGeneration: generation ?? 1,
              replicas: 2,
              readyReplicas: 2,
              updatedReplicas: 2,
              availableReplicas: 2,
            },
          },
        },
        { subresource: 'status' },
      );
    }
    await until('the project sees both cells’', async () => {
      const object = await near.admin.get({
        cluster: project,
        gvr: deployments,
        namespace: 'shop',
        name: 'web',
      });
      const status = object['status'] as { readyReplicas?: number } | undefined;
      if (status?.readyReplicas === 4) return true;
      throw new Error(JSON.stringify(object['status']));
    });
  });

  test('what the far edge refuses is told on the near Cell, and is over when it is accepted', async () => {
    const edge = far.edge('fra-1').client;
    const { items } = await edge.list({ cluster: undefined, gvr: deployments });
    const namespace = items[0]?.metadata.namespace ?? '';
    const quotas = {
      cluster: undefined,
      gvr: { group: '', version: 'v1', resource: 'resourcequotas' },
      namespace,
    };
    await edge.create(quotas, {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'none' },
      spec: { hard: { 'count/configmaps': '0' } },
    });
    await until('the quota holds', async () => {
      const quota = await edge.get({ ...quotas, name: 'none' });
      return (quota['status'] as { hard?: unknown } | undefined)?.hard !== undefined;
    });
    await write(near, 'c', 'near');
    const synced = async () => conditionOf((await near.cell('far-fra-1')).status?.conditions, 'Synced');
    await until('the near Cell says so', async () => {
      const condition = await synced();
      if (condition?.reason === 'Forbidden' && /exceeded quota/.test(condition.message ?? '')) return true;
      throw new Error(JSON.stringify(condition));
    });
    await edge.delete({ ...quotas, name: 'none' });
    await arrives(far, 'fra-1', 'c', 'near');
    await until('it is over', async () => (await synced())?.status === 'True');
  });

  test('either control plane may be away', async () => {
    await near.server.stop();
    await write(far, 'b', 'far');
    await arrives(far, 'fra-1', 'b', 'far');
    await near.server.start();
    await far.server.stop();
    await write(near, 'b', 'near');
    await arrives(near, 'own', 'b', 'near');
    await far.server.start();
    await arrives(far, 'fra-1', 'b', 'far', 'near');
    // The far scheduler takes the near one's copies for nobody's of its own, whatever it forgets.
    await far.stopScheduler();
    await far.startScheduler();
    await write(far, 'd', 'far');
    await arrives(far, 'fra-1', 'd', 'far');
    assert.deepEqual(await textsAt(far, 'fra-1', 'b'), ['far', 'near']);
  });
});
