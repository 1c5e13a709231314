import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import { apiError } from './testing/harness.ts';
import { configMap, maps, openHarness, widget, widgetsPath } from './testing/write-fixtures.ts';

test('create: identity is given, what users may not set is dropped (C1, C6)', async () => {
  await using harness = await openHarness();
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
  await using harness = await openHarness();
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
      'metadata of a wrong type',
      maps,
      configMap('x', { metadata: [] as never }),
      'BadRequest',
      /cannot unmarshal array into Go struct field ConfigMap.metadata of type v1.ObjectMeta$/,
    ],
    [
      'metadata of a wrong type, before what ends the decoding',
      '/api/v1/namespaces/default/limitranges',
      {
        ...{ apiVersion: 'v1', kind: 'LimitRange', metadata: [] },
        spec: { limits: [{ type: 'Container', default: { cpu: 'x' } }] },
      },
      'BadRequest',
      /cannot be handled as a LimitRange: quantities must match the regular expression/,
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

test('create: generated names (C2)', async () => {
  await using harness = await openHarness();
  const made = await harness.post(maps, configMap('', { metadata: { generateName: 'job-' } }));
  assert.match(made.object.metadata.name ?? '', /^job-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  assert.equal(made.object.metadata.generateName, 'job-');
  const long = await harness.post(maps, configMap('', { metadata: { generateName: 'x'.repeat(70) } }));
  assert.equal(long.object.metadata.name?.length, 63);
});

const jobs = '/apis/batch/v1/namespaces/default/jobs';
const pods = { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] } };
const job = (metadata: JsonObject, template: JsonObject = {}): JsonObject => ({
  ...{ apiVersion: 'batch/v1', kind: 'Job', metadata },
  spec: { template: { ...pods, ...template } },
});

// As a kube-apiserver 1.36 answers (Store.Create makes the name before rest.BeforeCreate).
test('create: what a kind makes of its name is made of the generated one (C2, C11)', async () => {
  await using harness = await openHarness();
  const made = await harness.post(jobs, job({ generateName: 'j-' }));
  assert.equal(made.code, 201);
  const { name, labels } = made.object.metadata;
  const { template } = made.object['spec'] as { template: { metadata: { labels: JsonObject } } };
  assert.deepEqual([labels?.['job-name'], template.metadata.labels['job-name']], [name, name]);
  const labelled = { metadata: { labels: { a: 'b' } } };
  const ofTemplate = await harness.post(jobs, job({ generateName: 'j-' }, labelled));
  assert.deepEqual(ofTemplate.object.metadata.labels, { a: 'b' }, 'what was written of them alone');
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { generateName: 'n-' } };
  const { metadata } = (await harness.post('/api/v1/namespaces', namespace)).object;
  assert.equal(metadata.labels?.['kubernetes.io/metadata.name'], metadata.name);
});

test('create: an address is called as its generateName says, and eight tries find no other (C2)', async () => {
  await using harness = await openHarness();
  const addresses = '/apis/networking.k8s.io/v1/ipaddresses';
  const address = {
    ...{ apiVersion: 'networking.k8s.io/v1', kind: 'IPAddress', metadata: { generateName: '10.1.0.9' } },
    spec: { parentRef: { resource: 'services', name: 's', namespace: 'n' } },
  };
  assert.equal((await harness.post(addresses, address)).object.metadata.name, '10.1.0.9');
  await assert.rejects(
    harness.post(addresses, address),
    apiError('AlreadyExists', /"10\.1\.0\.9" already exists, the server was not able to generate a unique/),
  );
});

// As a kube-apiserver 1.36 answers: labels that a Job has of its template are not looked at, unless defaulting gave it those.
test('create: a Job whose name is longer than a label’s value may be (O4)', async () => {
  await using harness = await openHarness();
  const name = 'j'.repeat(64);
  const why = `Invalid value: "${name}": must be no more than 63 bytes`;
  const refusal = (...fields: string[]) => {
    const told = fields.map((field) => `${field}: ${why}`).join(', ');
    const list = fields.length === 1 ? told : `[${told}]`;
    return apiError('Invalid', `Job.batch "${name}" is invalid: ${list}`);
  };
  await assert.rejects(harness.post(jobs, job({ name })), refusal('spec.template.labels'));
  await assert.rejects(
    harness.post(jobs, job({ name, labels: { a: 'b' } })),
    refusal('spec.template.labels'),
  );
  const labelled = { metadata: { labels: { a: 'b' } } };
  await assert.rejects(
    harness.post(jobs, job({ name }, labelled)),
    refusal('metadata.labels', 'spec.template.labels'),
  );
  assert.equal((await harness.post(jobs, job({ name: name.slice(1) }))).code, 201);
  const cronJob = (metadata: JsonObject): JsonObject => ({
    ...{ apiVersion: 'batch/v1', kind: 'CronJob', metadata },
    spec: { schedule: '* * * * *', jobTemplate: { spec: { template: pods } } },
  });
  await assert.rejects(
    harness.post('/apis/batch/v1/namespaces/default/cronjobs', cronJob({ generateName: 'c'.repeat(53) })),
    apiError(
      'Invalid',
      /is invalid: metadata\.name: Invalid value: "c{53}.{5}": must be no more than 52 char/,
    ),
  );
});
