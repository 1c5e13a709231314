import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import type { Scheme } from '#apimachinery/scheme.ts';
import { silentLogger } from '#client/logger.ts';
import { makePki } from '../http/testing/test-server.ts';
import type { ClusterId, Workspace } from '../workspace/workspace.ts';
import { parseAuthorizationConfiguration } from './authorization-configuration.ts';
import type { AuthorizationAttributes } from './authorizer.ts';
import { WebhookAuthorizer, type WebhookAuthorizerOptions } from './webhook-authorizer.ts';
import { WebhookConditions } from './webhook-conditions.ts';

const pki = makePki();
const asked: JsonObject[] = [];
let answer: (spec: JsonObject) => JsonObject = () => ({ allowed: true });
let failures = 0;
const server = createServer(
  { cert: pki.serving.certificatePem, key: pki.serving.keyPem },
  async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    if (failures > 0) {
      failures--;
      response.writeHead(503).end();
      return;
    }
    const review = JSON.parse(body) as JsonObject;
    asked.push(review['spec'] as JsonObject);
    response.end(JSON.stringify({ ...review, status: answer(review['spec'] as JsonObject) }));
  },
);
const workspace: Workspace = {
  id: 'abc' as ClusterId,
  path: 'root:shop',
  type: 'project',
  phase: 'Ready',
  scheme: {} as Scheme,
  inert: false,
};

const question = (changed: Partial<AuthorizationAttributes> = {}): AuthorizationAttributes => ({
  user: { name: 'jane', groups: ['dev'], extra: new Map([['k', ['v']]]) },
  workspace,
  verb: 'list',
  resource: {
    group: 'apps',
    version: 'v1',
    resource: 'deployments',
    subresource: '',
    namespace: 'n',
    name: '',
  },
  path: '',
  ...changed,
});

describe('authorizer webhook (U5)', () => {
  let webhook: WebhookAuthorizer;
  const open = (changed: Partial<WebhookAuthorizerOptions> = {}) =>
    new WebhookAuthorizer({
      name: 'test',
      connection: {
        server: `https://127.0.0.1:${(server.address() as AddressInfo).port}/`,
        caPem: pki.ca.certificatePem,
      },
      allowedMs: 60_000,
      refusedMs: 60_000,
      timeoutMs: 60_000,
      onFailure: 'noOpinion',
      tellsWorkspace: true,
      logger: silentLogger,
      ...changed,
    });

  before(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    webhook = open();
  });
  after(async () => {
    await webhook.close();
    server.close();
    server.closeAllConnections();
  });

  it('asks by SubjectAccessReview, tells the workspace, and keeps answers', async () => {
    const attributes = question({ fieldRequirements: new Map([['metadata.name', 'x']]) });
    const two = await Promise.all([webhook.authorize(attributes), webhook.authorize(attributes)]);
    assert.deepEqual(two, [
      { decision: 'allow', reason: '' },
      { decision: 'allow', reason: '' },
    ]);
    assert.deepEqual(await webhook.authorize(attributes), { decision: 'allow', reason: '' });
    assert.deepEqual(asked.splice(0), [
      {
        user: 'jane',
        uid: '',
        groups: ['dev'],
        extra: {
          k: ['v'],
          'authorization.kubernetes.io/cluster-name': ['abc'],
          'authorization.cellplane.io/workspace': ['root:shop'],
        },
        resourceAttributes: {
          namespace: 'n',
          verb: 'list',
          group: 'apps',
          version: 'v1',
          resource: 'deployments',
          subresource: '',
          name: '',
          fieldSelector: { requirements: [{ key: 'metadata.name', operator: 'In', values: ['x'] }] },
        },
      },
    ]);
  });

  it('denies, has no opinion, and is never asked about cells or all workspaces', async () => {
    answer = ({ user }) => (user === 'eve' ? { denied: true, reason: 'no eve' } : { allowed: false });
    const of = (name: string) =>
      webhook.authorize(question({ user: { name, groups: [], extra: new Map() } }));
    assert.deepEqual(await of('eve'), { decision: 'deny', reason: 'no eve' });
    assert.deepEqual(await of('bob'), { decision: 'noOpinion', reason: '' });
    asked.length = 0;
    const inert = question({ workspace: { ...workspace, inert: true } });
    assert.equal((await webhook.authorize(inert)).decision, 'noOpinion');
    assert.equal((await webhook.authorize(question({ workspace: undefined }))).decision, 'noOpinion');
    assert.equal(asked.length, 0);
  });

  it('asks again after a failure of the server, and follows its failure policy', async () => {
    answer = () => ({ allowed: true });
    failures = 1;
    assert.equal((await webhook.authorize(question({ verb: 'once' }))).decision, 'allow');
    const strict = open({ onFailure: 'deny' });
    failures = 100;
    const error = 'webhook "test": no answer';
    const silent = await webhook.authorize(question({ verb: 'never' }));
    assert.deepEqual(silent, { decision: 'noOpinion', reason: '', error });
    assert.deepEqual(await strict.authorize(question({ verb: 'never' })), { ...silent, decision: 'deny' });
    failures = 0;
    // Nothing is kept of a failure.
    assert.equal((await strict.authorize(question({ verb: 'never' }))).decision, 'allow');
    await strict.close();
  });

  it('is asked only where its conditions hold', async () => {
    const conditions = new WebhookConditions(
      [
        'has(request.resourceAttributes)',
        'request.resourceAttributes.namespace != "kube-system"',
        '!("system:serviceaccounts" in request.groups)',
      ],
      'webhook',
    );
    const one = open({ conditions });
    asked.length = 0;
    assert.equal((await one.authorize(question())).decision, 'allow');
    const { resource } = question();
    const inSystem = question({ resource: { ...resource!, namespace: 'kube-system' } });
    assert.equal((await one.authorize(inSystem)).decision, 'noOpinion');
    assert.equal((await one.authorize(question({ resource: undefined, path: '/x' }))).decision, 'noOpinion');
    assert.equal(asked.length, 1);
    await one.close();
    const faulty = new WebhookConditions(['request.resourceAttributes.verb == "list"'], 'webhook');
    const strict = open({ conditions: faulty, onFailure: 'deny' });
    assert.equal((await strict.authorize(question({ resource: undefined }))).decision, 'deny');
    await strict.close();
  });
});

describe('AuthorizationConfiguration (U5)', () => {
  const webhook = (changed = '') => `
apiVersion: apiserver.config.k8s.io/v1
kind: AuthorizationConfiguration
authorizers:
- type: Webhook
  name: first
  webhook:
    authorizedTTL: 1m30s
    unauthorizedTTL: 500ms
    timeout: 3s
    subjectAccessReviewVersion: v1
    matchConditionSubjectAccessReviewVersion: v1
    failurePolicy: Deny
    connectionInfo: {type: KubeConfigFile, kubeConfigFile: /etc/a}
    matchConditions:
    - expression: request.user != 'x'
${changed}
- {type: RBAC, name: rbac}
`;

  it('is read as a whole', () => {
    const [first, second] = parseAuthorizationConfiguration(webhook());
    assert.ok(first?.type === 'Webhook');
    assert.deepEqual(
      [first.allowedMs, first.refusedMs, first.timeoutMs, first.onFailure, first.kubeconfigFile],
      [90_000, 500, 3000, 'deny', '/etc/a'],
    );
    assert.equal(second?.type, 'RBAC');
  });

  it('is refused where it cannot be honoured', () => {
    const rows: readonly (readonly [string, RegExp])[] = [
      [webhook().replace('timeout: 3s', 'timeout: 31s'), /timeout/],
      [webhook().replace('timeout: 3s', 'timeout: soon'), /timeout/],
      [webhook().replace('failurePolicy: Deny', 'failurePolicy: Allow'), /failurePolicy/],
      [webhook().replace("request.user != 'x'", 'request.nothing'), /matchConditions\[0\]/],
      [webhook().replace("request.user != 'x'", 'request.user'), /bool/],
      [webhook().replace('KubeConfigFile,', 'InClusterConfig,'), /connectionInfo/],
      [webhook().replace('- {type: RBAC, name: rbac}', ''), /RBAC/],
      [webhook().replace('{type: RBAC, name: rbac}', '{type: Node, name: node}'), /Node/],
      [webhook().replace('name: rbac', 'name: first'), /name/],
      [
        webhook().replace('matchConditions:', 'matchCondition:'),
        /authorizers\[0\]\.webhook\.matchCondition: unknown/,
      ],
      ['kind: Other', /kind/],
    ];
    for (const [text, message] of rows) assert.throws(() => parseAuthorizationConfiguration(text), message);
  });
});
