// Kinds and refusals: what an edge does not serve or does not accept is told where the object's owner looks.
// docs/federation-contract.md: FD1, FD5, FE1, FU1
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { syncAnnotations } from '#api/federation/copy-contract.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import { ApiError } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeClient } from '#client/client.ts';
import { Constellation } from '../harness/constellation.ts';
import { CopyWriter } from '../harness/copies.ts';
import { configMaps, deployments, edgeRef, find } from '../harness/edge-objects.ts';
import { until } from '../harness/until.ts';

const crds = { group: 'apiextensions.k8s.io', version: 'v1', resource: 'customresourcedefinitions' } as const;
const widgets = { group: 'example.com', version: 'v1', resource: 'widgets' } as const;
const widgetCrd: JsonObject = {
  group: widgets.group,
  names: { kind: 'Widget', listKind: 'WidgetList', plural: 'widgets', singular: 'widget' },
  scope: 'Namespaced',
  versions: [
    {
      name: 'v1',
      served: true,
      storage: true,
      subresources: { status: {} },
      schema: {
        openAPIV3Schema: {
          type: 'object',
          properties: {
            spec: { type: 'object', properties: { size: { type: 'integer' } } },
            status: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
          },
        },
      },
    },
  ],
};
const crdName = 'widgets.example.com';

describe('kinds and refusals', { timeout: 600_000 }, () => {
  let constellation: Constellation;
  let copies: CopyWriter;
  let edge: KubeClient;
  before(async () => {
    constellation = await Constellation.start({ scheduler: false });
    copies = new CopyWriter(constellation.admin);
    edge = constellation.edge().client;
    await copies.namespace();
  });
  after(() => constellation[Symbol.asyncDispose]());

  const widget = {
    apiVersion: 'example.com/v1',
    kind: 'Widget',
    resource: 'widgets',
    name: 'w',
    content: { spec: { size: 1 } },
  } as const;
  const crdCopy = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    resource: 'customresourcedefinitions',
    namespace: '',
    name: crdName,
    content: { spec: widgetCrd },
  } as const;

  test('a kind that the edge lacks concerns its own objects alone, and comes with its CRD', async () => {
    // In the cell's workspace the kind is served by a definition that is no copy.
    await constellation.admin.create(
      { cluster: `${cellsWorkspacePath}:cell-a`, gvr: crds },
      { apiVersion: crdCopy.apiVersion, kind: crdCopy.kind, metadata: { name: crdName }, spec: widgetCrd },
    );
    await until('the kind is served in the cell', () => copies.put(widget));
    await copies.configMap('other', {});
    await until('another object is synced', () => find(edge, edgeRef(configMaps, 'other', 'ns')));
    const text = await until('the copy says why it is not', async () => {
      const copy = await copies.get(widget);
      return copy.metadata.annotations?.[syncAnnotations.syncError];
    });
    assert.match(text, /APINotServed/);
    // The other one may have failed at first, for want of its namespace.
    await until('so does the Cell', async () => {
      const { conditions, objects } = (await constellation.cell()).status ?? {};
      const saysSo = conditions?.some(({ reason }) => reason === 'APINotServed');
      if (saysSo === true && objects?.failed === 1) return true;
      throw new Error(JSON.stringify({ objects, conditions }));
    });
    await copies.put(crdCopy);
    await until('kind and object are at the edge', () => find(edge, edgeRef(widgets, 'w', 'ns')));
    await until('the copy is content', async () => {
      const { annotations = {} } = (await copies.get(widget)).metadata;
      return annotations[syncAnnotations.syncError] === undefined;
    });
  });

  test('a CRD is not deleted at the edge while objects of its kind are there', async () => {
    await edge.create(
      { cluster: undefined, gvr: widgets, namespace: 'ns' },
      { apiVersion: widget.apiVersion, kind: widget.kind, metadata: { name: 'theirs' }, spec: { size: 2 } },
    );
    await copies.delete(widget);
    await until('our object goes', async () => (await find(edge, edgeRef(widgets, 'w', 'ns'))) === undefined);
    await copies.delete(crdCopy);
    await until('the copy says what it waits for', async () => {
      const copy = await copies.get(crdCopy);
      return copy.metadata.annotations?.[syncAnnotations.syncError]?.includes('InstancesRemain');
    });
    assert.ok(await find(edge, edgeRef(widgets, 'theirs', 'ns')));
    await edge.delete(edgeRef(widgets, 'theirs', 'ns'));
    await until('then it goes', async () => (await find(edge, edgeRef(crds, crdName))) === undefined);
  });

  test('an edge that serves a kind in another version only: its own CRD stays, and the object says why it is not there', async () => {
    const name = 'gadgets.example.com';
    const definition = (version: string): JsonObject => ({
      ...widgetCrd,
      names: { kind: 'Gadget', listKind: 'GadgetList', plural: 'gadgets', singular: 'gadget' },
      versions: (widgetCrd['versions'] as JsonObject[]).map((one) => ({ ...one, name: version })),
    });
    const crd = { apiVersion: crdCopy.apiVersion, kind: crdCopy.kind, metadata: { name } };
    await edge.create({ cluster: undefined, gvr: crds }, { ...crd, spec: definition('v1alpha1') });
    await copies.put({ ...crdCopy, name, content: { spec: definition('v1') } });
    const gadget = { ...widget, kind: 'Gadget', resource: 'gadgets', name: 'g' } as const;
    await until('the kind is served in the cell', () => copies.put(gadget));
    const errorOf = async (spec: Parameters<CopyWriter['get']>[0]) =>
      (await copies.get(spec)).metadata.annotations?.[syncAnnotations.syncError] ?? '';
    await until('the object says so', async () =>
      /APINotServed.*example.com\/v1, only in v1alpha1/.test(await errorOf(gadget)),
    );
    await until('and the definition', async () => /AlreadyExists/.test(await errorOf({ ...crdCopy, name })));
    const present = await edge.get(edgeRef(crds, name));
    const versions = (present['spec'] as { versions: { name: string }[] }).versions;
    assert.deepEqual(
      versions.map((one) => one.name),
      ['v1alpha1'],
      'the edge’s own is left alone',
    );
    await copies.delete(gadget);
    await copies.delete({ ...crdCopy, name });
    await until('both copies go', async () => {
      const left = await Promise.all(
        [gadget, { ...crdCopy, name }].map((one) => find(constellation.admin, copies.refOf(one))),
      );
      return left.every((one) => one === undefined);
    });
    assert.ok(await find(edge, edgeRef(crds, name)));
  });

  test('a kind that its edge ceases to serve is told on objects that nobody touches, and they come back with it', async () => {
    const name = 'gears.example.com';
    const names = { kind: 'Gear', listKind: 'GearList', plural: 'gears', singular: 'gear' };
    const crd = {
      apiVersion: crdCopy.apiVersion,
      kind: crdCopy.kind,
      metadata: { name },
      spec: { ...widgetCrd, names },
    };
    const gears = { ...widgets, resource: 'gears' };
    const gear = { ...widget, kind: 'Gear', resource: 'gears', name: 'g' } as const;
    // A definition of each side's own.
    await constellation.admin.create({ cluster: `${cellsWorkspacePath}:cell-a`, gvr: crds }, crd);
    await edge.create({ cluster: undefined, gvr: crds }, crd);
    await until('the kind is served in the cell', () => copies.put(gear));
    const isSynced = async () => {
      const annotations = (await copies.get(gear)).metadata.annotations ?? {};
      return (
        annotations[syncAnnotations.syncedHash] !== undefined &&
        annotations[syncAnnotations.syncError] === undefined
      );
    };
    await until('the copy is in sync', isSynced);
    const serve = (served: boolean) =>
      edge.patch(edgeRef(crds, name), {
        type: 'json',
        operations: [{ op: 'add', path: '/spec/versions/0/served', value: served }],
      });
    await serve(false);
    await until('the copy says so', async () => {
      const { annotations } = (await copies.get(gear)).metadata;
      return annotations?.[syncAnnotations.syncError]?.includes('APINotServed');
    });
    await until('the Cell is reachable, all its watches stand', async () =>
      (await constellation.cell()).status?.conditions?.some(
        ({ type, reason }) => type === 'Reachable' && reason === 'Reachable',
      ),
    );
    await serve(true);
    await until('the copy is in sync', isSynced);
    assert.ok(await find(edge, edgeRef(gears, 'g', 'ns')));
  });

  test('a kind that goes from its edge with its definition takes what it told with it, seen or not; one that is only not served does not', async () => {
    const federator = constellation.federator();
    const customKind = (kind: string) => {
      const plural = `${kind.toLowerCase()}s`;
      return {
        apiVersion: crdCopy.apiVersion,
        kind: crdCopy.kind,
        metadata: { name: `${plural}.parts.example.com` },
        spec: {
          ...widgetCrd,
          group: 'parts.example.com',
          names: { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase() },
          versions: (widgetCrd['versions'] as JsonObject[]).map((one) => ({
            ...one,
            subresources: { status: {} },
            schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
          })),
        },
      };
    };
    // Another kind of the group version stays: it is served there all the while.
    const [bolt, nut] = [customKind('Bolt'), customKind('Nut')];
    for (const crd of [bolt, nut]) {
      await constellation.admin.create({ cluster: `${cellsWorkspacePath}:cell-a`, gvr: crds }, crd);
      await edge.create({ cluster: undefined, gvr: crds }, crd);
    }
    const copy = {
      ...widget,
      apiVersion: 'parts.example.com/v1',
      kind: 'Bolt',
      resource: 'bolts',
      name: 'b',
    };
    await until('the kind is served in the cell', () => copies.put(copy));
    const atEdge = edgeRef({ group: 'parts.example.com', version: 'v1', resource: 'bolts' }, 'b', 'ns');
    const tellStatus = async () => {
      await until('it is at the edge', () => find(edge, atEdge));
      const body = { status: { phase: 'Tight' } };
      await edge.patch(atEdge, { type: 'merge', body }, { subresource: 'status' });
      await until('the status is there, and all is well', async () => {
        const { metadata, status } = await copies.get(copy);
        const { [syncAnnotations.syncError]: error } = metadata.annotations ?? {};
        return error === undefined && (status as JsonObject | undefined)?.['phase'] === 'Tight';
      });
    };
    const isNotServed = (annotations: { readonly [key: string]: string } = {}) =>
      annotations[syncAnnotations.syncError]?.includes('APINotServed') === true;
    const definition = edgeRef(crds, bolt.metadata.name);
    const isForgotten = async () => {
      const { metadata, status } = await copies.get(copy);
      const { [syncAnnotations.syncedHash]: hash } = metadata.annotations ?? {};
      return (
        isNotServed(metadata.annotations) && hash === undefined && Object.keys(status ?? {}).length === 0
      );
    };
    await tellStatus();
    await edge.delete(definition);
    await until('the federator sees it go: nothing is said to be there', isForgotten);

    await edge.create({ cluster: undefined, gvr: crds }, bolt);
    await tellStatus();
    await federator.stop();
    await edge.patch(definition, {
      type: 'json',
      operations: [{ op: 'add', path: '/spec/versions/0/served', value: false }],
    });
    federator.edgeTap.clear();
    await federator.start();
    await until('the copy says that it is not served', async () =>
      isNotServed((await copies.get(copy)).metadata.annotations),
    );
    await until('the definition was looked for', async () => {
      return federator.edgeTap.count('get', `${crds.resource}.${crds.group}`) > 0;
    });
    await federator.stop();
    const kept = await copies.get(copy);
    assert.equal((kept['status'] as JsonObject)['phase'], 'Tight', 'it stands at the edge');
    assert.ok(kept.metadata.annotations?.[syncAnnotations.syncedHash]);
    await edge.delete(definition);
    await until('it is gone', async () => (await find(edge, definition)) === undefined);
    await federator.start();
    await until('nothing is said to be there', isForgotten);
    await copies.delete(copy);
    await until(
      'the copy goes',
      async () => (await find(constellation.admin, copies.refOf(copy))) === undefined,
    );
  });

  test('an edge that tells its kinds the old way is understood', async () => {
    const federator = constellation.federator();
    await federator.stop();
    federator.edgeTap.plainDiscovery = true;
    await federator.start();
    await copies.deployment('old-edge', 1);
    await until('it is at the edge', () => find(edge, edgeRef(deployments, 'old-edge', 'ns')));
    await edge.patch(
      edgeRef(deployments, 'old-edge', 'ns'),
      { type: 'merge', body: { status: { replicas: 1 } } },
      { subresource: 'status' },
    );
    await until('its status comes back: the subresource was found', async () => {
      const { status } = await copies.get({
        apiVersion: 'apps/v1',
        resource: 'deployments',
        name: 'old-edge',
      });
      return (status as { replicas?: number } | undefined)?.replicas === 1;
    });
    assert.ok(federator.edgeTap.count('raw', '/apis/apps/v1') > 0);
    federator.edgeTap.plainDiscovery = false;
  });

  test('replicas are the edge’s to decide while an autoscaler for the object is propagated', async () => {
    const replicasAtEdge = async () => {
      const object = await find(edge, edgeRef(deployments, 'scaled', 'ns'));
      return (object?.['spec'] as { replicas?: number } | undefined)?.replicas;
    };
    const autoscaler = {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      resource: 'horizontalpodautoscalers',
      name: 'scaled',
      content: {
        spec: {
          scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'scaled' },
          minReplicas: 1,
          maxReplicas: 9,
        },
      },
    } as const;
    await copies.deployment('scaled', 3);
    await until('it is at the edge', async () => (await replicasAtEdge()) === 3);
    await copies.put(autoscaler);
    const owns = async () => {
      const object = await find(edge, edgeRef(deployments, 'scaled', 'ns'));
      const ours = object?.metadata.managedFields?.find(({ manager }) => manager === 'cellplane-federator');
      return JSON.stringify(ours?.fieldsV1 ?? {}).includes('f:replicas');
    };
    await until('replicas are given up, at the number that they had', async () => !(await owns()));
    assert.equal(await replicasAtEdge(), 3);
    // What the autoscaler does.
    await edge.patch(
      edgeRef(deployments, 'scaled', 'ns'),
      { type: 'merge', body: { spec: { replicas: 7 } } },
      { fieldManager: 'autoscaler' },
    );
    const federator = constellation.federator();
    await federator.stop();
    await copies.deployment('scaled', 4);
    await copies.configMap('after-scaling', {});
    await federator.start();
    await until('a new federator knows it too', () => find(edge, edgeRef(configMaps, 'after-scaling', 'ns')));
    await until('the copy is in sync', async () => {
      const { annotations = {} } = (
        await copies.get({ apiVersion: 'apps/v1', resource: 'deployments', name: 'scaled' })
      ).metadata;
      return annotations[syncAnnotations.syncedHash] === annotations['federation.cellplane.io/content-hash'];
    });
    assert.equal(await replicasAtEdge(), 7);
    await copies.delete(autoscaler);
    await until('without the autoscaler they are ours again', async () => (await replicasAtEdge()) === 4);
  });

  test('an error that passes is not told; one that stays is', async () => {
    const { edgeTap } = constellation.federator();
    let failures = 0;
    let max = 2;
    edgeTap.intercept = ({ verb, name }) => {
      if (verb !== 'apply' || !name.startsWith('flaky')) return;
      if (++failures <= max) throw new ApiError('InternalError', 'etcdserver: leader changed');
    };
    await copies.configMap('flaky-1', {});
    await until('it is at the edge', () => find(edge, edgeRef(configMaps, 'flaky-1', 'ns')));
    max = Number.POSITIVE_INFINITY;
    edgeTap.intercept = ({ verb, name }) => {
      if (verb === 'apply' && name.startsWith('flaky')) throw new ApiError('TooManyRequests', 'slow down');
    };
    await copies.configMap('flaky-2', {});
    await until('it is told in the end', async () => {
      const copy = await copies.get({ name: 'flaky-2' });
      return copy.metadata.annotations?.[syncAnnotations.syncError]?.includes('slow down');
    });
    edgeTap.intercept = undefined;
    await until('and then cleared', async () => {
      const copy = await copies.get({ name: 'flaky-2' });
      return copy.metadata.annotations?.[syncAnnotations.syncError] === undefined;
    });
  });
});
