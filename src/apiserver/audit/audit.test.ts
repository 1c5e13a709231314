import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { objectsAt, textAt, valueAt } from '#api/builtin/read.ts';
import { ApiError, notFound } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { createScheme } from '#apimachinery/scheme-build.ts';
import { silentLogger } from '#client/logger.ts';
import { MetricText } from '#client/metrics/metric-text.ts';
import { attributesOf } from '../authz/attributes.ts';
import { definition, resolverOf, startServer, widget as widgetObject } from '../http/testing/test-server.ts';
import { listOf, single } from '../http/testing/widget-server.ts';
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
- {level: Request, namespaces: [closed]}
- {level: Request, resources: [{group: "*", resources: [deployments], resourceNames: [d]}]}
- {level: Metadata, verbs: ["*"]}
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
    ['GET', '/api/v1/namespaces/closed', 'Request'],
    ['GET', '/apis/apps/v1/namespaces/a/deployments?fieldSelector=metadata.name%3Dd', 'Request'],
    ['GET', '/apis/apps/v1/namespaces/a/deployments', 'None'],
  ];
  for (const [method, url, level, user] of rows) {
    const attributes = attributesOf(parseRequestInfo(method, url), user ?? jane, undefined);
    assert.equal(policy.decide(attributes).level, level, `${method} ${url}`);
  }
});

test('a policy that cannot be used is refused with its fault (O3)', () => {
  const rows: [string, RegExp][] = [
    ['kind: Policy', /audit\.k8s\.io\/v1/],
    [`${head}rules: []`, /rules/],
    [`${head}rules: [{level: Some}]`, /rules\[0\]\.level/],
    [`${head}omitStages: [Never]\nrules: [{level: None}]`, /omitStages/],
    [`${head}rules: [{level: None, namespaces: [a], nonResourceURLs: [/x]}]`, /nonResourceURLs/],
    [`${head}rules: [{level: None, nonResourceURLs: [x]}]`, /must begin with/],
    [`${head}rules: [{level: None, nonResourceURLs: ['/a*b']}]`, /final character/],
    [`${head}rules: [{level: None, resources: [{resourceNames: [a]}]}]`, /requires at least one resource/],
  ];
  for (const [text, message] of rows) assert.throws(() => AuditPolicy.parse(text), message);
});

async function withAudit(
  policy: string,
  run: (server: Awaited<ReturnType<typeof startServer>>) => Promise<void>,
  verbs: Partial<Parameters<typeof startServer>[0]> = {},
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
      verbs: { execute: () => ({ type: 'status', code: 200, body: { kind: 'Status', metadata: {} } }) },
      ...verbs,
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
    { verbs: { execute: single } },
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
  assert.equal(textAt(complete, 'responseObject', 'metadata', 'name'), 'a');
  assert.equal(valueAt(complete, 'annotations', 'authorization.k8s.io/decision'), 'allow');
  assert.equal(valueAt(complete, 'annotations', 'authorization.k8s.io/reason'), 'a test');
  assert.match(String(complete['stageTimestamp']), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
});

test('an event tells who asks, and in whose name (O3, U3)', async () => {
  const events = await withAudit(
    'omitStages: [RequestReceived]\nrules: [{level: Metadata}]',
    async (server) => {
      const headers = { 'impersonate-user': 'joe', 'impersonate-group': 'dev' };
      const asked = `/clusters/root:acme${widget}`;
      const answer = await server.call('GET', asked, undefined, headers, { token: 'jane-token' });
      assert.equal(answer.code, 200, answer.text);
    },
  );
  const [complete] = events as [JsonObject];
  assert.equal(textAt(complete, 'user', 'username'), 'jane');
  assert.equal(textAt(complete, 'impersonatedUser', 'username'), 'joe');
  assert.deepEqual(valueAt(complete, 'impersonatedUser', 'groups'), ['dev', 'system:authenticated']);
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

const at = (events: readonly JsonObject[], stage: string) => events.find((one) => one['stage'] === stage);
const asTable = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' };

test('a list is told in the form that it was sent in, without managed fields where these are omitted (O3)', async () => {
  const one = widgetObject('a', { size: 3 });
  one.metadata.managedFields = [{ manager: 'm', operation: 'Update' }] as never;
  const many = Array.from({ length: 40 }, (_, i) => widgetObject(`w${i}`));
  const answers: string[] = [];
  const events = await withAudit(
    'omitManagedFields: true\nomitStages: [RequestReceived]\nrules: [{level: RequestResponse}]',
    async (server) => {
      for (const headers of [{}, asTable, { accept: 'application/yaml' }]) {
        answers.push((await server.get(`/clusters/root:acme${widget}?limit=1`, headers)).text);
      }
    },
    { verbs: { execute: listOf([one, ...many]) } },
  );
  const [list, table, yaml] = events.map(({ responseObject }) => responseObject as JsonObject);
  assert.equal(objectsAt(list!, 'items').length, 41);
  assert.equal(valueAt(objectsAt(list!, 'items')[0]!, 'metadata', 'managedFields'), undefined);
  assert.deepEqual(list?.['metadata'], { resourceVersion: '9', continue: 'next', remainingItemCount: 5 });
  assert.deepEqual(yaml, list);
  assert.equal(table?.['kind'], 'Table');
  const [row] = objectsAt(table!, 'rows');
  assert.deepEqual(row?.['cells'], ['a', 3]);
  assert.equal(valueAt(row!, 'object', 'metadata', 'managedFields'), undefined);
  // What the client got is whole, managed fields and all.
  const sent = JSON.parse(answers[0]!) as JsonObject;
  assert.equal(objectsAt(sent, 'items').length, 41);
  assert.equal(objectsAt(objectsAt(sent, 'items')[0]!, 'metadata', 'managedFields').length, 1);
});

test('requests by level, events and losses are counted under Kubernetes’ names (O3)', () => {
  const policy = AuditPolicy.parse(`${head}rules: [{level: None, verbs: [list]}, {level: Metadata}]`);
  const lossy = { write: () => {}, losses: () => [{ plugin: 'log' as const, lost: 3 }], close: () => {} };
  const auditor = new Auditor(policy, lossy);
  for (const url of [widget, `${widget}/w`]) {
    const info = parseRequestInfo('GET', url);
    const request = { auditId: 'a', requestUri: url, info, user: jane, sourceIps: [], receivedAtMs: 0 };
    auditor.begin({ ...request, userAgent: undefined })?.complete(200);
  }
  const text = new MetricText();
  auditor.render(text);
  for (const line of [
    'apiserver_audit_event_total 2',
    'apiserver_audit_error_total{plugin="log"} 3',
    'apiserver_audit_level_total{level="None"} 1',
    'apiserver_audit_level_total{level="Metadata"} 1',
  ]) {
    assert.ok(text.toString().includes(`${line}\n`), line);
  }
});

test('which object is meant stands in the record at every level: from path, selector or body (O3)', async () => {
  const rows: [string, string, JsonObject | undefined, JsonObject][] = [
    ['GET', `${widget}?fieldSelector=metadata.name%3Dw`, undefined, { name: 'w', namespace: 'default' }],
    [
      'PUT',
      `${widget}/w`,
      { metadata: { name: 'w', uid: 'u', resourceVersion: '7' } },
      { name: 'w', namespace: 'default', uid: 'u', resourceVersion: '7' },
    ],
    // A patch is no object: what it would set is not what it is about.
    ['PATCH', `${widget}/w`, { metadata: { uid: 'u' } }, { name: 'w', namespace: 'default' }],
  ];
  const events = await withAudit(
    'omitStages: [RequestReceived]\nrules: [{level: Metadata}]',
    async (server) => {
      for (const [method, url, body] of rows) {
        const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
        const text = body && JSON.stringify(body);
        await server.call(method, `/clusters/root:acme${url}`, text, text ? { 'content-type': type } : {});
      }
    },
  );
  assert.deepEqual(
    events.map(({ objectRef }) => objectRef),
    rows.map(([, , , told]) => ({
      resource: 'widgets',
      apiGroup: 'example.org',
      apiVersion: 'v1',
      ...told,
    })),
  );
});

test('a failure is told with its details, a Status of success with its outcome (O3)', async () => {
  const answers = [
    () => {
      throw notFound({ group: 'example.org', resource: 'widgets' }, 'w');
    },
    () => ({
      type: 'status' as const,
      code: 200,
      body: { kind: 'Status', metadata: {}, status: 'Success', details: { name: 'w', uid: 'u' } },
    }),
  ];
  const events = await withAudit(
    'omitStages: [RequestReceived]\nrules: [{level: Metadata}]',
    async (server) => {
      await server.get(`/clusters/root:acme${widget}/w`);
      await server.get(`/clusters/root:acme${widget}/w`);
    },
    { verbs: { execute: () => answers.shift()!() } },
  );
  assert.deepEqual(
    events.map(({ responseStatus }) => responseStatus),
    [
      {
        metadata: {},
        status: 'Failure',
        message: 'widgets.example.org "w" not found',
        reason: 'NotFound',
        details: { name: 'w', group: 'example.org', kind: 'widgets' },
        code: 404,
      },
      { metadata: {}, status: 'Success', details: { name: 'w', uid: 'u' }, code: 200 },
    ],
  );
  assert.ok(events.every(({ responseObject }) => responseObject === undefined));
});

test('credentials that are nobody’s are told by the beginning of their answer alone (O3, U1)', async () => {
  const events = await withAudit(
    'rules: [{level: None, userGroups: [x]}, {level: Metadata}]',
    async (server) => {
      await server.get(`/clusters/root:acme${widget}/w`, {}, { token: 'nobody' });
    },
  );
  const [only] = events as [JsonObject];
  assert.equal(events.length, 1);
  assert.equal(only['stage'], 'ResponseStarted');
  assert.deepEqual(only['user'], {});
  assert.deepEqual(only['responseStatus'], {
    metadata: {},
    status: 'Failure',
    message: 'Unauthorized',
    reason: 'Unauthorized',
    code: 401,
  });
});

test('a watch that is refused has both stages of its answer (O3)', async () => {
  const events = await withAudit(
    'rules: [{level: Metadata}]',
    async (server) => {
      await server.get(`/clusters/root:acme${widget}?watch=true`);
    },
    {
      verbs: {
        execute: () => {
          throw new ApiError('Expired', 'too old');
        },
      },
    },
  );
  assert.deepEqual(
    events.map(({ stage }) => stage),
    ['RequestReceived', 'ResponseStarted', 'ResponseComplete'],
  );
  assert.equal(valueAt(at(events, 'ResponseStarted'), 'responseStatus', 'code'), 410);
});

test('proxies’ word on where a request came from stands before its connection’s; long agents are cut (O3)', async () => {
  const headers = {
    'x-forwarded-for': '10.1.2.3, nonsense',
    'x-real-ip': '10.9.9.9',
    'user-agent': 'u'.repeat(1100),
  };
  const [event] = await withAudit('rules: [{level: Metadata}]', async (server) => {
    await server.get(`/clusters/root:acme${widget}/w`, headers);
  });
  const addresses = event?.['sourceIPs'] as string[];
  assert.deepEqual(addresses.slice(0, 2), ['10.1.2.3', '10.9.9.9']);
  assert.match(addresses[2] ?? '', /^(127\.0\.0\.1|::1)$/);
  assert.equal(event?.['userAgent'], `${'u'.repeat(1024)}...TRUNCATED`);
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
    assert.deepEqual(log.losses(), [{ plugin: 'log', lost: 0 }]);
    assert.equal(await readFile(path.join(folder, 'a.log'), 'utf8'), '{"event":"number 2"}\n');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
