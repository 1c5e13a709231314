// docs/federation-contract.md: FA1
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Cell, cellsGvr } from '#api/federation/cell.ts';
import { claimCondition } from '#api/federation/cell-claim.ts';
import { type Copy, copiesGvr } from '#api/federation/copy.ts';
import { copyAnnotations, copyLabels, edgeFinalizer } from '#api/federation/copy-contract.ts';
import { federatorsGvr } from '#api/federation/federator.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import type { WatchEvent } from '#client/client.ts';
import { configMap, configMaps, core, keysOf, make } from './testing/objects.ts';
import { type ServerFixture, startServerFixture } from './testing/server-fixture.ts';

describe('cells', () => {
  let server: ServerFixture;
  const clock = new ManualClock();
  const leases = { group: 'coordination.k8s.io', version: 'v1', resource: 'leases' };
  const leaseOf = (name: string) => ({
    cluster: 'root:cells',
    gvr: leases,
    namespace: 'cellplane-federators',
    name,
  });
  let renewals = 0;

  before(async () => {
    server = await startServerFixture({ clock });
  });
  after(() => server.stop());

  /** Promises settle, due timers fire. */
  const settle = async (ms = 200) => {
    await clock.advanceAsync(ms, 10);
    for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve));
  };
  const cell = (name: string) =>
    server.client.get({ cluster: 'root:cells', gvr: cellsGvr, name }) as Promise<Cell>;
  const createCell = (name: string, spec: Cell['spec'] = {}) =>
    server.client.create(
      { cluster: 'root:cells', gvr: cellsGvr },
      { apiVersion: 'federation.cellplane.io/v1alpha1', kind: 'Cell', metadata: { name }, spec },
    );
  const federator = async (name: string, labels: { [key: string]: string } = {}) => {
    await server.client.create(
      { cluster: 'root:cells', gvr: federatorsGvr },
      { apiVersion: 'federation.cellplane.io/v1alpha1', kind: 'Federator', metadata: { name, labels } },
    );
    await server.client.create(leaseOf(name), {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name, namespace: 'cellplane-federators' },
      spec: { holderIdentity: name, leaseDurationSeconds: 10, renewTime: '2026-01-01T00:00:00.000000Z' },
    });
  };
  const renew = (name: string) =>
    server.client.patch(leaseOf(name), {
      type: 'merge',
      body: { spec: { renewTime: `2026-01-01T00:00:00.${String(++renewals).padStart(6, '0')}Z` } },
    });

  test('a Cell gets its workspace and, without a federator, says Unknown', async () => {
    await createCell('fra-1', { pop: 'fra', federator: { selector: { matchLabels: { zone: 'eu' } } } });
    await settle();
    assert.equal(server.index.resolve('root:cells:fra-1').inert, true);
    const { status, spec } = await cell('fra-1');
    assert.equal(status?.cluster, server.index.resolve('root:cells:fra-1').id);
    assert.equal(spec?.deletionPolicy, 'Orphan');
    assert.deepEqual(
      status?.conditions?.map(({ type, status, reason }) => [type, status, reason]),
      [
        ['Ready', 'Unknown', 'NoFederator'],
        ['Reachable', 'Unknown', 'NoFederator'],
        ['Synced', 'Unknown', 'NoFederator'],
      ],
    );
  });

  test('assignment: selector, epoch, takeover within one lease period', async () => {
    await federator('us-1', { zone: 'us' });
    await settle();
    assert.equal((await cell('fra-1')).status?.assignment, undefined);
    await federator('eu-1', { zone: 'eu' });
    await settle();
    const first = (await cell('fra-1')).status;
    assert.equal(first?.assignment?.federator, 'eu-1');
    assert.equal(first?.assignment?.epoch, 1);
    assert.equal(first?.federator, 'eu-1');

    await federator('eu-2', { zone: 'eu' });
    for (let second = 0; second < 11; second++) {
      await renew('eu-2');
      await settle(1_000);
    }
    const second = (await cell('fra-1')).status;
    assert.equal(second?.assignment?.federator, 'eu-2', 'eu-1 let its lease run out');
    assert.equal(second?.assignment?.epoch, 2);
    await clock.advanceAsync(11_000, 500);
    await settle();
    const left = (await cell('fra-1')).status;
    assert.equal(left?.assignment?.federator, 'eu-2', 'nobody else: it keeps its holder');
    assert.equal(left?.conditions?.find(({ type }) => type === 'Ready')?.reason, 'FederatorGone');
  });

  test('only the subresource writes the assignment', async () => {
    const before = (await cell('fra-1')).status?.assignment;
    const ref = { cluster: 'root:cells', gvr: cellsGvr, name: 'fra-1' };
    const body = {
      status: { assignment: { federator: 'thief', epoch: 99 }, cluster: 'x', kubernetesVersion: 'v1' },
    };
    await server.client.patch(ref, { type: 'merge', body }, { subresource: 'status' });
    const { status } = await cell('fra-1');
    assert.deepEqual(status?.assignment, before);
    assert.equal(status?.cluster, server.index.resolve('root:cells:fra-1').id);
    assert.equal(status?.kubernetesVersion, 'v1');
  });

  test('copies of all kinds in one list and one watch', async () => {
    const { id } = server.index.resolve('root:cells:fra-1');
    const copied = (name: string, hash: string): KubeObject['metadata'] => ({
      name,
      labels: { [copyLabels.originCluster]: 'abc', app: name },
      annotations: { [copyAnnotations.contentHash]: hash },
      finalizers: [edgeFinalizer],
    });
    await server.client.create(
      { cluster: id, gvr: core('namespaces') },
      { apiVersion: 'v1', kind: 'Namespace', metadata: copied('ns', 'n1') },
    );
    await configMap(server, id, 'not-a-copy', {}, 'ns');
    await configMap(server, id, 'web', copied('web', 'c1'), 'ns');
    const collection = { cluster: id, gvr: copiesGvr };
    const list = await server.client.list(collection);
    assert.deepEqual(
      (list.items as Copy[]).map(({ metadata, target, contentHash }) => [
        metadata.namespace,
        metadata.name,
        target,
        contentHash,
      ]),
      [
        [
          'ns',
          'configmaps:web',
          {
            group: '',
            version: 'v1',
            resource: 'configmaps',
            kind: 'ConfigMap',
            namespace: 'ns',
            name: 'web',
          },
          'c1',
        ],
        [
          undefined,
          'namespaces:ns',
          { group: '', version: 'v1', resource: 'namespaces', kind: 'Namespace', name: 'ns' },
          'n1',
        ],
      ],
    );
    assert.equal((await server.client.list({ ...collection, namespace: 'ns' })).items.length, 1);
    assert.equal((await server.client.list(collection, { labelSelector: 'app=ns' })).items.length, 1);

    const page = await server.client.list(collection, { limit: 1 });
    assert.equal(page.items.length, 1);
    assert.equal(page.metadata.remainingItemCount, 1);
    const rest = await server.client.list(collection, { limit: 1, continue: page.metadata.continue });
    assert.deepEqual(
      [...page.items, ...rest.items].map(({ metadata }) => metadata.name),
      list.items.map(({ metadata }) => metadata.name),
    );

    const stop = new AbortController();
    const seen: WatchEvent[] = [];
    const watching = (async () => {
      const options = { resourceVersion: list.metadata.resourceVersion, signal: stop.signal };
      for await (const event of server.client.watch(collection, options)) {
        seen.push(event);
        if (seen.length === 4) break;
      }
    })();
    await configMap(server, id, 'second', copied('second', 'c2'), 'ns');
    const ref = { cluster: id, gvr: configMaps, namespace: 'ns', name: 'second' };
    const annotations = { [copyAnnotations.contentHash]: 'c3' };
    await server.client.patch(ref, { type: 'merge', body: { metadata: { annotations } } });
    await server.client.delete(ref);
    await server.client.patch(ref, { type: 'merge', body: { metadata: { finalizers: null } } });
    await watching;
    stop.abort();
    assert.deepEqual(
      seen.map((event) =>
        event.type === 'BOOKMARK' ? event.type : [event.type, (event.object as Copy).contentHash],
      ),
      [
        ['ADDED', 'c2'],
        ['MODIFIED', 'c3'],
        ['MODIFIED', 'c3'],
        ['DELETED', 'c3'],
      ],
    );
    await assert.rejects(server.client.list({ cluster: '*', gvr: copiesGvr }), (error) =>
      isApiError(error, 'MethodNotAllowed'),
    );
  });

  test('a project sees the cells that it may use, read-only and without secrets', async () => {
    await make(server, 'root:shop', 'organization');
    await make(server, 'root:shop:app', 'project');
    await createCell('secret-1', { projects: ['root:other:*'] });
    await createCell('open-1', {
      pop: 'open',
      projects: ['root:shop:*'],
      apiEndpoint: 'https://edge:6443',
      secretRef: { namespace: 'default', name: 'open-1' },
    });
    await settle();
    const collection = { cluster: 'root:shop:app', gvr: cellsGvr };
    const { items, metadata } = await server.client.list(collection);
    assert.deepEqual(
      items.map(({ metadata }) => metadata.name),
      ['fra-1', 'open-1'],
    );
    const shown = (await server.client.get({ ...collection, name: 'open-1' })) as Cell;
    assert.deepEqual(shown.spec, { pop: 'open' });
    assert.equal(shown.status?.cluster, undefined);
    assert.equal(shown.metadata.annotations, undefined);
    assert.equal((await cell('open-1')).spec?.apiEndpoint, 'https://edge:6443');
    const ref = { ...collection, name: 'secret-1' };
    await assert.rejects(server.client.get(ref), (error) => isApiError(error, 'NotFound'));
    await assert.rejects(server.client.delete(ref), (error) => isApiError(error, 'MethodNotAllowed'));
    assert.equal((await server.client.list(collection, { limit: 1 })).metadata.remainingItemCount, 1);

    const stop = new AbortController();
    const seen: [string, string | undefined][] = [];
    const watching = (async () => {
      const options = { resourceVersion: metadata.resourceVersion, signal: stop.signal };
      for await (const event of server.client.watch(collection, options)) {
        if (event.type !== 'BOOKMARK') seen.push([event.type, event.object.metadata.name]);
        if (seen.length === 2) break;
      }
    })();
    const change = (name: string, spec: Cell['spec']) =>
      server.client.patch({ cluster: 'root:cells', gvr: cellsGvr, name }, { type: 'merge', body: { spec } });
    await change('open-1', { apiEndpoint: 'https://edge:7443' });
    await change('secret-1', { projects: ['*'] });
    await change('open-1', { projects: [] });
    await watching;
    stop.abort();
    assert.deepEqual(seen, [
      ['ADDED', 'secret-1'],
      ['DELETED', 'open-1'],
    ]);
  });

  test('deleting a Cell deletes nothing at the edge: copies go without being marked', async () => {
    const { id } = server.index.resolve('root:cells:fra-1');
    const { items, metadata } = await server.client.list({ cluster: id, gvr: configMaps, namespace: 'ns' });
    const stop = new AbortController();
    const seen: WatchEvent[] = [];
    const watching = (async () => {
      const options = { resourceVersion: metadata.resourceVersion, signal: stop.signal };
      const collection = { cluster: id, gvr: configMaps, namespace: 'ns' };
      for await (const event of server.client.watch(collection, options)) {
        seen.push(event);
        if (seen.length === items.length) break;
      }
    })();
    await server.client.delete({ cluster: 'root:cells', gvr: cellsGvr, name: 'fra-1' });
    await settle(1_000);
    await watching;
    stop.abort();
    assert.equal(
      seen.every(
        (event) => event.type === 'DELETED' && event.object.metadata.deletionTimestamp === undefined,
      ),
      true,
    );
    assert.equal(server.index.recordOf(id), undefined);
    assert.deepEqual(keysOf(server, id), []);
    await assert.rejects(cell('fra-1'), (error) => isApiError(error, 'NotFound'));
  });

  test('with deletionPolicy Withdraw the copies are marked, and the Cell waits for the last', async () => {
    await createCell('ams-1', { deletionPolicy: 'Withdraw' });
    await settle();
    const { id } = server.index.resolve('root:cells:ams-1');
    await configMap(server, id, 'web', {
      labels: { [copyLabels.originCluster]: 'abc' },
      finalizers: [edgeFinalizer],
    });
    await server.client.delete({ cluster: 'root:cells', gvr: cellsGvr, name: 'ams-1' });
    await settle(2_000);
    const ref = { cluster: id, gvr: configMaps, namespace: 'default', name: 'web' };
    assert.notEqual((await server.client.get(ref)).metadata.deletionTimestamp, undefined);
    const waiting = (await cell('ams-1')).status?.conditions?.find(({ type }) => type === 'Withdrawing');
    assert.equal(waiting?.message, '1 copies are yet to be withdrawn from the edge');
    await server.client.patch(ref, { type: 'merge', body: { metadata: { finalizers: null } } });
    await settle(3_000);
    assert.equal(server.index.recordOf(id), undefined);
    await assert.rejects(cell('ams-1'), (error) => isApiError(error, 'NotFound'));
  });

  test('with deletionPolicy Withdraw a Cell whose edge is claimed waits until it is not', async () => {
    await createCell('par-1', { deletionPolicy: 'Withdraw' });
    await settle();
    const ref = { cluster: 'root:cells', gvr: cellsGvr, name: 'par-1' };
    const tell = (stands: boolean) =>
      server.client.patch(
        ref,
        { type: 'merge', body: { status: { conditions: [claimCondition(stands)] } } },
        { subresource: 'status' },
      );
    await tell(true);
    await server.client.delete(ref);
    await settle(5_000);
    const waiting = (await cell('par-1')).status?.conditions?.find(({ type }) => type === 'Withdrawing');
    assert.equal(waiting?.reason, 'ClaimRemains');
    await tell(false);
    await settle(2_000);
    await assert.rejects(cell('par-1'), (error) => isApiError(error, 'NotFound'));
  });
});
