// Who asks and what they may do is decided elsewhere (KUBERNETES.md U1, U5): OpenID Connect, TokenReview and an authorizer
// webhook, with the program as it is shipped and kubectl.
import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { objectAt, textAt } from '#api/builtin/read.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { renderKubeconfig } from '#cli/kubeconfig-file.ts';
import { certificateFor } from './extension/extension-server.ts';
import { disposeAll } from './harness/dispose-all.ts';
import { type Kubectl, kubectlFor } from './harness/kubectl.ts';
import {
  adminConnection,
  type CellplaneProcess,
  startCellplane,
  temporaryFolder,
} from './harness/processes.ts';
import { getKubectl, kubectlPrograms } from './programs.ts';

const program = kubectlPrograms().at(-1)?.file;
const skip = program === undefined ? `kubectl is not installed; ${getKubectl}` : false;

describe('identity and rights from elsewhere', { skip, timeout: 600_000 }, () => {
  const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let services: Server;
  let origin: string;
  let server: CellplaneProcess;
  let admin: Kubectl;
  let anybody: Kubectl;
  /** What the authorizer was asked: `user verb resource`. */
  const asked: string[] = [];
  let isAuthorizerDown = false;

  before(async () => {
    folder = await temporaryFolder();
    const file = (name: string) => path.join(folder.path, name);
    const tls = certificateFor(['127.0.0.1', 'localhost']);
    services = createServer({ cert: tls.certPem, key: tls.keyPem }, async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      const answer = answerOf(new URL(request.url ?? '/', origin).pathname, body);
      response.setHeader('content-type', 'application/json');
      response.writeHead(answer === undefined ? 503 : 200).end(JSON.stringify(answer ?? {}));
    });
    services.listen(0, '127.0.0.1');
    await once(services, 'listening');
    origin = `https://localhost:${(services.address() as AddressInfo).port}`;
    const service = (name: string) => {
      const connection = { server: `${origin}/${name}`, caPem: tls.caPem };
      return writeFile(file(`${name}.kubeconfig`), renderKubeconfig([{ name, connection }], name));
    };
    await Promise.all([service('tokens'), service('rights')]);
    await writeFile(file('authentication.yaml'), authentication(tls.caPem));
    await writeFile(file('authorization.yaml'), authorization(file('rights.kubeconfig')));
    server = await startCellplane([
      ...['apiserver', '--data-dir', file('data'), '--port', '0'],
      ...['--authentication-config', file('authentication.yaml')],
      ...['--authentication-token-webhook-config-file', file('tokens.kubeconfig')],
      ...['--authorization-config', file('authorization.yaml')],
    ]);
    const { server: url, caPem } = await adminConnection(file('data'));
    const connection = { server: `${url}/clusters/root`, caPem };
    await writeFile(file('anybody.kubeconfig'), renderKubeconfig([{ name: 'root', connection }], 'root'));
    const kubectl = (kubeconfig: string) =>
      kubectlFor({ program: program ?? '', kubeconfig, cacheDirectory: file('cache') });
    admin = kubectl(file('data/admin.kubeconfig'));
    anybody = kubectl(file('anybody.kubeconfig'));
  });
  after(async () => {
    await disposeAll(
      () => server?.stop(),
      () => services?.closeAllConnections(),
      () => services?.close(),
      folder,
    );
  });

  function answerOf(url: string, body: string): JsonObject | undefined {
    switch (url) {
      case '/.well-known/openid-configuration':
        return { issuer: origin, jwks_uri: `${origin}/keys` };
      case '/keys':
        return { keys: [{ ...keys.publicKey.export({ format: 'jwk' }), kid: 'k', use: 'sig' }] as never };
      case '/tokens': {
        const review = JSON.parse(body) as JsonObject;
        const isRobot = textAt(review, 'spec', 'token') === 'the-robot';
        const user = { username: 'robot', uid: 'r1', groups: ['robots'], extra: { model: ['t'] } };
        return { ...review, status: isRobot ? { authenticated: true, user } : { authenticated: false } };
      }
      case '/rights': {
        if (isAuthorizerDown) return undefined;
        const review = JSON.parse(body) as JsonObject;
        return { ...review, status: decisionOn(objectAt(review, 'spec') ?? {}) };
      }
      default:
        return undefined;
    }
  }

  /** Robots read config maps; nobody deletes what is kept. */
  function decisionOn(spec: JsonObject): JsonObject {
    const at = (name: string) => textAt(spec, 'resourceAttributes', name);
    asked.push(`${textAt(spec, 'user')} ${at('verb')} ${at('resource')}`);
    if (at('verb') === 'delete' && at('name') === 'kept') {
      return { allowed: false, denied: true, reason: 'it is kept' };
    }
    const isRobot = JSON.stringify(spec['groups'] ?? []).includes('"robots"');
    const reads = at('resource') === 'configmaps' && ['get', 'list'].includes(at('verb'));
    return { allowed: isRobot && reads };
  }

  function authentication(caPem: string): string {
    return `apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
jwt:
- issuer:
    url: ${origin}
    audiences: [cellplane]
    certificateAuthority: ${JSON.stringify(caPem)}
  claimValidationRules:
  - {expression: 'claims.verified == true', message: the address is not verified}
  claimMappings:
    username: {expression: '"oidc:" + claims.sub'}
    groups: {claim: teams, prefix: "team:"}
    uid: {claim: id}
    extra:
    - {key: example.org/office, valueExpression: claims.office}
  userValidationRules:
  - {expression: "!user.username.startsWith('oidc:system:')", message: that name is not given}
`;
  }

  function authorization(kubeconfig: string): string {
    return `apiVersion: apiserver.config.k8s.io/v1
kind: AuthorizationConfiguration
authorizers:
- type: Webhook
  name: rights
  webhook:
    authorizedTTL: 1ms
    unauthorizedTTL: 1ms
    timeout: 30s
    subjectAccessReviewVersion: v1
    matchConditionSubjectAccessReviewVersion: v1
    failurePolicy: NoOpinion
    connectionInfo: {type: KubeConfigFile, kubeConfigFile: ${kubeconfig}}
    matchConditions:
    - {expression: has(request.resourceAttributes)}
- {type: RBAC, name: rbac}
`;
  }

  function token(claims: JsonObject): string {
    const part = (value: JsonObject) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const exp = Math.floor(Date.now() / 1000) + 600;
    const defaults = { iss: origin, aud: 'cellplane', sub: 'jane', verified: true, office: 'north', exp };
    const text = `${part({ alg: 'RS256', kid: 'k' })}.${part({ ...defaults, ...claims })}`;
    return `${text}.${sign('sha256', Buffer.from(text), keys.privateKey).toString('base64url')}`;
  }

  const as = (bearer: string, ...args: string[]) => anybody.attempt(['--token', bearer, ...args]);

  test('OpenID Connect: claims become user, groups, uid and extras (U1)', async () => {
    const jane = token({ teams: ['shop'], id: 'u1' });
    const who = await as(jane, 'auth', 'whoami', '-o', 'json');
    assert.equal(who.code, 0, who.stderr);
    const info = objectAt(JSON.parse(who.stdout), 'status', 'userInfo');
    assert.deepEqual(info, {
      username: 'oidc:jane',
      uid: 'u1',
      groups: ['team:shop', 'system:authenticated'],
      extra: { 'example.org/office': ['north'] },
    });
  });

  test('tokens that do not hold are 401, as kubectl tells it (U1)', async () => {
    const [head, , signature] = token({}).split('.');
    const other = Buffer.from('{"sub":"admin"}').toString('base64url');
    const rows: [string, string][] = [
      ['expired', token({ exp: 1_000 })],
      ['for another audience', token({ aud: 'elsewhere' })],
      ['against a rule of claims', token({ verified: false })],
      ['against a rule of users', token({ sub: 'system:admin' })],
      ['with another content', `${head}.${other}.${signature}`],
      ['nobody’s', 'opaque'],
    ];
    for (const [what, one] of rows) {
      const answer = await as(one, 'get', 'configmaps');
      assert.notEqual(answer.code, 0, what);
      assert.match(answer.stderr, /You must be logged in to the server/, what);
    }
  });

  test('RBAC gives rights to groups of the issuer (U1, U4)', async () => {
    const jane = token({ teams: ['shop'] });
    const before = await as(jane, 'get', 'configmaps');
    assert.match(before.stderr, /\(Forbidden\).*User "oidc:jane" cannot list resource "configmaps"/);
    for (const role of ['edit', 'system:kcp:workspace:access']) {
      const name = role.replaceAll(':', '-');
      await admin(['create', 'clusterrolebinding', name, `--clusterrole=${role}`, '--group=team:shop']);
    }
    const made = await as(jane, 'create', 'configmap', 'kept', '--from-literal=a=b');
    assert.equal(made.stdout, 'configmap/kept created\n', made.stderr);
    const other = await as(token({ sub: 'joe', teams: ['bank'] }), 'get', 'configmaps');
    assert.match(other.stderr, /\(Forbidden\).*User "oidc:joe"/);
  });

  test('TokenReview: what the webhook knows is a user, what it does not is 401 (U1)', async () => {
    const who = await as('the-robot', 'auth', 'whoami', '-o', 'json');
    assert.equal(who.code, 0, who.stderr);
    assert.equal(textAt(JSON.parse(who.stdout), 'status', 'userInfo', 'username'), 'robot');
  });

  test('the authorizer webhook gives and takes rights, before RBAC (U5)', async () => {
    await admin([
      'create',
      'clusterrolebinding',
      'enter',
      '--clusterrole=system:kcp:workspace:access',
      '--group=robots',
    ]);
    const read = await as('the-robot', 'get', 'configmap', 'kept', '-o', 'jsonpath={.data.a}');
    assert.equal(read.stdout, 'b', read.stderr);
    const written = await as('the-robot', 'create', 'configmap', 'x');
    assert.match(written.stderr, /\(Forbidden\)|forbidden/);
    const jane = token({ teams: ['shop'] });
    const deleted = await as(jane, 'delete', 'configmap', 'kept');
    assert.match(
      deleted.stderr,
      /configmaps "kept" is forbidden: User "oidc:jane" cannot delete.*: it is kept/,
    );
    const can = await as(jane, 'auth', 'can-i', 'delete', 'configmap/kept');
    assert.match(can.stdout, /^no/);
    assert.ok(asked.includes('oidc:jane delete configmaps'), asked.join('; '));
  });

  test('without the webhook RBAC decides alone, by its failure policy (U5)', async () => {
    isAuthorizerDown = true;
    const read = await as('the-robot', 'get', 'configmap', 'kept');
    assert.match(read.stderr, /\(InternalError\).*webhook \\?"rights\\?": no answer/);
    const deleted = await as(token({ teams: ['shop'] }), 'delete', 'configmap', 'kept');
    assert.equal(deleted.code, 0, deleted.stderr);
  });
});
