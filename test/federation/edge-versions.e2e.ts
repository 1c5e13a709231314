// Edges that serve kinds in other versions than the project does, or come to.
// docs/federation-contract.md: FE1, FU1
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { configMaps, edgeRef } from '../harness/edge-objects.ts';
import { placeInShop } from '../harness/place-in-shop.ts';
import { type BindingStatus, ShopAtEdge } from '../harness/shop-at-edge.ts';
import { until } from '../harness/until.ts';

const crds = { group: 'apiextensions.k8s.io', version: 'v1', resource: 'customresourcedefinitions' };
const clusterBindings = {
  group: 'work.karmada.io',
  version: 'v1alpha2',
  resource: 'clusterresourcebindings',
};
const gizmos = (version: string) => ({ group: 'example.com', version, resource: 'gizmos' });
const gizmoCrd = (...versions: string[]): KubeObject => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'gizmos.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { kind: 'Gizmo', listKind: 'GizmoList', plural: 'gizmos', singular: 'gizmo' },
    versions: versions.map((name, at) => ({
      name,
      served: true,
      storage: at === 0,
      schema: {
        openAPIV3Schema: {
          type: 'object',
          properties: { spec: { type: 'object', properties: { size: { type: 'integer' } } } },
        },
      },
    })),
  },
});

describe('edges of other versions', { timeout: 600_000 }, () => {
  let shop: ShopAtEdge;
  before(async () => {
    shop = await ShopAtEdge.start();
  });
  after(() => shop?.[Symbol.asyncDispose]());

  test('a kind is served there in an older version only: everything goes there in that one', async () => {
    await shop.edge.create({ cluster: undefined, gvr: crds }, gizmoCrd('v1beta1'));
    await until('it is established', () =>
      shop.edge.list({ cluster: undefined, gvr: gizmos('v1beta1') }).catch(() => undefined),
    );
    // Whoever connects reads what is served.
    await shop.constellation.federator().stop();
    await shop.constellation.federator().start();
    await until('the Cell tells', async () =>
      (await shop.constellation.cell()).status?.apiEnablements?.some(
        ({ groupVersion }) => groupVersion === 'example.com/v1beta1',
      ),
    );
    await shop.constellation.admin.create({ cluster: shop.project, gvr: crds }, gizmoCrd('v1', 'v1beta1'));
    await shop.constellation.admin.create(
      {
        cluster: shop.project,
        gvr: { group: 'policy.karmada.io', version: 'v1alpha1', resource: 'clusterpropagationpolicies' },
      },
      {
        apiVersion: 'policy.karmada.io/v1alpha1',
        kind: 'ClusterPropagationPolicy',
        metadata: { name: 'definitions' },
        spec: {
          resourceSelectors: [{ apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' }],
        },
      },
    );
    const gizmo = (name: string): KubeObject => ({
      apiVersion: 'example.com/v1',
      kind: 'Gizmo',
      metadata: { name },
      spec: { size: 1 },
    });
    for (const [name, version] of [
      ['old', 'v1beta1'],
      ['new', 'v1'],
    ] as const) {
      const selector = { apiVersion: `example.com/${version}`, kind: 'Gizmo', name };
      await placeInShop(shop.constellation.admin, shop.project, `gizmo-${name}`, [selector], ['cell-a']);
      await until('the kind is served', () =>
        shop.constellation.admin
          .create({ cluster: shop.project, gvr: gizmos('v1'), namespace: 'shop' }, gizmo(name))
          .catch(() => undefined),
      );
    }
    for (const name of ['old', 'new']) {
      await shop.isApplied('Gizmo', name);
      assert.deepEqual((await shop.atEdge(gizmos('v1beta1'), name))?.['spec'], { size: 1 });
    }
    // The edge's own definition is left as it is, and the project's binding of its own says so.
    await until('so does the definition', async () => {
      const { items } = await shop.constellation.admin.list({ cluster: shop.project, gvr: clusterBindings });
      const status = items.find(({ metadata }) => metadata.name?.startsWith('gizmos'))?.['status'];
      const [item] = (status as BindingStatus | undefined)?.aggregatedStatus ?? [];
      return item?.applied === false && /^AlreadyExists: /.test(item.appliedMessage ?? '');
    });
    const { versions } = (await shop.edge.get(edgeRef(crds, 'gizmos.example.com')))['spec'] as {
      versions: { name: string }[];
    };
    assert.deepEqual(
      versions.map(({ name }) => name),
      ['v1beta1'],
    );
  });

  test('it comes to serve another version, and back: objects follow, changes and repairs too', async () => {
    const serve = async (served: string) => {
      const crd = gizmoCrd('v1', 'v1beta1');
      const { versions } = crd['spec'] as { versions: { name: string; served: boolean }[] };
      await shop.edge.patch(edgeRef(crds, 'gizmos.example.com'), {
        type: 'merge',
        body: { spec: { versions: versions.map((one) => ({ ...one, served: one.name === served })) } },
      });
      await until(`${served} alone is served`, async () => {
        const versionsServed = await Promise.all(
          ['v1', 'v1beta1'].map((version) =>
            shop.edge.list({ cluster: undefined, gvr: gizmos(version) }).then(
              () => version,
              () => '',
            ),
          ),
        );
        return versionsServed.join('') === served;
      });
    };
    const sizeAtEdge = async (version: string, name: string) => {
      const spec = (await shop.atEdge(gizmos(version), name))?.['spec'] as { size?: number } | undefined;
      return spec?.size;
    };
    const resize = (size: number) =>
      shop.constellation.admin.patch(shop.refOf(gizmos('v1'), 'new'), {
        type: 'merge',
        body: { spec: { size } },
      });

    await serve('v1');
    await resize(2);
    await until('the change is there', async () => (await sizeAtEdge('v1', 'new')) === 2);
    await shop.isApplied('Gizmo', 'new');
    await serve('v1beta1');
    // Nothing of ours is written: what is done there is seen all the same.
    await shop.edge.patch(edgeRef(gizmos('v1beta1'), 'old', shop.mapped), {
      type: 'merge',
      body: { spec: { size: 9 } },
    });
    await until('it is repaired', async () => (await sizeAtEdge('v1beta1', 'old')) === 1);
    for (const name of ['old', 'new']) {
      await shop.isApplied('Gizmo', name);
      await shop.constellation.admin.delete(shop.refOf(gizmos('v1'), name));
      await until(`${name} is gone`, async () => (await shop.atEdge(gizmos('v1beta1'), name)) === undefined);
    }
  });

  test('a kind of Kubernetes’ own that it serves in an older version only is written in that, and read', async () => {
    const hpas = (version: string) => ({
      group: 'autoscaling',
      version,
      resource: 'horizontalpodautoscalers',
    });
    const { edgeTap, start, stop } = shop.constellation.federator();
    const isOld = (tell: boolean) =>
      until('the Cell tells what is served', async () => {
        const { apiEnablements = [] } = (await shop.constellation.cell()).status ?? {};
        return apiEnablements.some(({ groupVersion }) => groupVersion === 'autoscaling/v2') !== tell;
      });
    edgeTap.plainDiscovery = true;
    edgeTap.intercept = ({ verb, resource }) => {
      if (verb === 'raw' && resource === '/apis/autoscaling/v2') throw new ApiError('NotFound', 'no');
    };
    await stop();
    await start();
    await isOld(true);
    const selector = { apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler' };
    await placeInShop(shop.constellation.admin, shop.project, 'scaling', [selector], ['cell-a']);
    const metrics = [
      {
        type: 'Resource',
        resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 60 } },
      },
      {
        type: 'Resource',
        resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '64Mi' } },
      },
    ];
    const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'scaled' };
    await shop.put(hpas('v2'), {
      ...selector,
      metadata: { name: 'scaler' },
      spec: { scaleTargetRef, maxReplicas: 3, metrics },
    });
    await shop.isApplied('HorizontalPodAutoscaler', 'scaler');
    const there = (await shop.atEdge(hpas('v2'), 'scaler')) as KubeObject;
    assert.equal(
      there.metadata.managedFields?.find(({ manager }) => manager === 'cellplane-federator')?.apiVersion,
      'autoscaling/v1',
    );
    const byName = ({ metrics: all }: { metrics?: { resource: { name: string } }[] }) =>
      [...(all ?? [])].sort((a, b) => a.resource.name.localeCompare(b.resource.name));
    assert.deepEqual(byName(there['spec'] as { metrics?: typeof metrics }), metrics);
    await shop.edge.patch(
      edgeRef(hpas('v2'), 'scaler', shop.mapped),
      {
        type: 'merge',
        body: {
          status: {
            desiredReplicas: 3,
            currentReplicas: 2,
            conditions: [
              { type: 'ScalingActive', status: 'True', reason: 'ValidMetricFound', message: 'ok' },
            ],
          },
        },
      },
      { subresource: 'status' },
    );
    await until('the status is in the copy', async () => {
      const cluster = 'root:cells:cell-a';
      const copy = await shop.constellation.admin.get({
        cluster,
        gvr: hpas('v2'),
        namespace: shop.mapped,
        name: 'scaler',
      });
      const { desiredReplicas, conditions } = (copy['status'] ?? {}) as {
        desiredReplicas?: number;
        conditions?: unknown[];
      };
      return desiredReplicas === 3 && conditions?.length === 1;
    });
    // A newer Kubernetes: the newer version is read from then on, and nothing is written for it.
    edgeTap.plainDiscovery = false;
    edgeTap.intercept = undefined;
    await stop();
    await start();
    await isOld(false);
    edgeTap.clear();
    await shop.put(configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'upgraded' } });
    await until('another object is synced', () => shop.atEdge(configMaps, 'upgraded'));
    await until('nothing is under way', () => shop.constellation.federator().process?.cell('cell-a')?.idle);
    assert.equal(edgeTap.count('apply', 'horizontalpodautoscalers.autoscaling'), 0);
  });
});
