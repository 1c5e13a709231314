// Behind a real kube-aggregator (KUBERNETES.md O1, U1): deploy/aggregated at a kube-apiserver.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { objectAt, objectsAt, textAt, textsAt } from '#api/builtin/read.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { skipWithoutEtcd } from '../harness/etcd-server.ts';
import { FrontProxy } from '../harness/front-proxy.ts';
import { kubectlFor } from '../harness/kubectl.ts';
import { type LoneServer, startLoneServer } from '../harness/lone-server.ts';
import { temporaryFolder } from '../harness/processes.ts';
import { RawHttp, type RawRequest } from '../harness/raw-http.ts';
import { RealEdge } from '../harness/real-edge.ts';
import { until } from '../harness/until.ts';
import { askForWebSocket } from '../harness/websocket-handshake.ts';
import { writeKubeconfig } from '../harness/write-kubeconfig.ts';
import { getKubectl, kubectlPrograms } from '../programs.ts';
import { oracleProgram } from './oracle-program.ts';

const binary = oracleProgram();
if (binary !== undefined) describeAggregated(binary);

const group = 'federation.cellplane.io';
const cells = `/apis/${group}/v1alpha1/cells`;
const namespace = 'cellplane-system';
const rbac = 'rbac.authorization.k8s.io';
const cell = (name: string) => ({
  apiVersion: `${group}/v1alpha1`,
  kind: 'Cell',
  metadata: { name },
  spec: { apiEndpoint: 'https://192.0.2.1:6443' },
});

const portOf = ({ process }: LoneServer) => process.port ?? 0;

async function documentsOf(file: string): Promise<KubeObject[]> {
  const text = await readFile(path.join('deploy/aggregated', file), 'utf8');
  return parseAllDocuments(text).map((one) => one.toJS() as KubeObject);
}

function describeAggregated(program: string): void {
  describe('behind a kube-apiserver', { timeout: 900_000, skip: skipWithoutEtcd }, () => {
    let proxy: FrontProxy;
    let host: RealEdge;
    let server: LoneServer;
    let folder: Awaited<ReturnType<typeof temporaryFolder>>;
    let admin: RawHttp;
    const open: RawHttp[] = [];

    /** As somebody else, whom the host takes the administrator's word for. */
    const as = (user: string, request: RawRequest) =>
      admin.send({ ...request, headers: { ...request.headers, 'impersonate-user': user } });
    const send = async (request: RawRequest, code: number) => {
      const answer = await admin.send(request);
      assert.equal(answer.status, code, answer.text);
      return answer.json as JsonObject;
    };
    const make = (at: string, object: object) => send({ path: at, body: JSON.stringify(object) }, 201);
    const tokenOf = async (account: string, place: string) => {
      const at = `/api/v1/namespaces/${place}/serviceaccounts/${account}/token`;
      const made = await make(at, { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} });
      return textAt(made, 'status', 'token');
    };
    /** At its own address, which is not the name that its cluster has for it. */
    const directly = (token?: string) => {
      const { certificatePem, keyPem, caPem } = server.connection;
      const shown = token === undefined ? { certificatePem, keyPem } : { token };
      const raw = new RawHttp({ server: `https://127.0.0.1:${portOf(server)}`, caPem, ...shown });
      open.push(raw);
      return raw;
    };
    const available = async () => {
      const { json } = await admin.send({
        path: `/apis/apiregistration.k8s.io/v1/apiservices/v1alpha1.${group}`,
      });
      return objectsAt(json as JsonObject, 'status', 'conditions').find(({ type }) => type === 'Available');
    };
    const allow = async (name: string, subject: JsonObject, verbs: string[]) => {
      const about = { apiVersion: `${rbac}/v1`, metadata: { name } };
      await make(`/apis/${rbac}/v1/clusterroles`, {
        ...about,
        kind: 'ClusterRole',
        rules: [{ apiGroups: [group], resources: ['cells'], verbs }],
      });
      await make(`/apis/${rbac}/v1/clusterrolebindings`, {
        ...about,
        kind: 'ClusterRoleBinding',
        roleRef: { apiGroup: rbac, kind: 'ClusterRole', name },
        subjects: [subject],
      });
    };

    before(async () => {
      folder = await temporaryFolder();
      proxy = await FrontProxy.make();
      host = await RealEdge.start(program, proxy.flags);
      admin = new RawHttp(host.connection);
      const objects = await documentsOf('manifest.yaml');
      const paths: { readonly [kind: string]: string } = {
        Namespace: '/api/v1/namespaces',
        ServiceAccount: `/api/v1/namespaces/${namespace}/serviceaccounts`,
        ClusterRoleBinding: `/apis/${rbac}/v1/clusterrolebindings`,
        RoleBinding: `/apis/${rbac}/v1/namespaces/kube-system/rolebindings`,
        ConfigMap: `/api/v1/namespaces/${namespace}/configmaps`,
        StatefulSet: `/apis/apps/v1/namespaces/${namespace}/statefulsets`,
      };
      for (const object of objects) {
        const at = paths[object.kind ?? ''];
        if (at !== undefined) await make(at, object);
        else assert.equal(object.kind, 'Service');
      }
      // What the kubelet and the cluster's network do: the pod's files, its process, a Service that leads to it.
      const file = (name: string) => path.join(folder.path, name);
      await writeFile(file('token'), await tokenOf('cellplane', namespace), { mode: 0o600 });
      await writeFile(file('host.crt'), host.connection.caPem ?? '');
      const config = objects.find(({ kind }) => kind === 'ConfigMap');
      const text = textAt(config, 'data', 'kubeconfig')
        .replace('https://kubernetes.default.svc', host.connection.server)
        .replace(/\S+\/serviceaccount\/ca\.crt/, file('host.crt'))
        .replace(/\S+\/serviceaccount\/token/, file('token'));
      await writeFile(file('kubeconfig'), text, { mode: 0o600 });
      const [pod] = objectsAt(
        objectAt(
          objects.find(({ kind }) => kind === 'StatefulSet'),
          'spec',
          'template',
          'spec',
        ),
        'containers',
      );
      const flags = textsAt(pod, 'args')
        .filter((flag) => /^--(?!data-dir|bind-address|port)/.test(flag))
        .map((flag) => flag.replace('/etc/cellplane/kubeconfig', file('kubeconfig')));
      assert.equal(flags.length, 4);
      server = await startLoneServer(flags);
      await make(`/api/v1/namespaces/${namespace}/services`, {
        ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'cellplane' } },
        spec: { type: 'ExternalName', externalName: 'localhost' },
      });
      const ca = await readFile(path.join(server.dataDirectory, 'pki', 'ca.crt'));
      for (const one of await documentsOf('apiservices.yaml')) {
        const spec = one['spec'] as JsonObject;
        const service = {
          ...(spec['service'] as JsonObject),
          port: portOf(server),
        };
        await make('/apis/apiregistration.k8s.io/v1/apiservices', {
          ...one,
          spec: { ...spec, service, caBundle: ca.toString('base64') },
        });
      }
      await allow('keeper', { kind: 'User', apiGroup: rbac, name: 'jane' }, ['*']);
      await allow('robot', { kind: 'ServiceAccount', namespace, name: 'robot' }, ['list', 'watch']);
      await make(`/api/v1/namespaces/${namespace}/serviceaccounts`, {
        ...{ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'robot' } },
      });
      await until('answered', async () => (await as('jane', { path: cells })).status === 200);
      assert.equal((await available())?.['status'], 'True');
    });
    after(async () => {
      for (const raw of [...open, admin]) raw?.close();
      await server?.[Symbol.asyncDispose]();
      await host?.[Symbol.asyncDispose]();
      await proxy?.[Symbol.asyncDispose]();
      await folder?.[Symbol.asyncDispose]();
    });

    test('its users do what its roles let them, in one workspace', async () => {
      assert.equal((await as('jane', { path: cells, body: JSON.stringify(cell('fra-1')) })).status, 201);
      const list = await as('jane', { path: cells });
      assert.equal(objectsAt(list.json as JsonObject, 'items').length, 1);
      const refused = await as('eve', { path: cells });
      assert.equal(refused.status, 403);
      const robot = directly(await tokenOf('robot', namespace));
      assert.equal((await robot.send({ path: cells })).status, 200);
      assert.equal((await robot.send({ path: `${cells}/fra-1` })).status, 403);
      assert.equal((await robot.send({ path: '/clusters/root/api/v1/namespaces' })).status, 403);
      assert.equal((await directly('no.such.token').send({ path: cells })).status, 401);
    });

    test('a watch through it, a deadline, and the group in its documents', async () => {
      const watch = as('jane', { path: `${cells}?watch=true&timeoutSeconds=3` });
      await as('jane', { path: cells, body: JSON.stringify(cell('ams-1')) });
      const lines = (await watch).text.trim().split('\n');
      const names = lines.map((line) => textAt(JSON.parse(line) as JsonObject, 'object', 'metadata', 'name'));
      assert.deepEqual([...new Set(names)].sort(), ['ams-1', 'fra-1']);
      const { json } = await admin.send({ path: '/openapi/v3' });
      assert.ok(objectAt(json as JsonObject, 'paths', `apis/${group}/v1alpha1`));
      await until('documented', async () => {
        const document = await admin.send({ path: '/openapi/v2' });
        return objectAt(document.json as JsonObject, 'paths', cells) !== undefined;
      });
      const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
      await until('discovered', async () => {
        const found = await admin.send({ path: '/apis', headers: { accept } });
        const item = objectsAt(found.json as JsonObject, 'items').find(
          (one) => textAt(one, 'metadata', 'name') === group,
        );
        const [version] = objectsAt(item, 'versions');
        return textAt(version, 'freshness') === 'Current' && objectsAt(version, 'resources').length > 0;
      });
    });

    test('a watch over a WebSocket', async () => {
      const socket = await admin.connect();
      const told = askForWebSocket(socket, `${cells}?watch=true`);
      await until('it tells of a cell', () => told().includes('"type":"ADDED"'));
      assert.match(told(), /^HTTP\/1\.1 101 /);
      socket.destroy();
    });

    const programs = [kubectlPrograms()[0], kubectlPrograms().at(-1)].filter((one) => one !== undefined);
    for (const { version, file } of programs) {
      test(`kubectl ${version} through it`, { skip: file === '' ? getKubectl : false }, async () => {
        const kubeconfig = await writeKubeconfig(
          path.join(folder.path, `kubeconfig-${version}`),
          host.connection,
        );
        const kubectl = kubectlFor({
          ...{ program: file, kubeconfig },
          cacheDirectory: path.join(folder.path, `cache-${version}`),
        });
        const made = cell(`kube-${version.replace('.', '-')}`);
        const { name } = made.metadata;
        assert.match(await kubectl(['apply', '-f', '-'], JSON.stringify(made)), /created/);
        assert.match(await kubectl(['apply', '-f', '-'], JSON.stringify(made)), /unchanged/);
        assert.match(
          await kubectl(['apply', '--server-side', '-f', '-'], JSON.stringify(made)),
          /serverside-applied/,
        );
        assert.match(await kubectl(['get', 'cells']), new RegExp(`^${name} `, 'm'));
        assert.match(
          await kubectl(['get', 'cell', name, '--watch', '--request-timeout=3s']).catch(String),
          new RegExp(name),
        );
        assert.match(await kubectl(['explain', 'cell.spec.apiEndpoint']), /apiEndpoint/);
        assert.match(await kubectl(['api-resources', '--api-group', group]), /^cells /m);
        assert.match(await kubectl(['label', 'cell', name, 'a=b']), /labeled/);
        assert.match(await kubectl(['describe', 'cell', name]), /API Version: +federation/);
        assert.match(await kubectl(['auth', 'can-i', 'delete', 'cells', '--as', 'jane']), /yes/);
        assert.match(await kubectl(['delete', 'cell', name]), /deleted/);
        const refused = await kubectl.attempt(['get', 'cells', '--as', 'eve']);
        assert.match(
          refused.stderr,
          /Error from server \(Forbidden\): cells\.federation\.cellplane\.io is forbidden/,
        );
      });
    }

    test('when it restarts, requests fail as of any server that is away, and go on after', async () => {
      await server.restart(async () => {
        await until(
          'it is not available',
          async () => (await available())?.['reason'] === 'FailedDiscoveryCheck',
        );
        await until('which its requests are told', async () => {
          const answer = await as('jane', { path: cells });
          assert.equal(answer.status, 503);
          return answer.text === 'service unavailable\n';
        });
      });
      await until('answered again', async () => (await as('jane', { path: cells })).status === 200);
    });

    test('when the host shows itself by another authority', async () => {
      await proxy.announceAuthority();
      await until('the host tells of it', async () => {
        const at = '/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication';
        const { json } = await admin.send({ path: at });
        return textAt(json as JsonObject, 'data', 'requestheader-client-ca-file').includes(
          proxy.authorityPem,
        );
      });
      await proxy.useAuthority();
      await host.kill();
      await host.resume();
      await until('it is believed', async () => (await as('jane', { path: cells })).status === 200);
      // At once, as nobody should.
      await host.kill();
      await proxy.announceAuthority();
      await proxy.forgetAuthorities();
      await proxy.useAuthority();
      await host.resume();
      await until('the next is too', async () => (await as('jane', { path: cells })).status === 200);
    });

    test('without the host its own users go on', async () => {
      await host.kill();
      const robot = directly('a.b.c');
      assert.equal((await robot.send({ path: cells })).status, 401);
      assert.equal((await directly().send({ path: `/clusters/root:cells${cells}` })).status, 200);
      await host.resume();
      await until('and the host’s again', async () => (await as('jane', { path: cells })).status === 200);
    });
  });
}
