// cell join and unjoin as an operator runs them, with a service account that may do what a federator needs and no more.
// docs/federation-contract.md: FC4
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { conditionOf } from '#api/conditions.ts';
import { type Cell, cellsGvr } from '#api/federation/cell.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import { renderKubeconfig } from '#cli/kubeconfig-file.ts';
import type { KubeClient } from '#client/client.ts';
import { RemoteClient } from '#client/remote/remote-client.ts';
import { Constellation } from '../harness/constellation.ts';
import { CopyWriter } from '../harness/copies.ts';
import { disposeAll } from '../harness/dispose-all.ts';
import { configMaps, deployments, edgeRef, find, namespaces } from '../harness/edge-objects.ts';
import { patient } from '../harness/patient.ts';
import { temporaryFolder } from '../harness/processes.ts';
import { adminConnectionTo } from '../harness/test-pki.ts';
import { until } from '../harness/until.ts';
import { writeKubeconfig } from '../harness/write-kubeconfig.ts';

const name = 'joined';

describe('cell join', { timeout: 600_000 }, () => {
  let constellation: Constellation;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let federationFile = '';
  let edgeFile = '';

  before(async () => {
    folder = await temporaryFolder();
    constellation = await Constellation.start({ cells: [], scheduler: false });
    const edge = await constellation.addEdge(name);
    federationFile = await writeKubeconfig(
      path.join(folder.path, 'federation'),
      adminConnectionTo(constellation.pki, constellation.server.url),
    );
    edgeFile = await writeKubeconfig(path.join(folder.path, 'edge'), edge.connection);
  });
  after(() => disposeAll(constellation, folder));

  const run = (...args: string[]) =>
    new Promise<{ code: number; output: string }>((resolve) => {
      const all = ['bin/cellplane.js', 'cell', ...args, '--kubeconfig', federationFile];
      execFile(process.execPath, all, (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code), output: `${stdout}${stderr}` });
      });
    });
  const edge = () => constellation.edge(name).client;
  const atEdge = (gvr: Parameters<typeof edgeRef>[0], object: string, namespace?: string) =>
    find(edge(), edgeRef(gvr, object, namespace));
  const isReady = (cell = name) =>
    until('it is ready', async () => {
      const one = conditionOf((await constellation.cell(cell)).status?.conditions, 'Ready');
      if (one?.status === 'True') return one;
      throw new Error(`${one?.reason}: ${one?.message}`);
    });
  const secretOf = async () => {
    const gvr = { group: '', version: 'v1', resource: 'secrets' };
    const ref = { cluster: cellsWorkspacePath, gvr, namespace: 'cell-credentials', name };
    return find(constellation.admin, ref);
  };
  const syncs = async (...kinds: ('configmap' | 'deployment')[]) => {
    const copies = new CopyWriter(constellation.admin, name);
    await copies.namespace();
    if (kinds.includes('configmap')) await copies.configMap('a', { x: 'y' });
    if (kinds.includes('deployment')) await copies.deployment('web', 1);
    if (kinds.includes('configmap')) await until('a is there', () => atEdge(configMaps, 'a', 'ns'));
    if (kinds.includes('deployment')) await until('web is there', () => atEdge(deployments, 'web', 'ns'));
  };

  test('with a service account: it syncs, and may do no more than that', async () => {
    const joined = await run(
      'join',
      name,
      '--edge-kubeconfig',
      edgeFile,
      '--service-account',
      '--pop',
      'pop-x',
    );
    assert.equal(joined.code, 0, joined.output);
    assert.match(joined.output, /cell joined joined: workspace root:cells:joined/);
    await isReady();
    await syncs('configmap', 'deployment');
    const data = ((await secretOf())?.['data'] ?? {}) as { [key: string]: string };
    assert.deepEqual(Object.keys(data).sort(), ['caBundle', 'token']);
    assert.equal((await constellation.cell(name)).spec?.pop, 'pop-x');

    const token = Buffer.from(data['token'] ?? '', 'base64').toString('utf8');
    const { server, caPem } = constellation.edge(name).connection;
    const asAccount = new RemoteClient(
      { server, caPem, token },
      { userAgent: 'cellplane-test', limits: patient },
    );
    constellation.onEnd(() => asAccount.close());
    await refusedAll(asAccount);
    const listed = await run('list');
    assert.match(listed.output, /joined +True/);
  });

  test('an edge of another cell is refused and left as it is; --take-over makes it the new one’s', async () => {
    const claim = edgeRef(configMaps, 'cellplane-claim', 'cellplane-system');
    const before = await find(edge(), claim);
    const refused = await run('join', 'second', '--edge-kubeconfig', edgeFile);
    assert.notEqual(refused.code, 0);
    assert.match(refused.output, /belongs to cell joined of control plane .*--take-over/);
    assert.deepEqual(await find(edge(), claim), before);
    const cells = await constellation.admin.list({ cluster: cellsWorkspacePath, gvr: cellsGvr });
    assert.deepEqual(
      cells.items.map(({ metadata }) => metadata.name),
      [name],
    );
    const taken = await run('join', 'second', '--edge-kubeconfig', edgeFile, '--take-over');
    assert.equal(taken.code, 0, taken.output);
    await isReady('second');
    assert.equal((await find(edge(), claim))?.metadata.uid, before?.metadata.uid);
    // Its federator looks every 30 s otherwise.
    await constellation.admin.patch(
      { cluster: cellsWorkspacePath, gvr: cellsGvr, name },
      { type: 'merge', body: { spec: { healthCheck: { intervalSeconds: 5, timeoutSeconds: 5 } } } },
    );
    await until('the former cell says so', async () => {
      const one = conditionOf((await constellation.cell(name)).status?.conditions, 'Ready');
      return one?.reason === 'ForeignClaim' && /second/.test(one.message ?? '');
    });
    assert.ok(await atEdge(configMaps, 'a', 'ns'));
    const back = await run('join', name, '--edge-kubeconfig', edgeFile, '--service-account', '--take-over');
    assert.equal(back.code, 0, back.output);
    await isReady();
    const gone = await run('unjoin', 'second', '--orphan');
    assert.equal(gone.code, 0, gone.output);
    assert.ok(await find(edge(), claim));
  });

  test('unjoin withdraws everything, then the account; a second one is told that there is no such cell', async () => {
    const gone = await run('unjoin', name, '--edge-kubeconfig', edgeFile);
    assert.equal(gone.code, 0, gone.output);
    assert.equal(await atEdge(configMaps, 'a', 'ns'), undefined);
    assert.equal(await atEdge(namespaces, 'ns'), undefined);
    assert.equal(await secretOf(), undefined);
    const accounts = { group: '', version: 'v1', resource: 'serviceaccounts' };
    assert.equal(await atEdge(accounts, 'cellplane-federator', 'cellplane-system'), undefined);
    const again = await run('unjoin', name);
    assert.notEqual(again.code, 0);
    assert.match(again.output, /not found/);
  });

  test('the cell tells what its nodes have and what is taken of it', async () => {
    const joined = await run('join', name, '--edge-kubeconfig', edgeFile, '--service-account');
    assert.equal(joined.code, 0, joined.output);
    await isReady();
    const told = (what: string, isIt: (cell: Cell) => boolean) =>
      until(what, async () => {
        const cell = await constellation.cell(name);
        if (isIt(cell)) return cell;
        throw new Error(JSON.stringify(cell.status));
      });
    const watched = (cell: Cell) => conditionOf(cell.status?.conditions, 'NodesWatched')?.reason;
    const nodes = { group: '', version: 'v1', resource: 'nodes' };
    const node = edgeRef(nodes, 'node-1');
    const labels = { 'kubernetes.io/hostname': 'node-1', disk: 'ssd' };
    await edge().create(node, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'node-1', labels } });
    // As a node's lifecycle controller takes away the taint that admission gives to every new node.
    const taints = [{ key: 'own', effect: 'NoSchedule' }];
    await edge().patch(node, { type: 'merge', body: { spec: { taints } } });
    const status = {
      allocatable: { cpu: '4', memory: '8Gi', pods: '110' },
      conditions: [{ type: 'Ready', status: 'True' }],
    };
    await edge().patch(node, { type: 'merge', body: { status } }, { subresource: 'status' });
    const metadata = { name: 'busy', namespace: 'default' };
    const containers = [{ name: 'c', image: 'c', resources: { requests: { cpu: '1500m', memory: '1Gi' } } }];
    await edge().create(edgeRef({ group: '', version: 'v1', resource: 'pods' }, 'busy', 'default'), {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata,
      spec: { nodeName: 'node-1', containers },
    });
    const cell = await told('what is taken', (one) => one.status?.allocated?.['cpu'] === '1500m');
    assert.equal(watched(cell), 'Watched');
    assert.deepEqual(cell.status?.allocatable, { cpu: '4', memory: '8Gi', pods: '110' });
    assert.deepEqual(cell.status?.allocated, { cpu: '1500m', memory: '1Gi', pods: '1' });
    const free = { cpu: '2500m', memory: '7Gi', pods: '109' };
    assert.deepEqual(cell.status?.nodeRoom, [{ nodes: 1, free, kind: 0 }]);
    assert.deepEqual(cell.status?.nodeKinds, {
      labels: { disk: 'ssd' },
      untoldLabels: ['kubernetes.io/hostname'],
      kinds: [{ taints }],
    });
    const pending = edgeRef({ group: '', version: 'v1', resource: 'pods' }, 'pending', 'default');
    const replicaSets = { group: 'apps', version: 'v1', resource: 'replicasets' };
    const podTemplate = {
      metadata: { labels: { app: 'web' } },
      spec: { containers: [{ name: 'c', image: 'c' }] },
    };
    const { metadata: owner } = await edge().create(edgeRef(replicaSets, 'web-5d4f8c', 'default'), {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: { name: 'web-5d4f8c', namespace: 'default' },
      spec: { selector: { matchLabels: { app: 'web' } }, template: podTemplate },
    });
    await edge().create(pending, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: 'pending',
        namespace: 'default',
        labels: { 'pod-template-hash': '5d4f8c' },
        ownerReferences: [
          {
            apiVersion: 'apps/v1',
            kind: 'ReplicaSet',
            name: 'web-5d4f8c',
            uid: owner.uid ?? '',
            controller: true,
          },
        ],
      },
      spec: { containers: [{ name: 'c', image: 'c' }] },
    });
    // As kube-scheduler does that finds no node for it.
    const noNode = [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable' }];
    await edge().patch(
      pending,
      { type: 'merge', body: { status: { conditions: noNode } } },
      { subresource: 'status' },
    );
    const stuck = await told('what waits', (one) => one.status?.unschedulable?.workloads.length === 1);
    assert.deepEqual(stuck.status?.unschedulable, {
      workloads: [{ kind: 'Deployment', namespace: 'default', name: 'web', pods: 1 }],
    });
    await edge().delete(pending);
    await told('that nothing waits', (one) => one.status?.unschedulable?.workloads.length === 0);
    const otherLabels = { metadata: { labels: { disk: null, rack: '7' } }, spec: { taints: null } };
    await edge().patch(node, { type: 'merge', body: otherLabels });
    const changed = await told('another kind', (one) => one.status?.nodeKinds?.labels?.['rack'] === '7');
    assert.deepEqual(changed.status?.nodeKinds, {
      labels: { rack: '7' },
      untoldLabels: ['kubernetes.io/hostname'],
      kinds: [{}],
    });
    await edge().patch(node, { type: 'merge', body: { spec: { unschedulable: true } } });
    await told('that nothing is free', (one) => one.status?.allocatable?.['cpu'] === '0');
    const ref = { cluster: cellsWorkspacePath, gvr: cellsGvr, name };
    await constellation.admin.patch(ref, { type: 'merge', body: { spec: { watchNodes: false } } });
    const silent = await told('nothing any more', (one) => watched(one) === undefined);
    const { allocatable, allocated, nodeRoom, nodeKinds, unschedulable } = silent.status ?? {};
    assert.deepEqual([allocatable, allocated, nodeRoom, nodeKinds, unschedulable], Array(5).fill(undefined));
    await constellation.admin.patch(ref, { type: 'merge', body: { spec: { watchNodes: null } } });
    await told('it again', (one) => watched(one) === 'Watched');
    const left = await run('unjoin', name, '--edge-kubeconfig', edgeFile);
    assert.equal(left.code, 0, left.output);
    const without = await run(
      'join',
      name,
      '--edge-kubeconfig',
      edgeFile,
      '--service-account',
      '--no-watch-nodes',
    );
    assert.equal(without.code, 0, without.output);
    await isReady();
    assert.equal((await constellation.cell(name)).spec?.watchNodes, false);
    await constellation.admin.patch(ref, { type: 'merge', body: { spec: { watchNodes: true } } });
    await told('that it may not', (one) => watched(one) === 'Forbidden');
    const gone = await run('unjoin', name, '--edge-kubeconfig', edgeFile);
    assert.equal(gone.code, 0, gone.output);
  });

  test('unjoin --orphan leaves the objects; the edge can be joined again by its certificate', async () => {
    // Under another name of its certificate.
    const connection = { ...constellation.edge(name).connection, tlsServerName: 'localhost' };
    const file = await writeKubeconfig(path.join(folder.path, 'other-name'), connection);
    const joined = await run('join', name, '--edge-kubeconfig', file);
    assert.equal(joined.code, 0, joined.output);
    assert.deepEqual(Object.keys((await secretOf())?.['data'] ?? {}), ['kubeconfig']);
    await isReady();
    await syncs('configmap');
    const gone = await run('unjoin', name, '--orphan');
    assert.equal(gone.code, 0, gone.output);
    assert.ok(await atEdge(configMaps, 'a', 'ns'));
  });

  test('an edge that cannot be reached is told at once', async () => {
    const file = path.join(folder.path, 'nowhere');
    const connection = { ...constellation.edge(name).connection, server: 'https://127.0.0.1:1' };
    await writeFile(file, renderKubeconfig([{ name: 'x', connection }], 'x'));
    const failed = await run('join', 'nowhere', '--edge-kubeconfig', file);
    assert.notEqual(failed.code, 0);
    assert.match(failed.output, /127\.0\.0\.1:1/);
    const stranger = path.join(folder.path, 'stranger');
    const { server, caPem } = constellation.edge(name).connection;
    await writeFile(
      stranger,
      renderKubeconfig([{ name: 'x', connection: { server, caPem, token: 'no' } }], 'x'),
    );
    const unknown = await run('join', 'x', '--edge-kubeconfig', stranger);
    assert.notEqual(unknown.code, 0);
    assert.ok(
      unknown.output.includes(`${server} does not accept the credentials of ${stranger}`),
      unknown.output,
    );
    const wrong = await run('join', 'x', '--edge-kubeconfig', edgeFile, '--service-account', 'a/b/c');
    assert.match(wrong.output, /namespace\/name/);
  });

  test('a workspace of the control plane itself is no edge: join refuses it, a Cell made by hand says so', async () => {
    const project = 'root:acme:shop';
    await constellation.createProject(project);
    const { url } = constellation.server;
    const workspace = adminConnectionTo(constellation.pki, `${url}/clusters/${project}`);
    const file = await writeKubeconfig(path.join(folder.path, 'own'), workspace);
    const refused = await run('join', 'loop', '--edge-kubeconfig', file);
    assert.notEqual(refused.code, 0);
    assert.match(
      refused.output,
      /clusters\/root:acme:shop: the edge is a workspace of this control plane itself/,
    );
    const ref = { cluster: cellsWorkspacePath, gvr: cellsGvr, name: 'loop' };
    assert.equal(await find(constellation.admin, ref), undefined);
    await constellation.addCell('loop', {}, workspace);
    await until('it says so', async () => {
      const one = conditionOf((await constellation.cell('loop')).status?.conditions, 'Ready');
      if (one?.reason === 'OwnControlPlane' && one.status === 'False') return true;
      throw new Error(`${one?.reason}: ${one?.message}`);
    });
    const left = { cluster: project, gvr: namespaces, name: 'cellplane-system' };
    assert.equal(await find(constellation.admin, left), undefined, 'nothing was claimed there');
    await constellation.admin.delete(ref);
  });
});

/** What a federator's account has no business with. */
async function refusedAll(asAccount: KubeClient): Promise<void> {
  const rbac = { group: 'rbac.authorization.k8s.io', version: 'v1' };
  const metadata = { name: 'mine' };
  const attempts: readonly (() => Promise<unknown>)[] = [
    () =>
      asAccount.raw({
        cluster: undefined,
        method: 'POST',
        path: '/api/v1/namespaces/default/serviceaccounts/default/token',
        body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} },
      }),
    () => asAccount.list({ cluster: undefined, gvr: { ...rbac, resource: 'clusterroles' } }),
    () =>
      asAccount.create(
        { cluster: undefined, gvr: { ...rbac, resource: 'clusterrolebindings' } },
        {
          apiVersion: 'rbac.authorization.k8s.io/v1',
          kind: 'ClusterRoleBinding',
          metadata,
          roleRef: { apiGroup: rbac.group, kind: 'ClusterRole', name: 'cluster-admin' },
          subjects: [],
        },
      ),
    () =>
      asAccount.delete({
        cluster: undefined,
        gvr: { group: '', version: 'v1', resource: 'nodes' },
        name: 'n',
      }),
    () => asAccount.raw({ cluster: undefined, method: 'GET', path: '/metrics' }),
  ];
  for (const attempt of attempts) {
    await assert.rejects(attempt(), (error) => isApiError(error, 'Forbidden'), attempt.toString());
  }
}
