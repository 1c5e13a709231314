// One cell, one federator, copies written by hand: what a federator does for each at the edge.
// docs/federation-contract.md: FD1, FD3, FD4, FU1
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { syncAnnotations } from '#api/federation/copy-contract.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { silentLogger } from '#client/logger.ts';
import { MetricText } from '#client/metrics/metric-text.ts';
import { Constellation } from '../harness/constellation.ts';
import { CopyWriter } from '../harness/copies.ts';
import { configMaps, deployments, edgeRef, find, namespaces } from '../harness/edge-objects.ts';
import { until } from '../harness/until.ts';

const drifted = 'edge object had drifted; it was repaired';

describe('downsync', { timeout: 600_000 }, () => {
  let constellation: Constellation;
  let copies: CopyWriter;
  let edge: KubeClient;
  const logged: { readonly cell?: string; readonly key?: string; readonly message: string }[] = [];
  before(async () => {
    const logger = {
      ...silentLogger,
      info: (fields: { cell?: string; key?: string }, message: string) => logged.push({ ...fields, message }),
    };
    constellation = await Constellation.start({ scheduler: false, logger });
    copies = new CopyWriter(constellation.admin);
    edge = constellation.edge().client;
  });
  after(() => constellation[Symbol.asyncDispose]());

  const atEdge = (name: string) => find(edge, edgeRef(configMaps, name, 'ns'));
  const keyAtEdge = async (name: string): Promise<string | undefined> =>
    ((await atEdge(name))?.['data'] as { key?: string } | undefined)?.key;
  const syncError = async (name: string): Promise<{ reason?: string; message?: string }> => {
    const copy = await copies.get({ name });
    const text = copy.metadata.annotations?.[syncAnnotations.syncError];
    return text === undefined ? {} : (JSON.parse(text) as { reason?: string; message?: string });
  };

  test('a copy is created at the edge, namespace first, and says so', async () => {
    await copies.namespace();
    await copies.configMap('a', { key: 'one' });
    const object = await until('it is at the edge', () => atEdge('a'));
    assert.deepEqual(object['data'], { key: 'one' });
    assert.equal(object.metadata.finalizers, undefined, 'our finalizer stays on the copy');
    assert.ok(await find(edge, edgeRef(namespaces, 'ns')));
    await until('the copy says that it is synced', async () => {
      const { annotations = {} } = (await copies.get({ name: 'a' })).metadata;
      return annotations[syncAnnotations.syncedHash] === annotations['federation.cellplane.io/content-hash'];
    });
  });

  test('a change follows, and fields that the edge added stay', async () => {
    await edge.patch(edgeRef(configMaps, 'a', 'ns'), { type: 'merge', body: { data: { theirs: 'x' } } });
    await copies.configMap('a', { key: 'two' });
    await until('the change is at the edge', async () => {
      const data = (await atEdge('a'))?.['data'] as { key?: string; theirs?: string } | undefined;
      return data?.key === 'two' && data.theirs === 'x';
    });
  });

  test('status comes back on watch, observedGeneration counted in the copy’s generations', async () => {
    await copies.deployment('web', 2);
    const object = await until('it is at the edge', () => find(edge, edgeRef(deployments, 'web', 'ns')));
    const tell = (readyReplicas: number, observedGeneration = object.metadata.generation ?? 0) =>
      edge.patch(
        edgeRef(deployments, 'web', 'ns'),
        { type: 'merge', body: { status: { readyReplicas, replicas: 2, observedGeneration } } },
        { subresource: 'status' },
      );
    await tell(1);
    const deploymentCopy = { apiVersion: 'apps/v1', resource: 'deployments', name: 'web' };
    const copy = await until('the status is on the copy', async () => {
      const one = await copies.get(deploymentCopy);
      return (one['status'] as { readyReplicas?: number } | undefined)?.readyReplicas === 1 ? one : undefined;
    });
    const status = copy['status'] as { observedGeneration?: number };
    assert.equal(status.observedGeneration, copy.metadata.generation);
  });

  test('a field that somebody changes at the edge is put right', async (t) => {
    const repairs = () => {
      const text = new MetricText();
      Array.from(constellation.federator().process?.writeMetrics(text) ?? []);
      return Number(/^cellplane_cell_drift_repaired_total\{.*\} (\d+)$/m.exec(text.toString())?.[1]);
    };
    const before = repairs();
    const beganMs = performance.now();
    await edge.patch(edgeRef(configMaps, 'a', 'ns'), { type: 'merge', body: { data: { key: 'evil' } } });
    await until('it is repaired', async () => {
      return (await keyAtEdge('a')) === 'two';
    });
    t.diagnostic(`repaired after ${(performance.now() - beganMs).toFixed(0)} ms`);
    await until('it is counted', () => repairs() === before + 1);
    const told = await until('it is logged', () => logged.find(({ message }) => message === drifted));
    assert.equal(told.cell, 'cell-a', 'the log says in which cell');
    await edge.delete(edgeRef(configMaps, 'a', 'ns'));
    await until('a deleted one is put back', () => atEdge('a'));
  });

  test('who keeps changing it back is named, and repaired ever more rarely, while others are synced', async () => {
    await copies.configMap('contested', { key: 'ours' });
    await until('it is at the edge', () => atEdge('contested'));
    const tap = constellation.federator().edgeTap;
    await until('the rivalry is told', async () => {
      const object = await atEdge('contested');
      if ((object?.['data'] as { key?: string } | undefined)?.key === 'ours') {
        await edge.patch(
          edgeRef(configMaps, 'contested', 'ns'),
          { type: 'merge', body: { data: { key: 'theirs' } } },
          { fieldManager: 'rival' },
        );
      }
      const { reason, message } = await syncError('contested');
      return reason === 'DriftContested' && message?.includes('rival') && message.includes('data.key');
    });
    const repairs = () =>
      tap.requests.filter((one) => one.verb === 'apply' && one.name === 'contested').length;
    await edge.patch(
      edgeRef(configMaps, 'contested', 'ns'),
      { type: 'merge', body: { data: { key: 'theirs' } } },
      { fieldManager: 'rival' },
    );
    const before = repairs();
    const beganMs = performance.now();
    await copies.configMap('other', { a: 'b' });
    await until('another is synced meanwhile', () => atEdge('other'));
    // At most one after each pause, the first of which is five seconds (drift-record.ts).
    const more = repairs() - before;
    assert.ok(more <= 1 + (performance.now() - beganMs) / 5_000, `repairs are rare now: ${more}`);
  });

  test('a withdrawn copy goes from the edge first, then itself', async () => {
    await copies.delete({ name: 'a' });
    await until('it is gone on both sides', async () => {
      if ((await atEdge('a')) !== undefined) return false;
      return (await find(constellation.admin, copies.refOf({ name: 'a' }))) === undefined;
    });
  });

  test('a finalizer that the edge put on holds the withdrawal until it is off', async () => {
    await copies.configMap('held', { key: '1' });
    const at = edgeRef(configMaps, 'held', 'ns');
    await until('it is at the edge', () => atEdge('held'));
    await edge.patch(at, { type: 'merge', body: { metadata: { finalizers: ['acme.example/clean-up'] } } });
    await copies.configMap('held', { key: '2' });
    await until('it changes', async () => (await keyAtEdge('held')) === '2');
    assert.deepEqual((await atEdge('held'))?.metadata.finalizers, ['acme.example/clean-up'], 'it stays on');
    await copies.delete({ name: 'held' });
    await until('it is going', async () => (await atEdge('held'))?.metadata.deletionTimestamp !== undefined);
    assert.ok(await find(constellation.admin, copies.refOf({ name: 'held' })), 'the copy waits for it');
    await edge.patch(at, { type: 'merge', body: { metadata: { finalizers: null } } });
    await until('both are gone', async () => {
      const copy = await find(constellation.admin, copies.refOf({ name: 'held' }));
      return copy === undefined && (await atEdge('held')) === undefined;
    });
  });

  test('fields that the copy leaves to the edge stay as they are there, and what is beside them follows', async () => {
    const deploy = (image: string, more: { [annotation: string]: string }) =>
      copies.put({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        resource: 'deployments',
        name: 'scaled',
        content: {
          spec: {
            replicas: 2,
            paused: true,
            selector: { matchLabels: { app: 'scaled' } },
            template: {
              metadata: { labels: { app: 'scaled' } },
              spec: { containers: [{ name: 'main', image }] },
            },
          },
        },
        annotations: more,
      });
    const seen = async () => {
      const object = await find(edge, edgeRef(deployments, 'scaled', 'ns'));
      const spec = object?.['spec'] as
        | { replicas?: number; paused?: boolean; template: { spec: { containers: { image: string }[] } } }
        | undefined;
      return spec === undefined
        ? undefined
        : { replicas: spec.replicas, paused: spec.paused, image: spec.template.spec.containers[0]?.image };
    };
    const isSynced = async () => {
      const { annotations = {} } = (
        await copies.get({ apiVersion: 'apps/v1', resource: 'deployments', name: 'scaled' })
      ).metadata;
      return annotations[syncAnnotations.syncedHash] === annotations['federation.cellplane.io/content-hash'];
    };
    const retained = { 'federation.cellplane.io/retained-fields': '["/spec/replicas","/spec/paused"]' };
    await deploy('registry.example/x:v1', retained);
    await until('it comes as the copy says', async () => (await seen())?.replicas === 2);
    await until('the copy says that it is synced', isSynced);
    await edge.patch(
      edgeRef(deployments, 'scaled', 'ns'),
      { type: 'merge', body: { spec: { replicas: 7 } } },
      { fieldManager: 'scaler' },
    );
    await deploy('registry.example/x:v2', retained);
    await until(
      'a change beside them follows',
      async () => (await seen())?.image === 'registry.example/x:v2',
    );
    assert.deepEqual(await seen(), { replicas: 7, paused: true, image: 'registry.example/x:v2' });
    await until('the copy says that it is synced', isSynced);
    assert.deepEqual(
      logged.filter(({ key, message }) => message === drifted && key?.includes('scaled')),
      [],
    );
    await deploy('registry.example/x:v2', {});
    await until(
      'what is not left to the edge any more is put right',
      async () => (await seen())?.replicas === 2,
    );
  });

  test('what no copy made is left alone, unless the copy says Overwrite', async () => {
    const theirs: KubeObject = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'theirs' },
      data: { key: 'theirs' },
    };
    await edge.create({ cluster: undefined, gvr: configMaps, namespace: 'ns' }, theirs);
    await copies.configMap('theirs', { key: 'ours' });
    const error = await until('the copy says why', async () => {
      const one = await syncError('theirs');
      return one.reason === 'AlreadyExists' ? one : undefined;
    });
    assert.match(error.message ?? '', /no copy made/);
    assert.deepEqual((await atEdge('theirs'))?.['data'], { key: 'theirs' });
    await until('the Cell says so', async () => {
      const { status } = await constellation.cell();
      return status?.objects?.failed === 1;
    });
    await copies.configMap(
      'theirs',
      { key: 'ours' },
      {
        annotations: { 'federation.cellplane.io/conflict-resolution': 'Overwrite' },
      },
    );
    await until('it is taken over', async () => {
      return (await keyAtEdge('theirs')) === 'ours' && (await syncError('theirs')).reason === undefined;
    });
  });

  test('a copy of another origin is never touched, whatever the copy says', async () => {
    await copies.configMap('shared', { key: 'first' });
    await until('it is at the edge', () => atEdge('shared'));
    await copies.configMap(
      'shared',
      { key: 'second' },
      {
        originCluster: 'project2',
        annotations: { 'federation.cellplane.io/conflict-resolution': 'Overwrite' },
      },
    );
    await until('the collision is told', async () => (await syncError('shared')).reason === 'NameCollision');
    assert.deepEqual((await atEdge('shared'))?.['data'], { key: 'first' });
    // Nor is it deleted for the other.
    await copies.delete({ name: 'shared' });
    await until(
      'the copy goes',
      async () => (await find(constellation.admin, copies.refOf({ name: 'shared' }))) === undefined,
    );
    assert.deepEqual((await atEdge('shared'))?.['data'], { key: 'first' });
  });

  test('a suspended copy leaves the edge as it is; a suspended cell does for all', async () => {
    await copies.configMap('paused', { key: '1' });
    await until('it is at the edge', () => atEdge('paused'));
    await copies.configMap(
      'paused',
      { key: '2' },
      {
        annotations: { 'federation.cellplane.io/suspend': 'true' },
      },
    );
    await copies.configMap('marker', { key: '1' });
    await until('a later one is synced', () => atEdge('marker'));
    assert.deepEqual((await atEdge('paused'))?.['data'], { key: '1' });
    await constellation.patchCell('cell-a', { spec: { suspend: true } });
    await until('the Cell says Suspended', async () =>
      (await constellation.cell()).status?.conditions?.some(({ reason }) => reason === 'Suspended'),
    );
    await copies.configMap('paused', { key: '3' });
    await copies.configMap('marker', { key: '2' });
    await until('both wait', async () => ((await constellation.cell()).status?.objects?.pending ?? 0) >= 2);
    assert.deepEqual((await atEdge('marker'))?.['data'], { key: '1' });
    await constellation.patchCell('cell-a', { spec: { suspend: false } });
    await until('both follow', async () => {
      return (await keyAtEdge('paused')) === '3' && (await keyAtEdge('marker')) === '2';
    });
  });

  test('of much at once what others refer to comes first, and goes last', async () => {
    const { edgeTap } = constellation.federator();
    const count = 40;
    const names = Array.from({ length: count }, (_, index) => `wave-${index}`);
    const deployment = (name: string) =>
      ({ apiVersion: 'apps/v1', kind: 'Deployment', resource: 'deployments', name }) as const;
    /** Where in the order of such requests the middle one of each kind is. */
    const middles = (verb: 'apply' | 'delete') => {
      const made = edgeTap.requests.filter((one) => one.verb === verb && one.name.startsWith('wave-'));
      const middle = (resource: string) => {
        const places = made.flatMap((one, place) => (one.resource === resource ? [place] : []));
        return places[Math.floor(places.length / 2)] ?? Number.NaN;
      };
      return { configMaps: middle('configmaps'), deployments: middle('deployments.apps') };
    };
    const suspend = async (is: boolean) => {
      await constellation.patchCell('cell-a', { spec: { suspend: is } });
      await until('the Cell says so', async () => {
        const reasons = (await constellation.cell()).status?.conditions?.map(({ reason }) => reason) ?? [];
        return reasons.includes('Suspended') === is;
      });
    };
    const allWait = () =>
      until('all are known to wait', async () => {
        const { objects } = (await constellation.cell()).status ?? {};
        return (objects?.pending ?? 0) >= 2 * count;
      });
    await suspend(true);
    for (const name of names) await copies.deployment(name, 1);
    for (const name of names) await copies.configMap(name, {});
    await allWait();
    edgeTap.clear();
    await suspend(false);
    await until('all are there', async () => {
      const { items } = await edge.list({ cluster: undefined, gvr: deployments, namespace: 'ns' });
      return items.filter(({ metadata }) => metadata.name?.startsWith('wave-')).length === count;
    });
    const came = middles('apply');
    assert.ok(came.configMaps < came.deployments, JSON.stringify(came));
    await suspend(true);
    for (const name of names) await copies.delete({ name });
    for (const name of names) await copies.delete(deployment(name));
    await allWait();
    edgeTap.clear();
    await suspend(false);
    await until('all are gone', async () => {
      const left = await Promise.all([atEdge('wave-0'), atEdge(`wave-${count - 1}`)]);
      return left.every((one) => one === undefined);
    });
    const went = middles('delete');
    assert.ok(went.deployments < went.configMaps, JSON.stringify(went));
  });

  test('a copy marked Orphan leaves its edge object behind, and nobody deletes that later', async () => {
    await copies.configMap('kept', { key: '1' });
    await until('it is at the edge', () => atEdge('kept'));
    const admin = constellation.admin;
    await admin.patch(copies.refOf({ name: 'kept' }), {
      type: 'merge',
      body: { metadata: { annotations: { 'federation.cellplane.io/deletion-policy': 'Orphan' } } },
    });
    await copies.delete({ name: 'kept' });
    await until(
      'the copy goes',
      async () => (await find(admin, copies.refOf({ name: 'kept' }))) === undefined,
    );
    const { federators } = constellation;
    for (const federator of federators.values()) {
      await federator.stop();
      await federator.start();
    }
    await copies.configMap('marker', { key: 'after' });
    await until('the new federator works', async () => {
      return (await keyAtEdge('marker')) === 'after';
    });
    assert.ok(await atEdge('kept'));
  });

  test('what the edge refuses is told on the copy and cleared when it is right', async () => {
    await copies.put({
      name: 'bad',
      kind: 'Service',
      resource: 'services',
      content: { spec: { ports: [{ port: 70_000 }] } },
    });
    const refused = await until('the refusal is told', async () => {
      const copy = await copies.get({ name: 'bad', resource: 'services' });
      return copy.metadata.annotations?.[syncAnnotations.syncError];
    });
    assert.match(refused, /Invalid/);
    assert.match(refused, /port/);
    await copies.put({
      name: 'bad',
      kind: 'Service',
      resource: 'services',
      content: { spec: { ports: [{ port: 80 }] } },
    });
    await until('it is cleared', async () => {
      const copy = await copies.get({ name: 'bad', resource: 'services' });
      return copy.metadata.annotations?.[syncAnnotations.syncError] === undefined;
    });
  });
});
