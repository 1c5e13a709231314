// APIServices of a workspace (KUBERNETES.md O1): a real TLS peer behind the aggregator.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { objectsAt, textAt } from '#api/builtin/read.ts';
import { workspacesGvr } from '#api/tenancy/workspace.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ServerPki } from '#apiserver/pki/pki.ts';
import { ServiceNetworks } from '#apiserver/services/service-networks.ts';
import { renderKubeconfig } from '#cli/kubeconfig-file.ts';
import { silentLogger } from '#client/logger.ts';
import { RemoteClient } from '#client/remote/remote-client.ts';
import { certificateFor, ExtensionServer, widgetGroup } from './extension/extension-server.ts';
import { disposeAll } from './harness/dispose-all.ts';
import { InProcessServer } from './harness/in-process-server.ts';
import { kubectlFor } from './harness/kubectl.ts';
import { patient } from './harness/patient.ts';
import { temporaryFolder } from './harness/processes.ts';
import { RawHttp } from './harness/raw-http.ts';
import { adminConnectionTo, connectionAs, createTestPki } from './harness/test-pki.ts';
import { until } from './harness/until.ts';
import { getKubectl, kubectlPrograms } from './programs.ts';

const apiServices = { group: 'apiregistration.k8s.io', version: 'v1', resource: 'apiservices' } as const;
const core = (resource: string) => ({ group: '', version: 'v1', resource });
const slices = { group: 'discovery.k8s.io', version: 'v1', resource: 'endpointslices' } as const;
const project = 'root:shop';
const name = `v1.${widgetGroup}`;
const widgets = `/apis/${widgetGroup}/v1/namespaces/default/widgets`;

const gadgets: JsonObject = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'gadgets.crd.example.org' },
  spec: {
    group: 'crd.example.org',
    names: { plural: 'gadgets', singular: 'gadget', kind: 'Gadget', listKind: 'GadgetList' },
    scope: 'Namespaced',
    versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
  },
};

describe('APIServices of a workspace (O1)', { timeout: 600_000 }, () => {
  let pki: ServerPki;
  let server: InProcessServer;
  let admin: RemoteClient;
  let raw: RawHttp;
  let jane: RawHttp;
  let extension: ExtensionServer;
  let tls: ReturnType<typeof certificateFor>;
  let proxyName: string;

  /** What was asked of the widgets themselves: the server's own probes and documents come when they come. */
  const seenOfWidgets = () => extension.seen.filter(({ url }) => url.startsWith(widgets));
  const inProject = (at: string) => `/clusters/${project}${at}`;
  const conditionOf = async (one = name) => {
    const found = await admin.get({ cluster: project, gvr: apiServices, name: one });
    return ((found['status'] as JsonObject)?.['conditions'] as JsonObject[] | undefined)?.[0];
  };

  before(async () => {
    pki = await createTestPki();
    server = new InProcessServer({
      mode: 'federation',
      pki,
      logger: silentLogger,
      serverOptions: { serviceNetworks: ServiceNetworks.parse('127.0.0.1/32') },
    });
    await server.start();
    const connection = adminConnectionTo(pki, server.url);
    admin = new RemoteClient(connection, { userAgent: 'cellplane-test', limits: patient });
    raw = new RawHttp(connection);
    jane = new RawHttp(connectionAs(pki, server.url, { name: 'jäne', groups: ['dev', 'ops'] }));
    await admin.create(
      { cluster: 'root', gvr: workspacesGvr },
      {
        apiVersion: 'tenancy.kcp.io/v1alpha1',
        kind: 'Workspace',
        metadata: { name: 'shop' },
        spec: { type: { name: 'project', path: 'root' } },
      },
    );
    await until(
      'the workspace is ready',
      async () => (await raw.send({ path: inProject('/api/v1') })).status === 200,
    );
    const config = await until('the authorities are published', () =>
      admin.get({
        cluster: project,
        gvr: core('configmaps'),
        namespace: 'kube-system',
        name: 'extension-apiserver-authentication',
      }),
    );
    const data = config['data'] as { [key: string]: string };
    [proxyName] = JSON.parse(data['requestheader-allowed-names'] ?? '') as [string];
    tls = certificateFor(['widgets.default.svc']);
    extension = new ExtensionServer({
      ...tls,
      requestHeaderCaPem: data['requestheader-client-ca-file'] ?? '',
    });
    await extension.start();
    const rights: KubeObject = {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: 'dev' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ kind: 'Group', apiGroup: 'rbac.authorization.k8s.io', name: 'dev' }],
    };
    const bindings = { group: 'rbac.authorization.k8s.io', version: 'v1', resource: 'clusterrolebindings' };
    await admin.create({ cluster: project, gvr: bindings }, rights);
  });

  after(async () => {
    await disposeAll(
      () => raw?.close(),
      () => jane?.close(),
      () => admin?.close(),
      extension,
      () => server?.dispose(),
    );
  });

  test('is not available before its service is there, and says which part is missing', async () => {
    await admin.create(
      { cluster: project, gvr: apiServices },
      {
        apiVersion: 'apiregistration.k8s.io/v1',
        kind: 'APIService',
        metadata: { name },
        spec: {
          group: widgetGroup,
          version: 'v1',
          groupPriorityMinimum: 2000,
          versionPriority: 10,
          caBundle: Buffer.from(tls.caPem).toString('base64'),
          service: { namespace: 'default', name: 'widgets', port: extension.port },
        },
      },
    );
    await until('ServiceNotFound', async () => (await conditionOf())?.['reason'] === 'ServiceNotFound');
    const answer = await raw.send({ path: inProject(widgets) });
    assert.equal(answer.status, 503);
    assert.equal(answer.text, 'service unavailable\n');
    assert.match(String(answer.headers['content-type']), /^text\/plain/);
    await admin.create(
      { cluster: project, gvr: core('services'), namespace: 'default' },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'widgets' },
        spec: { ports: [{ name: 'https', port: extension.port }] },
      },
    );
    await until('EndpointsNotFound', async () => (await conditionOf())?.['reason'] === 'EndpointsNotFound');
    // `localhost` has addresses of both families: only the one that is allowed is asked.
    await admin.patch(
      { cluster: project, gvr: core('services'), namespace: 'default', name: 'widgets' },
      { type: 'merge', body: { spec: { type: 'ExternalName', externalName: 'localhost' } } },
    );
    await until('available', async () => (await conditionOf())?.['status'] === 'True');
    assert.equal((await conditionOf())?.['message'], 'all checks passed');
  });

  test('tells the server who asks, by headers under the workspace’s own certificate, and nothing else', async () => {
    extension.seen.length = 0;
    const answer = await jane.send({
      path: inProject(`${widgets}?limit=5`),
      headers: {
        'x-remote-user': 'system:admin',
        'X-Remote-Group': 'system:masters',
        authorization: 'Basic c2VjcmV0',
        'audit-id': 'my-audit',
        accept: 'application/json',
      },
    });
    assert.equal(answer.status, 200);
    assert.equal(objectsAt(answer.json as JsonObject, 'items').length, 2);
    const [seen] = seenOfWidgets();
    assert.equal(seen?.url, `${widgets}?limit=5`);
    assert.equal(seen?.proxy, proxyName);
    assert.equal(Buffer.from(String(seen?.headers['x-remote-user']), 'latin1').toString('utf8'), 'jäne');
    assert.equal(seen?.headers['x-remote-group'], 'dev, ops, system:authenticated');
    assert.match(
      String(seen?.headers['x-remote-extra-authentication.kubernetes.io%2fcredential-id']),
      /^X509SHA256=/,
    );
    assert.equal(seen?.headers.authorization, undefined);
    assert.equal(seen?.headers['audit-id'], 'my-audit');
    assert.equal(seen?.headers.host, `widgets.default.svc:${extension.port}`);
    assert.equal(seen?.headers['x-forwarded-for'], '127.0.0.1');
    assert.equal(seen?.headers['x-forwarded-uri'], widgets);
  });

  test('passes bodies, answers, warnings and impersonation through', async () => {
    extension.seen.length = 0;
    const big = JSON.stringify({ kind: 'Widget', pad: 'x'.repeat(5_000_000) });
    const made = await raw.send({ path: inProject(widgets), body: big });
    assert.equal(made.status, 201);
    assert.equal(made.text, big);
    const gone = await raw.send({
      path: inProject(`${widgets}/gone`),
      headers: { 'impersonate-user': 'bob', 'impersonate-group': 'dev' },
    });
    assert.equal(gone.status, 410);
    assert.equal(gone.headers['warning'], '299 - "w"');
    assert.equal(seenOfWidgets()[1]?.headers['x-remote-user'], 'bob');
    assert.equal(seenOfWidgets()[1]?.headers['impersonate-user'], undefined);
  });

  test('is authorized here first, and stands in no other workspace', async () => {
    const stranger = new RawHttp(connectionAs(pki, server.url, { name: 'eve', groups: [] }));
    extension.seen.length = 0;
    assert.equal((await stranger.send({ path: inProject(widgets) })).status, 403);
    assert.equal((await raw.send({ path: `/clusters/root${widgets}` })).status, 404);
    assert.equal((await raw.send({ path: inProject(`${widgets}/../../../../../../healthz`) })).status, 400);
    assert.deepEqual(seenOfWidgets(), []);
    stranger.close();
  });

  test('over HTTP/2, and a watch that ends with its client', async () => {
    const session = await raw.session();
    const stream = session.request({ ':path': inProject(`${widgets}?watch=true`) });
    const [headers] = (await once(stream, 'response')) as [{ ':status'?: number }];
    assert.equal(headers[':status'], 200);
    const [event] = (await once(stream, 'data')) as [Buffer];
    assert.equal(JSON.parse(event.toString()).type, 'ADDED');
    stream.close();
    await until('the watch has ended at its server', () => extension.watchesEnded > 0);
    session.close();
  });

  for (const protocol of ['websocket', 'SPDY/3.1']) {
    test(`an upgrade to ${protocol}`, async () => {
      const socket = await raw.connect();
      const token = 'base64url.bearer.authorization.k8s.io.c2VjcmV0';
      socket.write(
        `GET ${inProject(`${widgets}/first/exec`)} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n` +
          `Upgrade: ${protocol}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: v4.channel.k8s.io, ${token}\r\n` +
          'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
      );
      let text = '';
      socket.on('data', (chunk: Buffer) => {
        text += chunk;
      });
      await until('switched', () => text.includes('\r\n\r\n'));
      assert.match(text, /^HTTP\/1\.1 101 /);
      socket.write('hello');
      await until('echoed', () => text.endsWith('echo hello'));
      assert.equal(seenOfWidgets().at(-1)?.headers['sec-websocket-protocol'], 'v4.channel.k8s.io');
      socket.destroy();
    });
  }

  test('whoever asks is not sent elsewhere, nor kept waiting for discovery', async () => {
    const moved = await raw.send({ path: inProject(`${widgets}/moved`) });
    assert.equal(moved.status, 502);
    assert.equal(moved.text, 'the backend attempted to redirect this request, which is not permitted');
    assert.equal(moved.headers['location'], undefined);
    const socket = await raw.connect();
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk;
    });
    const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
    socket.write(`GET ${inProject(`${widgets}/plain`)} HTTP/1.1\r\nHost: x\r\n${upgrade}`);
    await once(socket, 'close');
    assert.match(text, /^HTTP\/1\.1 503 .*\r\n\r\ninvalid upgrade response: status code 200\n$/s);
    extension.hangs = true;
    const slow = await raw.send({ path: inProject(`/apis/${widgetGroup}/v1`) });
    extension.hangs = false;
    assert.equal(slow.status, 503);
    assert.match(
      slow.text,
      /^(?:error trying to reach service: context deadline exceeded|service unavailable)\n$/,
    );
    await until('available', async () => (await conditionOf())?.['status'] === 'True');
  });

  test('stands in discovery, old and aggregated, and in OpenAPI', async () => {
    const get = async (at: string, accept = 'application/json') =>
      raw.send({ path: inProject(at), headers: { accept } });
    const groups = (await get('/apis')).json?.['groups'] as JsonObject[];
    const places = groups.map((one) => one['name']);
    assert.ok(places.indexOf(widgetGroup) > places.indexOf('apps'), String(places));
    assert.ok(places.indexOf(widgetGroup) < places.indexOf('work.karmada.io'), String(places));
    const group = (await get(`/apis/${widgetGroup}`)).json;
    assert.deepEqual(group?.['preferredVersion'], { groupVersion: `${widgetGroup}/v1`, version: 'v1' });
    assert.equal((await get(`/apis/${widgetGroup}/v1`)).json?.['kind'], 'APIResourceList');
    const aggregated = await get(
      '/apis',
      'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
    );
    const item = objectsAt(aggregated.json as JsonObject, 'items').find(
      (one) => textAt(one, 'metadata', 'name') === widgetGroup,
    );
    const [version] = objectsAt(item, 'versions');
    assert.equal(version?.['freshness'], 'Current');
    const [resource] = objectsAt(version, 'resources');
    assert.equal(resource?.['scope'], 'Namespaced');
    assert.deepEqual(resource?.['shortNames'], ['wd']);
    assert.equal(objectsAt(resource, 'subresources')[0]?.['subresource'], 'status');
    const again = await raw.send({
      path: inProject('/apis'),
      headers: {
        accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
        'if-none-match': String(aggregated.headers['etag']),
      },
    });
    assert.equal(again.status, 304);

    const index = (await get('/openapi/v3')).json?.['paths'] as { [path: string]: JsonObject };
    const url = String(index[`apis/${widgetGroup}/v1`]?.['serverRelativeURL']);
    assert.equal(url, `/openapi/v3/apis/${widgetGroup}/v1?hash=ABC`);
    assert.ok(index['apis/apps/v1'] !== undefined);
    assert.match((await get(url)).text, /"title":"widgets"/);
    const swagger = (await get('/openapi/v2')).json as { paths: JsonObject; definitions: JsonObject };
    assert.ok(swagger.paths[`/apis/${widgetGroup}/v1/widgets`] !== undefined);
    assert.equal(swagger.paths['/apis/other.example.org/v1/things'], undefined);
    assert.ok(swagger.definitions['org.example.Widget'] !== undefined);
    const protobuf = await get('/openapi/v2', 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf');
    assert.ok(protobuf.text.includes('listWidgets'));
  });

  const program = kubectlPrograms().at(-1)?.file;
  const skip = program === undefined ? `kubectl is not installed; ${getKubectl}` : false;
  test('kubectl gets, explains the server’s groups, and lists APIServices', { skip }, async () => {
    const folder = await temporaryFolder();
    try {
      const kubeconfig = path.join(folder.path, 'kubeconfig');
      const connection = { ...adminConnectionTo(pki, `${server.url}/clusters/${project}`) };
      await writeFile(
        kubeconfig,
        renderKubeconfig(
          [
            {
              name: 'x',
              connection: {
                ...connection,
                caPem: connection.caPem ?? '',
                certificatePem: connection.certificatePem ?? '',
                keyPem: connection.keyPem ?? '',
              },
            },
          ],
          'x',
        ),
      );
      const cacheDirectory = path.join(folder.path, 'cache');
      const kubectl = kubectlFor({ program: program ?? '', kubeconfig, cacheDirectory });
      assert.match(await kubectl(['get', 'wd', '-o', 'name']), /widget\.widgets\.example\.org\/first/);
      assert.match(await kubectl(['api-resources', '--api-group', widgetGroup]), /widgets\s+wd\s+/);
      const listed = await kubectl(['get', 'apiservices']);
      assert.match(listed, /v1\.apps\s+Local\s+True/);
      assert.match(listed, /v1\.widgets\.example\.org\s+default\/widgets\s+True/);
      assert.match(listed, /v1alpha1\.policy\.karmada\.io\s+Local\s+True/);
      await kubectl(['apply', '-f', '-'], JSON.stringify(gadgets));
      const wait = ['wait', '--for=condition=Available', '--timeout=240s'];
      await kubectl(['wait', '--for=condition=Established', '--timeout=240s', 'crd/gadgets.crd.example.org']);
      await until('the APIService of the CRD', async () => {
        return (await kubectl.attempt(['get', 'apiservice', 'v1.crd.example.org'])).code === 0;
      });
      await kubectl([...wait, 'apiservice/v1.crd.example.org']);
      const ours = await kubectl([
        'get',
        'apiservices',
        '-l',
        'kube-aggregator.kubernetes.io/automanaged=true',
      ]);
      assert.match(ours, /v1\.crd\.example\.org\s+Local\s+True/);
      await kubectl(['delete', 'crd', 'gadgets.crd.example.org']);
      await kubectl(['wait', '--for=delete', '--timeout=240s', 'apiservice/v1.crd.example.org']);
    } finally {
      await folder[Symbol.asyncDispose]();
    }
  });

  test('a server that stops answering: 503, the condition, stale discovery, and back', async () => {
    await extension.stop();
    const answer = await raw.send({ path: inProject(widgets) });
    assert.equal(answer.status, 503);
    await until('not available', async () => (await conditionOf())?.['reason'] === 'FailedDiscoveryCheck');
    const discovery = await raw.send({
      path: inProject('/apis'),
      headers: { accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList' },
    });
    assert.match(discovery.text, /"freshness":"Stale"/);
    await extension.start();
    await until('available again', async () => (await conditionOf())?.['status'] === 'True');
    assert.equal((await raw.send({ path: inProject(widgets) })).status, 200);
  });

  test('what the workspace serves itself cannot be led elsewhere', async () => {
    const spec = { service: { namespace: 'default', name: 'widgets' }, insecureSkipTLSVerify: true };
    await admin.patch(
      { cluster: project, gvr: apiServices, name: 'v1.apps' },
      { type: 'merge', body: { spec } },
    );
    await until('refused', async () => (await conditionOf('v1.apps'))?.['reason'] === 'ServedLocally');
    const list = await raw.send({ path: inProject('/apis/apps/v1/deployments') });
    assert.equal(list.json?.['kind'], 'DeploymentList');
    const groups = (await raw.send({ path: inProject('/apis') })).json?.['groups'] as JsonObject[];
    assert.equal(groups.filter((one) => one['name'] === 'apps').length, 1);
    await admin.delete({ cluster: project, gvr: apiServices, name: 'v1.apps' });
  });

  test('addresses beyond the networks of services are not asked', async () => {
    await admin.create(
      { cluster: project, gvr: slices, namespace: 'default' },
      {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name: 'widgets-1', labels: { 'kubernetes.io/service-name': 'widgets' } },
        addressType: 'IPv4',
        endpoints: [{ addresses: ['10.1.2.3'] }],
        ports: [{ name: 'https', port: 443 }],
      },
    );
    await admin.patch(
      { cluster: project, gvr: core('services'), namespace: 'default', name: 'widgets' },
      { type: 'merge', body: { spec: { type: 'ClusterIP', externalName: null } } },
    );
    assert.equal((await raw.send({ path: inProject(widgets) })).status, 503);
    await until('out of bounds', async () => (await conditionOf())?.['reason'] === 'AddressNotAllowed');
  });

  test('goes with its APIService', async () => {
    await admin.delete({ cluster: project, gvr: apiServices, name });
    assert.equal((await raw.send({ path: inProject(widgets) })).status, 404);
    const groups = (await raw.send({ path: inProject('/apis') })).text;
    assert.ok(!groups.includes(widgetGroup));
  });
});
