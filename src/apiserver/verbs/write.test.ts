import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import { apiError, Harness } from './testing/harness.ts';
import { widgets } from './testing/widgets.ts';

const maps = '/api/v1/namespaces/default/configmaps';
const widgetsPath = '/apis/example.com/v1/namespaces/default/widgets';

function configMap(name: string, more: JsonObject = {}): JsonObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { a: '1' }, ...more };
}

function widget(name: string, spec: JsonObject = {}, more: JsonObject = {}): JsonObject {
  return { apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name }, spec, ...more };
}

function open(): Promise<Harness> {
  return Harness.open({
    definitions: [widgets(), widgets({ resource: 'gadgets', status: false, defaults: false })],
    workspaces: [
      { id: 'cell' as never, inert: true, type: 'cell' },
      { id: 'edge' as never, type: 'edge' },
    ],
  });
}

test('create: identity is given, what users may not set is dropped (C1, C6)', async () => {
  await using harness = await open();
  const { code, object } = await harness.post(
    maps,
    configMap('a', {
      metadata: {
        name: 'a',
        uid: 'mine',
        creationTimestamp: '2001-01-01T00:00:00Z',
        deletionTimestamp: '2001-01-01T00:00:00Z',
        generation: 7,
        selfLink: '/x',
      },
    }),
  );
  assert.equal(code, 201);
  const { metadata } = object;
  assert.match(metadata.uid ?? '', /^[0-9a-f-]{36}$/);
  assert.equal(metadata.creationTimestamp, '2026-01-01T00:00:00Z');
  assert.equal(metadata.deletionTimestamp, undefined);
  assert.equal(metadata['selfLink'], undefined);
  assert.equal(metadata.namespace, 'default');
  assert.deepEqual(metadata.annotations, { 'kcp.io/cluster': 'root' });
  assert.equal((await harness.get(`${maps}/a`)).object.metadata.resourceVersion, metadata.resourceVersion);
});

test('create: refusals (C1, C3, E3, N1, N2, S2)', async () => {
  await using harness = await open();
  await harness.post(maps, configMap('taken'));
  const rows: [string, string, JsonObject | string, string, string | RegExp, number?, string?][] = [
    ['exists (E3)', maps, configMap('taken'), 'AlreadyExists', 'configmaps "taken" already exists'],
    [
      'other namespace (C1)',
      maps,
      configMap('x', { metadata: { name: 'x', namespace: 'other' } }),
      'BadRequest',
      'the namespace of the provided object does not match the namespace sent on the request',
    ],
    [
      'other apiVersion (C1)',
      maps,
      configMap('x', { apiVersion: 'apps/v1' }),
      'BadRequest',
      'ConfigMap in version "v1" cannot be handled as a ConfigMap: no kind "ConfigMap" is registered for version "apps/v1" in scheme "pkg/api/legacyscheme/scheme.go:30"',
    ],
    [
      'other kind (C1)',
      maps,
      configMap('x', { kind: 'Secret' }),
      'BadRequest',
      /cannot be handled as a ConfigMap/,
    ],
    [
      'resourceVersion (C1)',
      maps,
      configMap('x', { metadata: { name: 'x', resourceVersion: '5' } }),
      'InternalError',
      'resourceVersion should not be set on objects to be created',
      500,
    ],
    [
      'no namespace (S2)',
      '/api/v1/namespaces/nowhere/configmaps',
      configMap('x'),
      'NotFound',
      'namespaces "nowhere" not found',
    ],
    [
      'no name',
      maps,
      configMap('x', { metadata: {} }),
      'Invalid',
      'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required',
    ],
    [
      'bad name (O4)',
      maps,
      configMap('A'),
      'Invalid',
      /metadata.name: Invalid value: "A": a lowercase RFC 1123/,
    ],
    ['long name (O4)', maps, configMap('a'.repeat(254)), 'Invalid', /must be no more than 253 characters/],
    ['not JSON', maps, '{', 'BadRequest', /json parse error/],
    ['no body', maps, '', 'BadRequest', /unexpected end of JSON input \(<empty>\)$/],
    ['a list', maps, '[]', 'BadRequest', /unrecognized/],
    [
      'unknown type (N1)',
      maps,
      'x',
      'UnsupportedMediaType',
      /application\/json, application\/yaml/,
      415,
      'text/plain',
    ],
    [
      'protobuf for a custom resource (N2)',
      widgetsPath,
      'k8s\0',
      'UnsupportedMediaType',
      'the body of the request was in an unknown format - accepted media types include: application/json, application/yaml',
      415,
      'application/vnd.kubernetes.protobuf',
    ],
    [
      'wrong type in a built-in kind',
      maps,
      configMap('x', { data: 'no' }),
      'BadRequest',
      /cannot be handled as a ConfigMap: json: cannot unmarshal string into Go struct field ConfigMap.data/,
    ],
    [
      'wrong type in a custom resource',
      widgetsPath,
      widget('x', { size: 'no' }),
      'Invalid',
      /spec.size: Invalid value: "string"/,
    ],
    ['out of bounds', widgetsPath, widget('x', { size: -1 }), 'Invalid', /spec.size/],
    [
      'custom resource without kind',
      widgetsPath,
      { apiVersion: 'example.com/v1', metadata: { name: 'x' } },
      'BadRequest',
      /Kind/,
    ],
    [
      'labels (O4)',
      maps,
      configMap('x', { metadata: { name: 'x', labels: { 'a b': 'c', d: 'e f' } } }),
      'Invalid',
      /metadata.labels: Invalid value: "a b".*metadata.labels: Invalid value: "e f"/,
    ],
    [
      'annotations over 256 KiB (O4)',
      maps,
      configMap('x', { metadata: { name: 'x', annotations: { a: 'x'.repeat(256 * 1024) } } }),
      'Invalid',
      /metadata.annotations: Too long: may not be more than 262144 bytes/,
    ],
    [
      'metadata of the wrong type',
      maps,
      configMap('x', { metadata: { name: 5 } }),
      'BadRequest',
      /metadata.name/,
    ],
    [
      'finalizer',
      maps,
      configMap('x', { metadata: { name: 'x', finalizers: ['a b'] } }),
      'Invalid',
      /metadata.finalizers\[0\]/,
    ],
    [
      'two controllers',
      maps,
      configMap('x', {
        metadata: {
          name: 'x',
          ownerReferences: [
            { apiVersion: 'v1', kind: 'A', name: 'a', uid: '1', controller: true },
            { apiVersion: 'v1', kind: 'B', name: 'b', uid: '2', controller: true },
          ],
        },
      }),
      'Invalid',
      /Only one reference can have Controller set to true/,
    ],
    [
      'owner without uid',
      maps,
      configMap('x', {
        metadata: { name: 'x', ownerReferences: [{ apiVersion: 'v1', kind: 'A', name: 'a' }] },
      }),
      'Invalid',
      /metadata.ownerReferences.uid: Invalid value: "": must not be empty/,
    ],
  ];
  for (const [why, url, body, reason, message, code, contentType] of rows) {
    await assert.rejects(
      harness.send('POST', url, { body, ...(contentType === undefined ? {} : { contentType }) }),
      apiError(reason, message, code),
      why,
    );
  }
});

test('POST to a name, PUT and PATCH to a collection are not allowed (E2)', async () => {
  await using harness = await open();
  const merge = { body: {}, contentType: 'application/merge-patch+json' };
  for (const [method, path, send] of [
    ['POST', `${maps}/a`, { body: configMap('a') }],
    ['PUT', maps, { body: configMap('a') }],
    ['PATCH', maps, merge],
  ] as const) {
    await assert.rejects(harness.send(method, path, send), apiError('MethodNotAllowed'), `${method} ${path}`);
  }
});

test('removing a member whose name JavaScript inherits is a change (C5)', async () => {
  await using harness = await open();
  const data = { constructor: '1', toString: '2', valueOf: '3' };
  await harness.post(maps, configMap('a', { data, binaryData: {} }));
  const one = { data: { constructor: null, valueOf: null } };
  const { object } = await harness.patch(`${maps}/a`, 'merge', one);
  assert.deepEqual(object['data'], { toString: '2' });
  const { object: replaced } = await harness.put(
    `${maps}/a`,
    configMap('a', { data: { hasOwnProperty: '1' } }),
  );
  assert.deepEqual(replaced['data'], { hasOwnProperty: '1' });
  assert.doesNotMatch(JSON.stringify(replaced.metadata.managedFields), /f:toString|f:constructor/);
});

test('create: generated names, eight tries (C2)', async () => {
  await using harness = await open();
  const made = await harness.post(maps, configMap('', { metadata: { generateName: 'job-' } }));
  assert.match(made.object.metadata.name ?? '', /^job-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  assert.equal(made.object.metadata.generateName, 'job-');
  const long = await harness.post(maps, configMap('', { metadata: { generateName: 'x'.repeat(70) } }));
  assert.equal(long.object.metadata.name?.length, 63);
});

test('fieldValidation: unknown and repeated fields (C9)', async () => {
  await using harness = await open();
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
  await using harness = await open();
  const secrets = '/api/v1/namespaces/default/secrets';
  for (const metadata of ['{"name":"a"}', '{"name":"a","creationTimestamp":null}']) {
    const body = `{"apiVersion":"v1","kind":"Secret","metadata":${metadata},"data":{"empty":"","some":"YQ=="}}`;
    const { object } = await harness.send('POST', `${secrets}?dryRun=All`, { body });
    assert.deepEqual(object['data'], { empty: '', some: 'YQ==' });
  }
});

test('fieldValidation: null makes no field known, and an unknown one is told once (C9, strict decoding)', async () => {
  await using harness = await open();
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
  await using harness = await open();
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
  await using harness = await open();
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

test('update: of many at once under one guard, one wins (C3)', async () => {
  await using harness = await open();
  for (const [path, object] of [
    [maps, configMap('a')],
    [widgetsPath, widget('a')],
  ] as const) {
    const { metadata } = (await harness.post(path, object)).object;
    const { resourceVersion } = metadata;
    const answers = await Promise.allSettled(
      Array.from({ length: 10 }, (_, index) =>
        harness.put(`${path}/a`, {
          ...object,
          metadata: { name: 'a', resourceVersion: resourceVersion!, labels: { writer: String(index) } },
        }),
      ),
    );
    const winners = answers.flatMap((answer, index) =>
      answer.status === 'fulfilled' ? [String(index)] : [],
    );
    assert.equal(winners.length, 1, path);
    assert.equal((await harness.get(`${path}/a`)).object.metadata.labels?.['writer'], winners[0]);
  }
});

test('update: guards and names (C3, C4)', async () => {
  await using harness = await open();
  const { object } = await harness.post(maps, configMap('a'));
  const { resourceVersion, uid, creationTimestamp } = object.metadata;
  const put = (name: string, metadata: JsonObject) =>
    harness.put(`${maps}/${name}`, configMap('', { metadata, data: { b: '2' } }));
  await assert.rejects(
    put('a', { name: 'b' }),
    apiError('BadRequest', 'the name of the object (b) does not match the name on the URL (a)'),
  );
  await assert.rejects(put('a', {}), apiError('BadRequest', /name must be provided/));
  await assert.rejects(
    put('a', { name: 'a', namespace: 'other' }),
    apiError('BadRequest', /does not match the namespace/),
  );
  await assert.rejects(
    put('a', { name: 'a', resourceVersion: '1' }),
    apiError(
      'Conflict',
      'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again',
      409,
    ),
  );
  await assert.rejects(
    put('a', { name: 'a', uid: 'other' }),
    apiError('Conflict', /Precondition failed: UID/),
  );
  await assert.rejects(put('gone', { name: 'gone' }), apiError('NotFound', 'configmaps "gone" not found'));
  const updated = await put('a', { name: 'a', resourceVersion: resourceVersion!, uid: uid! });
  assert.equal(updated.code, 200);
  assert.equal(updated.object.metadata.uid, uid);
  const backdated = await put('a', { name: 'a', creationTimestamp: '2001-01-01T00:00:00Z' });
  assert.equal(backdated.object.metadata.creationTimestamp, creationTimestamp);
  await assert.rejects(
    put('a', { name: 'a', deletionTimestamp: '2001-01-01T00:00:00Z' }),
    apiError('Invalid', /metadata.deletionTimestamp: Invalid value: .*field is immutable/),
  );
  await assert.rejects(
    put('a', { name: 'a', finalizers: ['plain'] }),
    apiError(
      'Invalid',
      /metadata.finalizers\[0\]: .*neither a standard finalizer name nor is it fully qualified/,
    ),
  );
  assert.deepEqual((await put('a', { name: 'a' })).object['data'], { b: '2' });
  const lease = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'l' },
    spec: { holderIdentity: 'x' },
  };
  const created = await harness.put('/apis/coordination.k8s.io/v1/namespaces/default/leases/l', lease);
  assert.equal(created.code, 201, 'C4: a lease is created by PUT');
  const leases = '/apis/coordination.k8s.io/v1/namespaces/default/leases';
  const again = { ...lease, metadata: { name: 'm', resourceVersion: '7' } };
  assert.equal(
    (await harness.put(`${leases}/m`, again)).code,
    201,
    'a revision says nothing of what is absent',
  );
  await assert.rejects(
    harness.put(`${leases}/o`, { ...lease, metadata: { name: 'o', uid: 'gone' } }),
    apiError('Conflict', /UID in precondition: gone, UID in object meta: $/, 409),
  );
  await assert.rejects(
    harness.patch(`${leases}/l`, 'merge', { metadata: { uid: 'other' } }),
    apiError('Invalid', /metadata.uid: Invalid value: "other": field is immutable/, 422),
  );
  await harness.post(widgetsPath, widget('w'));
  await assert.rejects(
    harness.put(`${widgetsPath}/w`, widget('w', { size: 2 })),
    apiError('Invalid', /metadata.resourceVersion: Invalid value: 0: must be specified for an update/, 422),
  );
});

test('a PUT that would create needs the right to create (C4)', async () => {
  await using harness = await Harness.open({ authorizeCreate: false });
  const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'l' }, spec: {} };
  await assert.rejects(
    harness.put('/apis/coordination.k8s.io/v1/namespaces/default/leases/l', lease),
    apiError('Forbidden', /User "system:apiserver" cannot create resource "leases"/),
  );
  await assert.rejects(
    harness.patch(`${maps}/m?fieldManager=x`, 'apply', configMap('m')),
    apiError('Forbidden', /cannot create resource "configmaps"/),
  );
});

test('a write that changes nothing keeps the resourceVersion and emits nothing (C5)', async () => {
  await using harness = await open();
  const { object } = await harness.post(maps, configMap('a'));
  const watch = await harness.watch(`${maps}?watch=true&resourceVersion=${object.metadata.resourceVersion}`);
  harness.clock.advance(5_000);
  const again = await harness.put(`${maps}/a`, object);
  assert.equal(again.object.metadata.resourceVersion, object.metadata.resourceVersion);
  const patched = await harness.patch(`${maps}/a`, 'merge', { data: { a: '1' } });
  assert.deepEqual(patched.object, object);
  const applied = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: { b: '1' } };
  const first = await harness.patch(`${maps}/a?fieldManager=m`, 'apply', applied);
  harness.clock.advance(5_000);
  const second = await harness.patch(`${maps}/a?fieldManager=m`, 'apply', applied);
  assert.deepEqual(second.object, first.object);
  assert.deepEqual(watch.types, ['MODIFIED a']);
  watch.stop();
});

test('generation and the split of status (C6, C7)', async () => {
  await using harness = await open();
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
  await using harness = await open();
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
  await using harness = await open();
  const beta = widgetsPath.replace('/v1/', '/v1beta1/');
  const made = await harness.post(beta, { ...widget('w', { size: 2 }), apiVersion: 'example.com/v1beta1' });
  assert.equal(made.object.apiVersion, 'example.com/v1beta1');
  assert.deepEqual(made.warnings, ['example.com/v1beta1 Widget is deprecated']);
  assert.equal((await harness.get(`${widgetsPath}/w`)).object.apiVersion, 'example.com/v1');
});

test('kcp.io/cluster cannot be set, is owned by nobody, and is missing at an edge', async () => {
  await using harness = await open();
  const named = configMap('a', { metadata: { name: 'a', annotations: { 'kcp.io/cluster': 'mine' } } });
  const made = await harness.post(maps, named);
  assert.deepEqual(made.object.metadata.annotations, { 'kcp.io/cluster': 'root' });
  assert.doesNotMatch(JSON.stringify(made.object.metadata.managedFields), /kcp.io/);
  const applied = await harness.patch(`${maps}/a?fieldManager=m`, 'apply', named);
  assert.deepEqual(applied.object.metadata.annotations, { 'kcp.io/cluster': 'root' });
  const edge = await harness.post(`/clusters/edge${maps}`, configMap('a'));
  assert.equal(edge.object.metadata.annotations, undefined);
});

test('concurrent unguarded writes all happen (C5, P1)', async () => {
  await using harness = await open();
  await harness.post(maps, configMap('a'));
  const patches = Array.from({ length: 20 }, (_, i) =>
    harness.patch(`${maps}/a`, 'merge', { data: { [`k${i}`]: 'v' } }),
  );
  await Promise.all(patches);
  const { object } = await harness.get(`${maps}/a`);
  assert.equal(Object.keys(object['data'] as JsonObject).length, 21);
});

test('workspaces do not see one another', async () => {
  await using harness = await open();
  await harness.post(maps, configMap('a'));
  await assert.rejects(harness.get(`/clusters/edge${maps}/a`), apiError('NotFound'));
  assert.deepEqual((await harness.list(`/clusters/edge${maps}`)).names, []);
  await assert.rejects(
    harness.send('POST', `/clusters/*${maps}`, { body: configMap('b') }),
    apiError('MethodNotAllowed'),
  );
  await assert.rejects(harness.get(`/clusters/*${maps}/a`), apiError('MethodNotAllowed'));
});
