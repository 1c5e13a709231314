// Federators come, go and take over: what that costs, and that no two of them spoil each other's work.
// docs/federation-contract.md: FA3, FA4, FA5, FD2
import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { Constellation, type ConstellationOptions } from '../harness/constellation.ts';
import { CopyWriter } from '../harness/copies.ts';
import { configMaps, deployments, edgeRef, find } from '../harness/edge-objects.ts';
import type { TappedRequest } from '../harness/request-tap.ts';
import { until } from '../harness/until.ts';

const leaseDurationMs = 2_000;

describe('restarts and takeovers', { timeout: 600_000 }, () => {
  let constellation: Constellation;
  afterEach(() => constellation[Symbol.asyncDispose]());

  const start = async (options: ConstellationOptions = {}) => {
    constellation = await Constellation.start({ scheduler: false, leaseDurationMs, ...options });
  };
  const copiesOf = (cell: string) => new CopyWriter(constellation.admin, cell);
  const atEdge = (cell: string, name: string) =>
    find(constellation.edge(cell).client, edgeRef(configMaps, name, 'ns'));
  const syncs = async (cell: string, name: string, key = '') => {
    await copiesOf(cell).namespace();
    await copiesOf(cell).configMap(name, { key });
    await until(`${name} is at ${cell}`, async () => {
      const data = (await atEdge(cell, name))?.['data'] as { key?: string } | undefined;
      return data?.key === key;
    });
  };
  const holderOf = async (cell: string) => (await constellation.cell(cell)).status?.assignment?.federator;
  const isIdle = (federator: string, cell: string) =>
    until(
      `${federator} has nothing to do`,
      () => constellation.federator(federator).process?.cell(cell)?.idle,
    );

  test('a restart writes nothing when nothing changed, asks for no object, and finds what did change', async () => {
    await start();
    const copies = copiesOf('cell-a');
    await copies.namespace();
    for (let index = 0; index < 40; index++) await copies.configMap(`x-${index}`, { index: String(index) });
    await copies.deployment('web', 1);
    await until('all is at the edge', () => atEdge('cell-a', 'x-39'));
    const web = await until('the deployment is too', () =>
      find(constellation.edge().client, edgeRef(deployments, 'web', 'ns')),
    );
    await constellation.edge().client.patch(
      edgeRef(deployments, 'web', 'ns'),
      {
        type: 'merge',
        body: { status: { replicas: 1, readyReplicas: 1, observedGeneration: web.metadata.generation ?? 1 } },
      },
      { subresource: 'status' },
    );
    const deploymentCopy = { apiVersion: 'apps/v1', resource: 'deployments', name: 'web' };
    await until('its status is back', async () => {
      const { status } = await copies.get(deploymentCopy);
      return (status as { readyReplicas?: number } | undefined)?.readyReplicas === 1;
    });
    await until('all is acknowledged', async () => {
      const { objects } = (await constellation.cell()).status ?? {};
      return objects?.pending === 0 && objects.synced === 42;
    });
    const federator = constellation.federator();
    const { edgeTap, federationTap } = federator;
    await federator.stop();
    edgeTap.clear();
    federationTap.clear();
    await federator.start();
    await until('it has looked at everything', async () => {
      const sync = federator.process?.cell('cell-a');
      return sync?.idle === true && sync.tally.counts.synced === 42;
    });
    assert.deepEqual(edgeTap.writes, []);
    const objectReads = edgeTap.requests.filter(
      ({ verb, name }) => verb === 'get' && name !== 'cellplane-claim',
    );
    assert.deepEqual(objectReads, []);
    const onCopies = ({ resource, subresource }: TappedRequest) =>
      /^(configmaps|deployments|namespaces)/.test(resource) && subresource !== 'assignment';
    assert.deepEqual(federationTap.writes.filter(onCopies), [], 'nothing is written onto copies');
    const copyReads = federationTap.requests.filter((one) => one.verb === 'get' && onCopies(one));
    assert.deepEqual(copyReads, []);

    // Meanwhile one is changed, one withdrawn, one drifts, one comes.
    await federator.stop();
    await copies.configMap('x-0', { index: 'changed' });
    await copies.delete({ name: 'x-1' });
    await constellation.edge().client.patch(edgeRef(configMaps, 'x-2', 'ns'), {
      type: 'merge',
      body: { data: { index: 'drifted' } },
    });
    await copies.configMap('new', {});
    edgeTap.clear();
    await federator.start();
    await until('it has caught up', async () => {
      const index = async (name: string) =>
        ((await atEdge('cell-a', name))?.['data'] as { index?: string } | undefined)?.index;
      return (
        (await index('x-0')) === 'changed' &&
        (await index('x-1')) === undefined &&
        (await index('x-2')) === '2' &&
        (await atEdge('cell-a', 'new')) !== undefined
      );
    });
    const written = new Set(edgeTap.writes.map(({ name }) => name));
    assert.deepEqual([...written].sort(), ['new', 'x-0', 'x-1', 'x-2']);
  });

  test('a federator that dies loses its cells when its lease has ended, and nobody else notices', async () => {
    await start({ cells: ['cell-a', 'cell-b', 'pinned'], federators: [] });
    await constellation.patchCell('pinned', { spec: { federator: { name: 'federator-a' } } });
    await constellation.patchCell('cell-b', { spec: { federator: { name: 'federator-b' } } });
    await constellation.addFederator('federator-a').start();
    await until('it holds the cell of nobody', async () => (await holderOf('cell-a')) === 'federator-a');
    await constellation.addFederator('federator-b').start();
    for (const cell of ['cell-a', 'cell-b', 'pinned']) await syncs(cell, 'before');
    // A federator that has just come takes its share after a lease period; what it holds then is not under test.
    if ((await holderOf('cell-a')) !== 'federator-a') {
      await constellation.patchCell('cell-a', { spec: { federator: { selector: {} } } });
    }
    await constellation.federator('federator-a').kill();
    await syncs('cell-b', 'meanwhile');
    await until('its hashed cell is taken over', async () => (await holderOf('cell-a')) === 'federator-b');
    await syncs('cell-a', 'after');
    assert.equal(await holderOf('pinned'), 'federator-a', 'a pinned cell stays');
    await copiesOf('pinned').configMap('waits', {});
    await until('its Cell says that nobody vouches for it', async () => {
      const { conditions = [] } = (await constellation.cell('pinned')).status ?? {};
      return conditions.some(({ type, status }) => type === 'Ready' && status === 'Unknown');
    });
    assert.equal(await atEdge('pinned', 'waits'), undefined);
    await constellation.federator('federator-a').start();
    await until('it is synced again', () => atEdge('pinned', 'waits'));
  });

  test('a takeover writes nothing at the edge', async () => {
    await start({ federators: ['federator-a', 'federator-b'] });
    await constellation.patchCell('cell-a', { spec: { federator: { name: 'federator-a' } } });
    await syncs('cell-a', 'x', '1');
    await syncs('cell-a', 'y', '1');
    await isIdle('federator-a', 'cell-a');
    const { edgeTap } = constellation.federator('federator-b');
    edgeTap.clear();
    await constellation.patchCell('cell-a', { spec: { federator: { name: 'federator-b' } } });
    await until('it is taken over', async () => (await holderOf('cell-a')) === 'federator-b');
    await isIdle('federator-b', 'cell-a');
    await until(
      'the former one has let go',
      () => constellation.federator('federator-a').process?.cellNames.length === 0,
    );
    assert.deepEqual(edgeTap.writes, []);
    await syncs('cell-a', 'x', '2');
  });

  test('what a paused federator was about to write is refused by the edge or repaired by its successor', async () => {
    await start({ federators: ['federator-a', 'federator-b'] });
    await constellation.patchCell('cell-a', { spec: { federator: { name: 'federator-a' } } });
    for (const name of ['changed', 'withdrawn', 'created']) await syncs('cell-a', name, '1');
    await isIdle('federator-a', 'cell-a');
    await copiesOf('cell-a').delete({ name: 'created' });
    await copiesOf('cell-a').isGone({ name: 'created' });
    assert.equal(await atEdge('cell-a', 'created'), undefined);
    await isIdle('federator-a', 'cell-a');

    // Its writes stop just before they leave, as in a process that is paused.
    const stale = constellation.federator('federator-a').edgeTap;
    let resume = () => {};
    const paused = new Promise<void>((resolve) => {
      resume = resolve;
    });
    const about = new Set<string>();
    stale.intercept = ({ verb, name }) => {
      if (verb !== 'apply' && verb !== 'delete') return undefined;
      about.add(`${verb} ${name}`);
      return paused;
    };
    const copies = copiesOf('cell-a');
    await copies.configMap('changed', { key: '2' });
    await copies.configMap('created', { key: '2' });
    await copies.delete({ name: 'withdrawn' });
    await until('all three are under way', () => about.size >= 3);

    await constellation.patchCell('cell-a', { spec: { federator: { name: 'federator-b' } } });
    await until('another has taken over', async () => (await holderOf('cell-a')) === 'federator-b');
    await syncs('cell-a', 'changed', '3');
    await syncs('cell-a', 'created', '3');
    await until('the withdrawn one is gone', async () => (await atEdge('cell-a', 'withdrawn')) === undefined);
    await copies.isGone({ name: 'withdrawn' });
    await syncs('cell-a', 'withdrawn', 'again');
    await isIdle('federator-b', 'cell-a');

    stale.intercept = undefined;
    resume();
    await until(
      'the former one has let go',
      () => constellation.federator('federator-a').process?.cellNames.length === 0,
    );
    await syncs('cell-a', 'marker');
    await isIdle('federator-b', 'cell-a');
    for (const [name, key] of [
      ['changed', '3'],
      ['created', '3'],
      ['withdrawn', 'again'],
    ] as const) {
      await until(`${name} is as the present holder has it`, async () => {
        const data = (await atEdge('cell-a', name))?.['data'] as { key?: string } | undefined;
        return data?.key === key;
      });
    }
  });
});
