// The administrator of one project writes whatever might reach another one's objects, here or at an edge. It gains nothing.
// docs/federation-contract.md: FG1
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { copyAnnotations, copyLabels, edgeFinalizer } from '#api/federation/copy-contract.ts';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { RemoteClient } from '#client/remote/remote-client.ts';
import { until } from './harness/until.ts';
import { attackerPath, everything, gvrs, victimNamespace, victimPath } from './isolation/cast.ts';
import { authority, forged, hostileOverrides } from './isolation/hostile-objects.ts';
import { cells, originOf, Scene } from './isolation/scene.ts';

describe('a hostile project', { timeout: 600_000 }, () => {
  let scene: Scene;

  before(async () => {
    scene = await Scene.set();
  });
  after(() => scene?.[Symbol.asyncDispose]());

  test('bindings cannot be written, changed or deleted', async () => {
    const namespace = 'default';
    await scene.mallory.client.create(
      { cluster: attackerPath, gvr: gvrs.policies, namespace },
      everything(namespace) as never,
    );
    const own = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'own' } };
    await scene.mallory.client.create({ cluster: attackerPath, gvr: gvrs.configmaps, namespace }, own);
    const bindings = { cluster: attackerPath, gvr: gvrs.bindings, namespace };
    const binding = await until(
      'a binding',
      async () => (await scene.mallory.client.list(bindings)).items[0],
    );
    const ref = { ...bindings, name: binding.metadata.name ?? '' };
    const forbidden = (error: unknown) => isApiError(error, 'Forbidden');
    const more = { ...binding, metadata: { name: 'forged', namespace } };
    await assert.rejects(scene.mallory.client.create(bindings, more), forbidden);
    await assert.rejects(scene.mallory.client.update(ref, binding), forbidden);
    await assert.rejects(
      scene.mallory.client.patch(ref, { type: 'merge', body: { spec: { clusters: [] } } }),
      forbidden,
    );
    await assert.rejects(scene.mallory.client.delete(ref), forbidden);
    await assert.rejects(scene.mallory.client.deleteCollection(bindings), forbidden);
  });

  test('what grants authority does not reach an edge', async () => {
    await scene.mallory.client.create(
      { cluster: attackerPath, gvr: gvrs.clusterPolicies },
      everything(
        '',
        authority.map(({ object }) => [String(object.apiVersion), String(object.kind)]),
      ) as never,
    );
    for (const { gvr, object } of authority) {
      const { namespace } = object.metadata;
      await scene.mallory.client.create({ cluster: attackerPath, gvr, namespace }, object);
    }
    await until('each is decided about, and refused', async () => {
      const client = scene.mallory.client;
      const bindings = (
        await Promise.all(
          [gvrs.bindings, gvrs.clusterBindings].map((gvr) => client.list({ cluster: attackerPath, gvr })),
        )
      ).flatMap(({ items }) => items as ResourceBinding[]);
      const open = authority.filter(
        ({ object }) =>
          !bindings.some(
            ({ spec, status }) =>
              spec.resource.kind === object.kind && JSON.stringify(status ?? {}).includes('KindNotAllowed'),
          ),
      );
      if (open.length === 0) return true;
      throw new Error(open.map(({ object }) => object.kind).join());
    });
    await passed('authority');
    for (const cell of cells) {
      for (const { gvr, object } of authority) {
        const { items } = await (scene.edges.get(cell) as RemoteClient).list({ cluster: undefined, gvr });
        const ours = items.filter(({ metadata }) => JSON.stringify(metadata).includes(attackerPath));
        assert.deepEqual(
          ours.map(({ metadata }) => metadata.name),
          [],
          `${object.kind} at ${cell}`,
        );
      }
    }
  });

  test('marks of the federation on project objects are not taken for its own', async () => {
    const victim = (await scene.victimAtEdge(cells[0])) as KubeObject;
    const configMaps = { cluster: attackerPath, gvr: gvrs.configmaps, namespace: 'default' };
    const owner = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'owner' } };
    const object = forged(victim, scene.victimId, await scene.mallory.client.create(configMaps, owner));
    await scene.mallory.client.create(configMaps, object);
    for (const cell of cells) {
      const copy = await until(`it is at ${cell}`, async () =>
        (await scene.edgeObjects(cell, 'configmaps')).find(
          ({ metadata }) => metadata.annotations?.[copyAnnotations.originName] === object.metadata.name,
        ),
      );
      const { annotations = {}, labels = {}, finalizers = [], ownerReferences = [] } = copy.metadata;
      assert.equal(annotations[copyAnnotations.originPath], attackerPath);
      assert.equal(annotations[copyAnnotations.originNamespace], 'default');
      assert.notEqual(labels[copyLabels.originCluster], scene.victimId);
      assert.notEqual(copy.metadata.namespace, victim.metadata.namespace);
      for (const key of [copyAnnotations.suspend, copyAnnotations.deletionPolicy])
        assert.equal(annotations[key], undefined);
      assert.deepEqual(ownerReferences, []);
      assert.equal(finalizers.includes(edgeFinalizer), false);
    }
  });

  test('a namespace that is called as another’s mapped one maps elsewhere', async () => {
    const victim = (await scene.victimAtEdge(cells[0])) as KubeObject;
    const before = await scene.victimState();
    const name = victim.metadata.namespace ?? '';
    await scene.mallory.client.create(
      { cluster: attackerPath, gvr: gvrs.namespaces },
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name } },
    );
    const namespace = name;
    await scene.mallory.client.create(
      { cluster: attackerPath, gvr: gvrs.policies, namespace },
      everything(namespace) as never,
    );
    const data = { jewel: 'paste' };
    await scene.mallory.client.create(
      { cluster: attackerPath, gvr: gvrs.configmaps, namespace },
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'crown' }, data },
    );
    for (const cell of cells) {
      const own = await until(`hers is at ${cell}`, async () =>
        (await scene.edgeObjects(cell, 'configmaps')).find(
          (item) => originOf(item) === attackerPath && item.metadata.name === 'crown',
        ),
      );
      assert.notEqual(own.metadata.namespace, name);
    }
    assert.equal(await scene.victimState(), before);
  });

  test('overrides change neither whose a copy is nor where it lies', async () => {
    const before = await scene.victimState();
    const victim = (await scene.victimAtEdge(cells[0])) as KubeObject;
    for (const [index, object] of hostileOverrides(victim, scene.victimId).entries()) {
      const name = `overridden-${index}`;
      await scene.mallory.client
        .create({ cluster: attackerPath, gvr: gvrs.overrides, namespace: 'default' }, object(name))
        .catch((error: unknown) => assert.ok(isApiError(error, 'Invalid', 'BadRequest'), String(error)));
      await scene.mallory.client.create(
        { cluster: attackerPath, gvr: gvrs.configmaps, namespace: 'default' },
        { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { whose: 'mallory' } },
      );
    }
    await passed('overrides');
    for (const cell of cells) {
      for (const item of await scene.edgeObjects(cell, 'configmaps')) {
        if (item['data'] === undefined || (item['data'] as JsonObject)['whose'] !== 'mallory') continue;
        assert.equal(originOf(item), attackerPath);
        assert.notEqual(item.metadata.namespace, victim.metadata.namespace);
      }
    }
    assert.equal(await scene.victimState(), before);
  });

  test('owners of another project collect nothing, here or at an edge', async () => {
    const before = await scene.victimState();
    const secret = await scene.admin.client.get({
      cluster: victimPath,
      gvr: gvrs.secrets,
      namespace: victimNamespace,
      name: 'crown',
    });
    const ownerReferences = [
      {
        apiVersion: 'v1',
        kind: 'Secret',
        name: 'crown',
        uid: secret.metadata.uid,
        blockOwnerDeletion: true,
        controller: true,
      },
    ];
    const configMaps = { cluster: attackerPath, gvr: gvrs.configmaps, namespace: 'default' };
    const owned = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'owned', ownerReferences } };
    await scene.mallory.client.create(configMaps, owned as KubeObject);
    await scene.mallory.client
      .delete({ ...configMaps, name: 'owned' }, { propagationPolicy: 'Foreground' })
      .catch((error: unknown) => assert.ok(isApiError(error, 'NotFound')));
    assert.equal(await scene.victimState(), before);
  });

  /** Waits until everything that mallory wrote before has been worked on: what comes after it has arrived. */
  async function passed(what: string): Promise<void> {
    const name = `after-${what}`;
    await scene.mallory.client.create(
      { cluster: attackerPath, gvr: gvrs.configmaps, namespace: 'default' },
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } },
    );
    for (const cell of cells) {
      await until(`${name} is at ${cell}`, async () =>
        (await scene.edgeObjects(cell, 'configmaps')).find(({ metadata }) => metadata.name === name),
      );
    }
  }
});
