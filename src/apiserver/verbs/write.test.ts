import assert from 'node:assert/strict';
import { test } from 'node:test';
import { apiError, Harness } from './testing/harness.ts';
import { configMap, maps, openHarness, widget, widgetsPath } from './testing/write-fixtures.ts';

test('POST to a name, PUT and PATCH to a collection are not allowed (E2)', async () => {
  await using harness = await openHarness();
  const merge = { body: {}, contentType: 'application/merge-patch+json' };
  for (const [method, path, send] of [
    ['POST', `${maps}/a`, { body: configMap('a') }],
    ['PUT', maps, { body: configMap('a') }],
    ['PATCH', maps, merge],
  ] as const) {
    await assert.rejects(harness.send(method, path, send), apiError('MethodNotAllowed'), `${method} ${path}`);
  }
});

test('fieldValidation: unknown and repeated fields (C9)', async () => {
  await using harness = await openHarness();
  const body =
    '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"NAME","nope":1},"data":{"a":"1","a":"2"},"spce":{}}';
  const named = (name: string) => body.replace('NAME', name);
  const warned = await harness.send('POST', maps, { body: named('warn') });
  assert.deepEqual(warned.warnings, [
    'unknown field "metadata.nope"',
    'unknown field "spce"',
    'duplicate field "data.a"',
  ]);
  assert.deepEqual(warned.object['data'], { a: '2' });
  assert.equal(warned.object['spce'], undefined);
  const ignored = await harness.send('POST', `${maps}?fieldValidation=Ignore`, { body: named('ignore') });
  assert.deepEqual(ignored.warnings, []);
  await assert.rejects(
    harness.send('POST', `${maps}?fieldValidation=Strict`, { body: named('strict') }),
    apiError(
      'BadRequest',
      /strict decoding error: unknown field "metadata.nope", unknown field "spce", duplicate field "data.a"/,
    ),
  );
  await assert.rejects(
    harness.send('POST', `${widgetsPath}?fieldValidation=Strict`, {
      body: widget('w', { size: 1, nope: 1, free: { anything: 1 } }),
    }),
    apiError('BadRequest', /strict decoding error: unknown field "spec.nope"$/),
  );
});

test('bytes that are none: an empty text in a Secret, beside a null or not (encoding/json)', async () => {
  await using harness = await openHarness();
  const secrets = '/api/v1/namespaces/default/secrets';
  for (const metadata of ['{"name":"a"}', '{"name":"a","creationTimestamp":null}']) {
    const body = `{"apiVersion":"v1","kind":"Secret","metadata":${metadata},"data":{"empty":"","some":"YQ=="}}`;
    const { object } = await harness.send('POST', `${secrets}?dryRun=All`, { body });
    assert.deepEqual(object['data'], { empty: '', some: 'YQ==' });
  }
});

test('fieldValidation: null makes no field known, and an unknown one is told once (C9, strict decoding)', async () => {
  await using harness = await openHarness();
  const strict = (body: string) =>
    harness.send('POST', `${maps}?fieldValidation=Strict&dryRun=All`, { body });
  const start = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"';
  await assert.rejects(
    strict(`${start},"foo":null},"bar":null}`),
    apiError('BadRequest', /strict decoding error: unknown field "metadata.foo", unknown field "bar"$/),
  );
  await assert.rejects(
    strict(`${start}},"foo":null,"foo":null}`),
    apiError('BadRequest', /strict decoding error: unknown field "foo"$/),
  );
  // Those that are known are as good as absent.
  const { object } = await strict(`${start},"creationTimestamp":null,"labels":null},"data":null}`);
  assert.equal(object['data'], undefined);
});

test('query of writes: refusals with 422 (C8, C9, P3)', async () => {
  await using harness = await openHarness();
  const rows: [string, RegExp][] = [
    ['dryRun=maybe', /dryRun: Unsupported value: \["maybe"\]: supported values: "All"/],
    [`fieldManager=${'x'.repeat(129)}`, /fieldManager: Too long: may not be more than 128 bytes/],
    ['fieldManager=a%07', /fieldManager: Invalid value: .*invalid character U\+0007 \(at position 1\)/],
    ['fieldValidation=Hard', /fieldValidation: Unsupported value: "Hard"/],
  ];
  for (const [query, message] of rows) {
    await assert.rejects(
      harness.post(`${maps}?${query}`, configMap('q')),
      apiError('Invalid', message),
      query,
    );
  }
});

test('dryRun runs everything but persistence (C8)', async () => {
  await using harness = await openHarness();
  const before = harness.storage.revision;
  const made = await harness.post(`${maps}?dryRun=All`, configMap('dry'));
  assert.equal(made.code, 201);
  assert.equal(made.object.metadata.resourceVersion, undefined);
  await assert.rejects(harness.get(`${maps}/dry`), apiError('NotFound', 'configmaps "dry" not found'));
  await harness.post(maps, configMap('real'));
  await assert.rejects(harness.post(`${maps}?dryRun=All`, configMap('real')), apiError('AlreadyExists'));
  const patched = await harness.patch(`${maps}/real?dryRun=All`, 'merge', { data: { a: '9' } });
  assert.deepEqual(patched.object['data'], { a: '9' });
  assert.deepEqual((await harness.get(`${maps}/real`)).object['data'], { a: '1' });
  assert.equal((await harness.delete(`${maps}/real?dryRun=All`)).code, 200);
  assert.equal((await harness.get(`${maps}/real`)).code, 200);
  assert.equal(harness.storage.revision, before + 1);
});

test('generation and the split of status (C6, C7)', async () => {
  await using harness = await openHarness();
  const made = await harness.post(widgetsPath, widget('w', { size: 2 }, { status: { ready: 9 } }));
  assert.equal(made.object.metadata.generation, 1);
  assert.equal(made.object['status'], undefined, 'create ignores status');
  const labelled = await harness.patch(`${widgetsPath}/w`, 'merge', { metadata: { labels: { a: 'b' } } });
  assert.equal(labelled.object.metadata.generation, 1, 'metadata does not count');
  const resized = await harness.patch(`${widgetsPath}/w`, 'merge', {
    spec: { size: 3 },
    status: { ready: 9 },
  });
  assert.equal(resized.object.metadata.generation, 2);
  assert.equal(resized.object['status'], undefined, 'the main path ignores status');
  const status = await harness.patch(`${widgetsPath}/w/status`, 'merge', {
    metadata: { labels: { c: 'd' } },
    spec: { size: 7 },
    status: { ready: 1 },
  });
  assert.deepEqual(status.object['status'], { ready: 1 });
  assert.deepEqual(status.object['spec'], { size: 3 });
  assert.deepEqual(status.object.metadata.labels, { a: 'b' });
  assert.equal(status.object.metadata.generation, 2);
  const { resourceVersion } = status.object.metadata;
  const put = await harness.put(
    `${widgetsPath}/w`,
    widget('w', { size: 3 }, { metadata: { name: 'w', resourceVersion: resourceVersion! } }),
  );
  assert.deepEqual(put.object['status'], { ready: 1 }, 'a PUT without status keeps it');

  const gadgets = widgetsPath.replace('widgets', 'gadgets');
  const gadget = {
    apiVersion: 'example.com/v1',
    kind: 'Gadget',
    metadata: { name: 'g' },
    status: { ready: 1 },
  };
  assert.deepEqual((await harness.post(gadgets, gadget)).object['status'], { ready: 1 });
  const changed = await harness.patch(`${gadgets}/g`, 'merge', { status: { ready: 2 } });
  assert.equal(changed.object.metadata.generation, 2, 'without a status subresource status counts');
});

test('defaults and ratcheting (C11, R3, R5)', async () => {
  await using harness = await openHarness();
  const made = await harness.post(widgetsPath, widget('w', {}));
  assert.deepEqual(made.object['spec'], { size: 1 });
  const inert = await harness.post(`/clusters/cell${widgetsPath}`, widget('w', {}));
  assert.deepEqual(inert.object['spec'], {}, 'nothing is defaulted in a cell');
  assert.deepEqual((await harness.get(`/clusters/cell${widgetsPath}/w`)).object['spec'], {});
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 's' },
    spec: { ports: [{ port: 80 }] },
  };
  const stored = await harness.post('/clusters/cell/api/v1/namespaces/default/services', service);
  assert.deepEqual(stored.object['spec'], service.spec, 'nothing is allocated in a cell');
});

test('versions that differ in name only (R7)', async () => {
  await using harness = await openHarness();
  const beta = widgetsPath.replace('/v1/', '/v1beta1/');
  const made = await harness.post(beta, { ...widget('w', { size: 2 }), apiVersion: 'example.com/v1beta1' });
  assert.equal(made.object.apiVersion, 'example.com/v1beta1');
  assert.deepEqual(made.warnings, ['example.com/v1beta1 Widget is deprecated']);
  assert.equal((await harness.get(`${widgetsPath}/w`)).object.apiVersion, 'example.com/v1');
});

test('kcp.io/cluster cannot be set, is owned by nobody, and is missing at an edge', async () => {
  await using harness = await openHarness();
  const named = configMap('a', { metadata: { name: 'a', annotations: { 'kcp.io/cluster': 'mine' } } });
  const made = await harness.post(maps, named);
  assert.deepEqual(made.object.metadata.annotations, { 'kcp.io/cluster': 'root' });
  assert.doesNotMatch(JSON.stringify(made.object.metadata.managedFields), /kcp.io/);
  const applied = await harness.patch(`${maps}/a?fieldManager=m`, 'apply', named);
  assert.deepEqual(applied.object.metadata.annotations, { 'kcp.io/cluster': 'root' });
  const edge = await harness.post(`/clusters/edge${maps}`, configMap('a'));
  assert.equal(edge.object.metadata.annotations, undefined);
});

test('workspaces do not see one another', async () => {
  await using harness = await openHarness();
  await harness.post(maps, configMap('a'));
  await assert.rejects(harness.get(`/clusters/edge${maps}/a`), apiError('NotFound'));
  assert.deepEqual((await harness.list(`/clusters/edge${maps}`)).names, []);
  await assert.rejects(
    harness.send('POST', `/clusters/*${maps}`, { body: configMap('b') }),
    apiError('MethodNotAllowed'),
  );
  await assert.rejects(harness.get(`/clusters/*${maps}/a`), apiError('MethodNotAllowed'));
});

test('a DaemonSet without a selector is told of its template alone (C11)', async () => {
  await using harness = await Harness.open();
  for (const more of [{}, { spec: {} }]) {
    await assert.rejects(
      harness.post('/apis/apps/v1/namespaces/default/daemonsets', {
        apiVersion: 'apps/v1',
        kind: 'DaemonSet',
        metadata: { name: 'd' },
        ...more,
      }),
      apiError(
        'Invalid',
        /^DaemonSet.apps "d" is invalid: \[spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`, spec.template.spec.containers: Required value\]$/,
      ),
    );
  }
});
