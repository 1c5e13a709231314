// What is told of a project's objects at an edge comes back where a ReturnPolicy asks for it: kubectl shows it in the project,
// as much as was asked for and no more, and nothing of it goes to an edge again.
// docs/federation-contract.md: FU2
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, describe, test } from 'node:test';
import { eventKind, returnAnnotations, returnedFromLabel } from '#api/federation/return-contract.ts';
import { type ReturnPolicy, returnPoliciesGvr } from '#api/federation/return-policy.ts';
import { returnedObjectName, returnedObjectsGvr } from '#api/federation/returned-object.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { formatTime } from '#apimachinery/rfc3339.ts';
import { renderKubeconfig } from '#cli/kubeconfig-file.ts';
import { Constellation } from '../harness/constellation.ts';
import { configMaps, namespaces } from '../harness/edge-objects.ts';
import { kubectlFor } from '../harness/kubectl.ts';
import { placeInShop } from '../harness/place-in-shop.ts';
import { temporaryFolder } from '../harness/processes.ts';
import { adminConnectionTo } from '../harness/test-pki.ts';
import { until } from '../harness/until.ts';
import { kubectlPrograms } from '../programs.ts';

const project = 'root:acme:shop';
const events = { group: '', version: 'v1', resource: 'events' };

describe('events of the edges', { timeout: 600_000 }, () => {
  let constellation: Constellation;
  let mapped = '';
  afterEach(() => constellation[Symbol.asyncDispose]());

  const start = async (...cells: string[]) => {
    constellation = await Constellation.start({ cells });
    await constellation.createProject(project);
    const { admin } = constellation;
    await placeInShop(admin, project, 'all', [{ apiVersion: 'v1', kind: 'ConfigMap' }], cells);
    await admin.create(
      { cluster: project, gvr: configMaps, namespace: 'shop' },
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'web' } },
    );
    for (const cell of cells) {
      const namespace = await until(`the namespace is at ${cell}`, async () => {
        const { items } = await edge(cell).list({ cluster: undefined, gvr: namespaces });
        return items.find(({ metadata }) => metadata.name?.startsWith('shop-shop-'));
      });
      mapped = namespace.metadata.name ?? '';
    }
  };
  const edge = (cell = 'cell-a') => constellation.edge(cell).client;
  const policy = (spec: ReturnPolicy['spec']) =>
    constellation.admin.apply(
      { cluster: project, gvr: returnPoliciesGvr, namespace: 'shop', name: 'told' },
      {
        apiVersion: 'federation.cellplane.io/v1alpha1',
        kind: 'ReturnPolicy',
        metadata: { name: 'told', namespace: 'shop' },
        spec,
      },
      { fieldManager: 'test', force: true },
    );
  const event = (name: string, fields: Partial<KubeObject> = {}): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name, namespace: mapped },
    involvedObject: {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      name: 'web',
      namespace: mapped,
      uid: 'of-the-edge',
    },
    type: 'Warning',
    reason: 'Broken',
    message: 'it broke',
    source: { component: 'kubelet', host: 'node-1' },
    firstTimestamp: formatTime(Date.now() - 60_000),
    lastTimestamp: formatTime(Date.now()),
    count: 1,
    ...fields,
  });
  const told = (object: KubeObject, cell = 'cell-a') =>
    edge(cell).create({ cluster: undefined, gvr: events, namespace: mapped }, object);
  const inProject = async () => {
    const { items } = await constellation.admin.list({ cluster: project, gvr: events, namespace: 'shop' });
    return items.filter(({ metadata }) => metadata.labels?.[returnedFromLabel] !== undefined);
  };
  /** Undefined where there is no kubectl. */
  const makeKubectl = async () => {
    const program = kubectlPrograms().at(-1);
    if (program === undefined) return undefined;
    const folder = await temporaryFolder();
    constellation.onEnd(async () => {
      await folder[Symbol.asyncDispose]();
    });
    const kubeconfig = path.join(folder.path, 'kubeconfig');
    const { pki, server } = constellation;
    const connection = adminConnectionTo(pki, `${server.url}/clusters/${project}`);
    await writeFile(kubeconfig, renderKubeconfig([{ name: 'shop', connection }], 'shop'));
    return kubectlFor({
      program: program.file,
      kubeconfig,
      context: 'shop',
      cacheDirectory: path.join(folder.path, 'cache'),
    });
  };

  test('those that are asked for, as one where they say the same, about the project’s object', async () => {
    await start('cell-a', 'cell-b');
    await policy({ resources: [{ kind: 'Event', eventTypes: ['Warning'], reasons: ['Broken', 'Full'] }] });
    await told(event('a'));
    await told(event('b', { count: 4 }));
    await told(event('normal', { type: 'Normal' }));
    await told(event('other', { reason: 'Unasked' }));
    await told(event('old', { message: 'long ago', lastTimestamp: formatTime(Date.now() - 2 * 3_600_000) }));
    await told(event('a'), 'cell-b');
    const [first, second, ...others] = await until('one of each cell has come', async () => {
      const items = await inProject();
      const counts = items.map(({ count }) => count).sort();
      return counts.length === 2 && counts[0] === 1 && counts[1] === 5 ? items : undefined;
    });
    assert.equal(others.length, 0);
    const { metadata } = await constellation.admin.get({
      cluster: project,
      gvr: configMaps,
      namespace: 'shop',
      name: 'web',
    });
    for (const one of [first, second]) {
      const involved = one?.['involvedObject'] as { uid: string; namespace: string; name: string };
      assert.equal(involved.uid, metadata.uid, 'clients select events by uid');
      assert.equal(involved.namespace, 'shop');
      const cell = one?.metadata.labels?.[returnedFromLabel];
      assert.deepEqual(one?.['source'], { component: `${cell}/kubelet`, host: 'node-1' });
    }
    const kubectl = await makeKubectl();
    if (kubectl !== undefined) {
      const described = await kubectl(['describe', 'configmap', 'web', '-n', 'shop']);
      assert.match(described, /Warning\s+Broken\s+.*cell-a\/kubelet\s+it broke/);
      const listed = await kubectl(['events', '--for', 'configmap/web', '-n', 'shop']);
      assert.match(listed, /Broken\s+ConfigMap\/web\s+it broke/);
    }

    // Nothing of it goes down again, and nothing more comes of it.
    const atEdge = await edge().list({ cluster: undefined, gvr: events, namespace: mapped });
    assert.deepEqual(atEdge.items.map(({ metadata: { name } }) => name).sort(), [
      'a',
      'b',
      'normal',
      'old',
      'other',
    ]);

    // What is gone at the edge goes; what is asked for no more goes.
    for (const name of ['a', 'b']) {
      await edge().delete({ cluster: undefined, gvr: events, namespace: mapped, name });
    }
    await until('cell-a’s goes', async () => (await inProject()).length === 1);
    await constellation.admin.delete({
      cluster: project,
      gvr: returnPoliciesGvr,
      namespace: 'shop',
      name: 'told',
    });
    await until('cell-b’s goes', async () => (await inProject()).length === 0);
  });

  test('one for which there was no room comes when others have gone', async () => {
    await start('cell-a');
    // Whoever syncs the cell may write more than was asked for.
    await constellation.federator().stop();
    await policy({ resources: [{ kind: 'Event' }], maxEvents: 1 });
    const at = { cluster: 'root:cells:cell-a', gvr: returnedObjectsGvr, namespace: mapped };
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      const { metadata: _, ...content } = event(name);
      await constellation.admin.create(at, {
        apiVersion: 'federation.cellplane.io/v1alpha1',
        kind: 'ReturnedObject',
        metadata: { name: returnedObjectName(eventKind, name) },
        spec: { kind: 'Event', name, object: { ...content, metadata: { name } } },
      });
    }
    // New ones come before old ones go: of twice as many as were asked for.
    const two = await until('two have come', async () => {
      const items = await inProject();
      return items.length === 2 ? items.map(({ metadata }) => metadata.annotations) : undefined;
    });
    for (const annotations of two) {
      const source = annotations?.[returnAnnotations.source] ?? '';
      await constellation.admin.delete({ ...at, name: source.slice(source.lastIndexOf('|') + 1) });
    }
    await until('two others have come', async () => {
      const sources = (await inProject()).map(
        ({ metadata }) => metadata.annotations?.[returnAnnotations.source],
      );
      return sources.length === 2 && two.every((one) => !sources.includes(one?.[returnAnnotations.source]));
    });
  });

  test('of a flood the newest, at a bounded pace, and each repeated one once in a while', async () => {
    await start('cell-a');
    await policy({ resources: [{ kind: 'Event' }], maxEvents: 5 });
    const startedMs = Date.now();
    const flood = 120;
    for (let n = 0; n < flood; n++) {
      const at = formatTime(startedMs - 1_000 * (flood - n));
      await told(event(`e-${n}`, { message: `number ${n}`, firstTimestamp: at, lastTimestamp: at }));
    }
    const numbers = async () =>
      (await inProject()).map(({ message }) => Number(String(message).slice('number '.length)));
    await until('the newest five have come', async () => {
      const present = (await numbers()).sort((a, b) => a - b);
      return present.length === 5 && present[0] === flood - 5;
    });
    const { federationTap } = constellation.federator();
    const writes = federationTap.count('apply', 'returnedobjects.federation.cellplane.io');
    const seconds = (Date.now() - startedMs) / 1_000;
    assert.ok(writes <= 100 + 10 * seconds, `${writes} writes in ${seconds} s`);
  });
});
