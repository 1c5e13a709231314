// This server behind another API server's aggregation layer (KUBERNETES.md O1, U1): request headers, delegated
// TokenReview and SubjectAccessReview. An edge server plays the aggregating one.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { textAt } from '#api/builtin/read.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { ensurePki, type ServerPki } from '#apiserver/pki/pki.ts';
import { ServiceNetworks } from '#apiserver/services/service-networks.ts';
import { silentLogger } from '#client/logger.ts';
import { RemoteClient } from '#client/remote/remote-client.ts';
import { disposeAll } from './harness/dispose-all.ts';
import { InProcessServer } from './harness/in-process-server.ts';
import { patient } from './harness/patient.ts';
import { RawHttp } from './harness/raw-http.ts';
import { adminConnectionTo, connectionAs, createTestPki } from './harness/test-pki.ts';
import { until } from './harness/until.ts';
import { askForWebSocket } from './harness/websocket-handshake.ts';

const group = 'federation.cellplane.io';
const cells = `/apis/${group}/v1alpha1/cells`;
const rbac = (resource: string) => ({ group: 'rbac.authorization.k8s.io', version: 'v1', resource });

async function pkiFor(host: string): Promise<ServerPki> {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'cellplane-pki-'));
  try {
    return await ensurePki({ directory, hosts: ['127.0.0.1', host], now: new Date() });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

describe('behind an aggregation layer (O1)', { timeout: 600_000 }, () => {
  let hostPki: ServerPki;
  let host: InProcessServer;
  let hostAdmin: RemoteClient;
  let server: InProcessServer;
  const open: RawHttp[] = [];

  /** A client of the host server, at this one where `direct`. */
  const raw = (name: string, groups: readonly string[], direct = false) => {
    const { caPem, ...connection } = connectionAs(hostPki, direct ? server.url : host.url, { name, groups });
    const client = new RawHttp({ ...connection, ...(direct ? { insecureSkipTlsVerify: true } : { caPem }) });
    open.push(client);
    return client;
  };
  const allow = async (name: string, subject: JsonObject, verbs: string[]) => {
    const role: KubeObject = {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name },
      rules: [{ apiGroups: [group], resources: ['cells'], verbs }],
    };
    const binding: KubeObject = {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
      subjects: [subject],
    };
    await hostAdmin.create({ cluster: undefined, gvr: rbac('clusterroles') }, role);
    await hostAdmin.create({ cluster: undefined, gvr: rbac('clusterrolebindings') }, binding);
  };

  before(async () => {
    hostPki = await createTestPki();
    host = new InProcessServer({
      mode: 'edge',
      pki: hostPki,
      logger: silentLogger,
      serverOptions: { serviceNetworks: ServiceNetworks.parse('127.0.0.1/32') },
    });
    await host.start();
    hostAdmin = new RemoteClient(adminConnectionTo(hostPki, host.url), {
      userAgent: 'cellplane-test',
      limits: patient,
    });
    const connection = adminConnectionTo(hostPki, host.url);
    const pki = await pkiFor('cellplane.default.svc');
    server = new InProcessServer({
      mode: 'federation',
      pki,
      logger: silentLogger,
      serverOptions: {
        foreign: {
          authentication: connection,
          authorization: connection,
          looksUp: true,
          workspace: 'root:cells',
        },
      },
    });
    await server.start();
    const { port } = new URL(server.url);
    await hostAdmin.create(
      { cluster: undefined, gvr: { group: '', version: 'v1', resource: 'services' }, namespace: 'default' },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'cellplane' },
        spec: { type: 'ExternalName', externalName: 'localhost' },
      },
    );
    await hostAdmin.create(
      {
        cluster: undefined,
        gvr: { group: 'apiregistration.k8s.io', version: 'v1', resource: 'apiservices' },
      },
      {
        apiVersion: 'apiregistration.k8s.io/v1',
        kind: 'APIService',
        metadata: { name: `v1alpha1.${group}` },
        spec: {
          group,
          version: 'v1alpha1',
          groupPriorityMinimum: 1000,
          versionPriority: 10,
          caBundle: Buffer.from(pki.ca.certificatePem).toString('base64'),
          service: { namespace: 'default', name: 'cellplane', port: Number(port) },
        },
      },
    );
    await allow('keeper', { kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'jane' }, ['*']);
    await allow('robot', { kind: 'ServiceAccount', namespace: 'default', name: 'default' }, ['list']);
    await until('available', async () => (await raw('jane', []).send({ path: cells })).status === 200);
  });

  after(async () => {
    await disposeAll(
      ...open.map((client) => () => client.close()),
      () => hostAdmin?.close(),
      () => server?.dispose(),
      () => host?.dispose(),
    );
  });

  test('users of the host work in the workspace that it aggregates, by what the host lets them', async () => {
    const jane = raw('jane', []);
    const cell = {
      apiVersion: `${group}/v1alpha1`,
      kind: 'Cell',
      metadata: { name: 'fra-1' },
      spec: { apiEndpoint: 'https://192.0.2.1:6443' },
    };
    const made = await jane.send({ path: cells, body: JSON.stringify(cell) });
    assert.equal(made.status, 201, made.text);
    const list = await jane.send({ path: cells });
    assert.equal((list.json?.['items'] as unknown[] | undefined)?.length, 1);
    const discovery = await jane.send({ path: `/apis/${group}` });
    assert.match(discovery.text, /v1alpha1/);
    assert.equal((await raw('eve', []).send({ path: cells })).status, 403);
  });

  test('a certificate of the host counts here directly, in that workspace alone', async () => {
    const jane = raw('jane', [], true);
    assert.equal((await jane.send({ path: cells })).status, 200);
    assert.equal((await jane.send({ path: `/clusters/root:cells${cells}` })).status, 200);
    const elsewhere = await jane.send({ path: '/clusters/root/api/v1/namespaces/default/secrets' });
    assert.equal(elsewhere.status, 403);
    const master = raw('host-admin', ['system:masters'], true);
    assert.equal((await master.send({ path: cells })).status, 200);
    assert.equal((await master.send({ path: '/clusters/root/api/v1/secrets' })).status, 403);
    assert.equal((await master.send({ path: '/clusters/*/api/v1/secrets' })).status, 403);
    assert.equal((await raw('eve', [], true).send({ path: cells })).status, 403);
    // A name that is this server's own is nobody's to give.
    assert.equal((await raw('system:cellplane:scheduler', [], true).send({ path: cells })).status, 401);
  });

  test('a token of the host is reviewed there', async () => {
    const review = await raw('x', ['system:masters']).send({
      path: '/api/v1/namespaces/default/serviceaccounts/default/token',
      body: JSON.stringify({ apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} }),
    });
    const token = textAt(review.json as JsonObject, 'status', 'token');
    const robot = new RawHttp({ server: server.url, token, insecureSkipTlsVerify: true });
    open.push(robot);
    assert.equal((await robot.send({ path: cells })).status, 200);
    assert.equal((await robot.send({ path: `${cells}/fra-1`, method: 'DELETE' })).status, 403);
    // It is no service account of any workspace here.
    assert.equal((await robot.send({ path: '/clusters/root/api/v1/namespaces/default' })).status, 403);
    const bad = new RawHttp({ server: server.url, token: `${token}x`, insecureSkipTlsVerify: true });
    open.push(bad);
    assert.equal((await bad.send({ path: cells })).status, 401);
  });

  test('a watch of its users over a WebSocket', async () => {
    const socket = await raw('jane', []).connect();
    const told = askForWebSocket(socket, `${cells}?watch=true`);
    await until('it is answered', () => told().includes('\r\n\r\n'));
    assert.match(told(), /^HTTP\/1\.1 101 /);
    await until('it tells of a cell', () => told().includes('"type":"ADDED"'));
    socket.destroy();
  });

  test('what it documents for the host leaves the host’s own groups to the host', async () => {
    const jane = raw('jane', [], true);
    const documented = async (at: string) => {
      const answer = await jane.send({ path: at });
      assert.equal(answer.status, 200, answer.text);
      return Object.keys((answer.json?.['paths'] ?? {}) as JsonObject);
    };
    const index = await documented('/openapi/v3');
    assert.ok(index.includes(`apis/${group}/v1alpha1`));
    // kube-aggregator lays this index over its own, in no certain order.
    for (const own of ['api/v1', 'apis/apps/v1', 'apis/apiextensions.k8s.io/v1'])
      assert.ok(!index.includes(own), own);
    assert.ok((await documented('/openapi/v2')).every((one) => !one.startsWith('/apis/apps/')));
    assert.ok((await documented('/clusters/root:cells/openapi/v3')).includes('apis/apps/v1'));
  });

  test('headers without the proxy’s certificate say nothing', async () => {
    const headers = { 'x-remote-user': 'jane', 'x-remote-group': 'system:masters' };
    const nobody = new RawHttp({ server: server.url, insecureSkipTlsVerify: true });
    open.push(nobody);
    const answer = await nobody.send({ path: cells, headers });
    assert.equal(answer.status, 403);
    assert.match(answer.text, /system:anonymous/);
    assert.equal((await raw('eve', [], true).send({ path: cells, headers })).status, 403);
  });
});
