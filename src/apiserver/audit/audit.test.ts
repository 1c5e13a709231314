import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { textAt, valueAt } from '#api/builtin/read.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { createScheme } from '#apimachinery/scheme-build.ts';
import { silentLogger } from '#client/logger.ts';
import { definition, resolverOf, startServer } from '../http/testing/test-server.ts';
import { parseRequestInfo } from '../request/parse-request-info.ts';
import type { UserInfo } from '../request/user.ts';
import { Auditor } from './audit.ts';
import { AuditLog } from './audit-log.ts';
import { AuditPolicy } from './audit-policy.ts';

const jane: UserInfo = { name: 'jane', groups: ['dev', 'system:authenticated'], extra: new Map() };
const head = 'apiVersion: audit.k8s.io/v1\nkind: Policy\n';

test('the first rule that matches decides (O3)', () => {
  const policy = AuditPolicy.parse(`${head}
rules:
- {level: None, users: [noisy]}
- {level: None, nonResourceURLs: ["/healthz*", /version]}
- {level: RequestResponse, resources: [{group: "", resources: [pods]}], namespaces: [shop]}
- {level: Request, resources: [{group: "", resources: ["*/status"]}]}
- {level: Metadata, resources: [{group: "", resources: [secrets], resourceNames: [s]}], omitManagedFields: true}
- {level: Metadata, verbs: [delete], userGroups: [dev]}
`);
  const rows: [string, string, string, UserInfo?][] = [
    ['GET', '/api/v1/namespaces/shop/pods/p', 'RequestResponse'],
    ['GET', '/api/v1/namespaces/other/pods/p', 'None'],
    ['PUT', '/api/v1/namespaces/shop/pods/p/status', 'Request'],
    ['GET', '/api/v1/namespaces/shop/secrets/s', 'Metadata'],
    ['GET', '/api/v1/namespaces/shop/secrets/t', 'None'],
    ['DELETE', '/apis/apps/v1/namespaces/a/deployments/d', 'Metadata'],
    ['GET', '/healthz/ping', 'None'],
    ['GET', '/api/v1/namespaces/shop/pods/p', 'None', { ...jane, name: 'noisy' }],
  ];
  for (const [method, url, level, user] of rows) {
    assert.equal(policy.decide(parseRequestInfo(method, url), user ?? jane).level, level, `${method} ${url}`);
  }
});

test('a policy that cannot be used is refused with its fault (O3)', () => {
  const rows: [string, RegExp][] = [
    ['kind: Policy', /audit\.k8s\.io\/v1/],
    [`${head}rules: []`, /rules/],
    [`${head}rules: [{level: Some}]`, /rules\[0\]\.level/],
    [`${head}omitStages: [Never]\nrules: [{level: None}]`, /omitStages/],
    [`${head}rules: [{level: None, namespaces: [a], nonResourceURLs: [/x]}]`, /nonResourceURLs/],
  ];
  for (const [text, message] of rows) assert.throws(() => AuditPolicy.parse(text), message);
});

async function withAudit(
  policy: string,
  run: (server: Awaited<ReturnType<typeof startServer>>) => Promise<void>,
  body: JsonObject = { kind: 'Status', metadata: { name: 'x', managedFields: [{ manager: 'm' }] } },
): Promise<JsonObject[]> {
  const folder = await mkdtemp(path.join(tmpdir(), 'audit-'));
  try {
    const file = path.join(folder, 'audit.log');
    const auditor = new Auditor(
      AuditPolicy.parse(`${head}${policy}`),
      new AuditLog({ path: file, logger: silentLogger }),
    );
    const server = await startServer({
      audit: auditor,
      resolver: resolverOf(createScheme([definition()]), 'root:acme'),
      authorizer: { authorize: () => ({ decision: 'allow', reason: 'a test' }) },
      verbs: { execute: () => ({ type: 'status', code: 200, body }) },
    });
    try {
      await run(server);
    } finally {
      await server.stop();
    }
    await auditor.close();
    const text = await readFile(file, 'utf8');
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as JsonObject);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const widget = '/apis/example.org/v1/namespaces/default/widgets';

test('an event tells who asked for what, and how it ended (O3)', async () => {
  const events = await withAudit(
    'omitManagedFields: true\nrules: [{level: RequestResponse}]',
    async (server) => {
      const sent = { metadata: { name: 'w', managedFields: [{ manager: 'm' }] }, spec: { size: 1 } };
      const answer = await server.call(
        'POST',
        `/clusters/root:acme${widget}`,
        JSON.stringify(sent),
        { 'content-type': 'application/json', 'user-agent': 'test/1' },
        { token: 'jane-token' },
      );
      assert.equal(answer.code, 200, answer.text);
    },
  );
  assert.deepEqual(
    events.map(({ stage }) => stage),
    ['RequestReceived', 'ResponseComplete'],
  );
  const [received, complete] = events as [JsonObject, JsonObject];
  assert.equal(received['auditID'], complete['auditID']);
  assert.equal(complete['level'], 'RequestResponse');
  assert.equal(complete['verb'], 'create');
  assert.equal(complete['requestURI'], `/clusters/root:acme${widget}`);
  assert.equal(complete['userAgent'], 'test/1');
  assert.equal(textAt(complete, 'user', 'username'), 'jane');
  assert.match(String(complete['sourceIPs']), /127\.0\.0\.1|::1/);
  assert.deepEqual(complete['objectRef'], {
    resource: 'widgets',
    namespace: 'default',
    name: 'w',
    apiGroup: 'example.org',
    apiVersion: 'v1',
  });
  assert.deepEqual(complete['responseStatus'], { metadata: {}, code: 200 });
  assert.deepEqual(complete['requestObject'], { metadata: { name: 'w' }, spec: { size: 1 } });
  assert.deepEqual(complete['responseObject'], { kind: 'Status', metadata: { name: 'x' } });
  assert.equal(valueAt(complete, 'annotations', 'authorization.k8s.io/decision'), 'allow');
  assert.equal(valueAt(complete, 'annotations', 'authorization.k8s.io/reason'), 'a test');
  assert.match(String(complete['stageTimestamp']), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
});

test('Metadata tells no bodies, omitted stages are not told, None costs no event (O3)', async () => {
  const policy =
    'rules: [{level: None, nonResourceURLs: [/livez]}, {level: Metadata, omitStages: [RequestReceived]}]';
  const events = await withAudit(policy, async (server) => {
    await server.get('/livez', {}, { token: '' });
    await server.get(`/clusters/root:acme/apis/example.org/v9/none`, {}, { token: 'jane-token' });
    await server.get(`/clusters/root:acme${widget}/w`, {}, { token: 'jane-token' });
  });
  // Each is told when its answer has left, be it over a connection of its own.
  assert.deepEqual(
    events
      .map(({ stage, responseStatus, responseObject }) => [
        stage,
        (responseStatus as JsonObject)['code'],
        responseObject,
      ])
      .sort(([, a], [, b]) => Number(a) - Number(b)),
    [
      ['ResponseComplete', 200, undefined],
      ['ResponseComplete', 404, undefined],
    ],
  );
});

test('a full file is put aside, and only the newest are kept', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'audit-'));
  try {
    const log = new AuditLog({
      path: path.join(folder, 'a.log'),
      fileBytesMax: 20,
      filesMax: 2,
      logger: silentLogger,
    });
    for (let i = 0; i < 3; i++) {
      log.write({ event: `number ${i}` });
      await new Promise((resolve) => setImmediate(resolve));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    log.close();
    const files = await readdir(folder);
    assert.ok(files.includes('a.log') && files.length >= 2, files.join());
    assert.equal(log.lost, 0);
    assert.equal(await readFile(path.join(folder, 'a.log'), 'utf8'), '{"event":"number 2"}\n');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
