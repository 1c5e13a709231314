import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isApiError } from '#apimachinery/api-error.ts';
import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import { apiError, Harness } from './testing/harness.ts';
import { deployment, deployments, maps, openHarness, widget, widgetsPath } from './testing/write-fixtures.ts';

test('the three patch types (P1, P2)', async () => {
  await using harness = await openHarness();
  await harness.post(deployments, deployment());
  const images = (object: JsonObject) => {
    const spec = object['spec'] as { template: { spec: { containers: { name: string; image: string }[] } } };
    return spec.template.spec.containers.map(({ name, image }) => `${name}=${image}`);
  };
  const container = (name: string, image: string) => ({
    spec: { template: { spec: { containers: [{ name, image }] } } },
  });
  const merged = await harness.patch(`${deployments}/d`, 'strategic', container('b', 'b:1'));
  assert.deepEqual(images(merged.object), ['b=b:1', 'a=a:1']);
  const replaced = await harness.patch(`${deployments}/d`, 'merge', container('c', 'c:1'));
  assert.deepEqual(images(replaced.object), ['c=c:1']);
  const edited = await harness.patch(`${deployments}/d`, 'json', [
    { op: 'test', path: '/spec/replicas', value: 1 },
    { op: 'replace', path: '/spec/replicas', value: 4 },
  ]);
  assert.equal((edited.object['spec'] as JsonObject)['replicas'], 4);
});

test('patches: refusals (P1, N1, P3)', async () => {
  await using harness = await openHarness();
  await harness.post(widgetsPath, widget('w', { size: 1 }));
  await harness.post(maps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm' } });
  const url = `${widgetsPath}/w`;
  const rows: [string, string, string, JsonValue, string, RegExp, number][] = [
    [
      'strategic merge of a custom resource',
      url,
      'application/strategic-merge-patch+json',
      {},
      'UnsupportedMediaType',
      /accepted media types include: application\/json-patch\+json, application\/merge-patch\+json, application\/apply-patch\+yaml$/,
      415,
    ],
    ['unknown type', url, 'application/json', {}, 'UnsupportedMediaType', /unknown format/, 415],
    [
      'inapplicable',
      url,
      'application/json-patch+json',
      [{ op: 'remove', path: '/nope' }],
      'Invalid',
      /./,
      422,
    ],
    [
      'not a list',
      url,
      'application/json-patch+json',
      {},
      'BadRequest',
      /of type \[\]handlers.jsonPatchOp$/,
      400,
    ],
    [
      'merge patch not an object',
      url,
      'application/merge-patch+json',
      [],
      'BadRequest',
      /cannot unmarshal array/,
      400,
    ],
    ['absent', `${widgetsPath}/none`, 'application/merge-patch+json', {}, 'NotFound', /not found/, 404],
    [
      'renames',
      url,
      'application/merge-patch+json',
      { metadata: { name: 'x' } },
      'BadRequest',
      /^the name of the object \(x\) does not match/,
      400,
    ],
    [
      'other kind',
      url,
      'application/merge-patch+json',
      { kind: 'Gadget' },
      'Invalid',
      /^Gadget.example.com "w" is invalid: kind: Invalid value: "Gadget": must be Widget$/,
      422,
    ],
    [
      'stale resourceVersion named',
      url,
      'application/merge-patch+json',
      { metadata: { resourceVersion: '1' } },
      'Conflict',
      /modified/,
      409,
    ],
    [
      'invalid result',
      url,
      'application/merge-patch+json',
      { spec: { size: -1 } },
      'Invalid',
      /spec.size/,
      422,
    ],
    [
      'force without apply (P3)',
      `${url}?force=true`,
      'application/merge-patch+json',
      {},
      'Invalid',
      /may not be specified for non-apply/,
      422,
    ],
    [
      'apply without manager (P3)',
      url,
      'application/apply-patch+yaml',
      widget('w'),
      'Invalid',
      /fieldManager: Required value: is required for apply patch/,
      422,
    ],
    [
      'managedFields in the body (P3)',
      `${url}?fieldManager=m`,
      'application/apply-patch+yaml',
      { ...widget('w'), metadata: { name: 'w', managedFields: [{ manager: 'x' }] } },
      'BadRequest',
      /managedFields must be nil/,
      400,
    ],
    [
      'apply under another name',
      `${url}?fieldManager=m`,
      'application/apply-patch+yaml',
      { ...widget('w'), metadata: { name: 'z' } },
      'BadRequest',
      /does not match the name on the URL/,
      400,
    ],
    [
      'apply under no name',
      `${url}?fieldManager=m`,
      'application/apply-patch+yaml',
      { ...widget('w'), metadata: { name: '' } },
      'BadRequest',
      /\(w based on URL\) was undeterminable: name must be provided/,
      400,
    ],
    [
      'apply that makes an object without a name',
      `${widgetsPath}/none?fieldManager=m`,
      'application/apply-patch+yaml',
      { ...widget('w'), metadata: {} },
      'BadRequest',
      /\(none based on URL\) was undeterminable: name must be provided/,
      400,
    ],
    [
      'apply without a name in another namespace',
      `${widgetsPath}/none?fieldManager=m`,
      'application/apply-patch+yaml',
      { ...widget('w'), metadata: { namespace: 'other' } },
      'BadRequest',
      /^the namespace of the provided object does not match the namespace sent on the request$/,
      400,
    ],
    [
      'apply of metadata that are none',
      `${url}?fieldManager=m`,
      'application/apply-patch+yaml',
      { ...widget('w'), metadata: [] },
      '',
      /^failed to create typed patch object \(\/; [^)]*\): \.metadata: expected map, got &\{\[\]\}$/,
      500,
    ],
    [
      'apply of a name that is none',
      `${url}?fieldManager=m`,
      'application/apply-patch+yaml',
      { ...widget('w'), metadata: { name: 5 } },
      '',
      /^failed to create typed patch object \(\/; [^)]*\): \.metadata\.name: expected string, got &value/,
      500,
    ],
  ];
  for (const [why, target, contentType, body, reason, message, code] of rows) {
    await assert.rejects(
      harness.send('PATCH', target, { body, contentType }),
      apiError(reason, message, code),
      why,
    );
  }
  const operations = Array.from({ length: 10_001 }, () => ({
    op: 'test',
    path: '/kind',
    value: 'ConfigMap',
  }));
  await assert.rejects(
    harness.patch(`${maps}/m`, 'json', operations),
    apiError('RequestEntityTooLarge', /10000/, 413),
  );
});

test('a patch that names the live resourceVersion is guarded by it', async () => {
  await using harness = await openHarness();
  const { object } = await harness.post(maps, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'm' },
  });
  const { resourceVersion = '' } = object.metadata;
  const guarded = (value: string) =>
    harness.patch(`${maps}/m`, 'merge', { metadata: { resourceVersion }, data: { value } });
  const results = await Promise.allSettled([guarded('a'), guarded('b'), guarded('c')]);
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
  for (const result of results) {
    if (result.status === 'rejected') assert.ok(isApiError(result.reason, 'Conflict'));
  }
});

test('a patch that somebody else comes before is tried again on what there is then (P1)', async () => {
  /** Writes that come between a patch's reading and its writing. */
  let between: (() => Promise<unknown>)[] = [];
  await using harness = await Harness.open({
    plugins: () => [
      {
        name: 'between',
        handles: ({ operation }) => operation === 'UPDATE',
        validate: async () => {
          await between.shift()?.();
        },
      },
    ],
  });
  await harness.post(maps, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'm' },
    data: { list: '' },
  });
  const url = `${maps}/m`;
  const dataNow = async () => (await harness.get(url)).object['data'];
  const others = (count: number) =>
    Array.from(
      { length: count },
      (_, at) => () => harness.patch(url, 'merge', { data: { [`other${at}`]: 'yes' } }),
    );
  const expected: JsonObject = { list: '' };
  for (const [at, type] of (['merge', 'strategic', 'json'] as const).entries()) {
    const [name, value] = [`mine${at}`, type];
    // Those others are patches too, which nothing comes before.
    between = [others(3)[at]!];
    const body =
      type === 'json' ? [{ op: 'add', path: `/data/${name}`, value }] : { data: { [name]: value } };
    const { code, object } = await harness.patch(url, type, body);
    Object.assign(expected, { [name]: value, [`other${at}`]: 'yes' });
    assert.equal(code, 200, type);
    assert.deepEqual(object['data'], expected, `${type}: nothing is lost`);
  }
  assert.deepEqual(await dataNow(), expected);

  const { resourceVersion = '' } = (await harness.get(url)).object.metadata;
  between = others(1).map((one) => async () => {
    await one();
    await harness.patch(url, 'merge', { data: { last: 'yes' } });
  });
  await assert.rejects(
    harness.patch(url, 'merge', { metadata: { resourceVersion }, data: { mine: 'guarded' } }),
    apiError('Conflict', /the object has been modified/, 409),
    'unless it names the resourceVersion',
  );
  assert.deepEqual(await dataNow(), { ...expected, last: 'yes' });

  // A test that holds no longer is told as such, not written over.
  between = [() => harness.patch(url, 'merge', { data: { list: 'changed' } })];
  await assert.rejects(
    harness.patch(url, 'json', [
      { op: 'test', path: '/data/list', value: '' },
      { op: 'replace', path: '/data/list', value: 'mine' },
    ]),
    apiError('Invalid', /./, 422),
  );
  assert.equal(((await dataNow()) as JsonObject)['list'], 'changed');
});

test('a patch that takes the resourceVersion away is an update without one (P1, C3)', async () => {
  await using harness = await openHarness();
  await harness.post(widgetsPath, widget('w'));
  await harness.post(maps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm' } });
  for (const resourceVersion of ['', null]) {
    const patch = { metadata: { resourceVersion, labels: { a: 'b' } } };
    await assert.rejects(
      harness.patch(`${widgetsPath}/w`, 'merge', patch),
      apiError('Invalid', /metadata.resourceVersion: Invalid value: 0: must be specified for an update/, 422),
    );
    assert.equal((await harness.patch(`${maps}/m`, 'merge', patch)).code, 200);
  }
});

test('unknown fields of a patch are told (C9)', async () => {
  await using harness = await openHarness();
  await harness.post(widgetsPath, widget('w', { size: 1 }));
  const warned = await harness.patch(`${widgetsPath}/w`, 'merge', { spec: { nope: 1 } });
  assert.deepEqual(warned.warnings, ['unknown field "spec.nope"']);
  await assert.rejects(
    harness.patch(`${widgetsPath}/w?fieldValidation=Strict`, 'merge', { spec: { nope: 1 } }),
    apiError(
      'Invalid',
      /^ "" is invalid: patch: Invalid value: ".*": strict decoding error: unknown field "spec.nope"$/,
    ),
  );
  const jsonPatch = await harness.patch(`${widgetsPath}/w`, 'json', [
    { op: 'test', path: '/spec/size', value: 1, zork: 1 },
  ]);
  assert.deepEqual(jsonPatch.warnings, ['json patch unknown field "[0].zork"']);
});

// patch, what the decoder of the patched object says (apiserver jsonPatcher.applyPatchToCurrentObject).
const undecodable: [JsonObject, RegExp][] = [
  [
    { spec: { replicas: 'x' } },
    /: json: cannot unmarshal string into .* DeploymentSpec.spec.replicas of type int32$/,
  ],
  [{ kind: 1 }, /json parse error: json: cannot unmarshal number into Go struct field .kind of type string$/],
  [
    { metadata: { labels: { a: 1 } } },
    /: json: cannot unmarshal number into .*metadata.labels of type string$/,
  ],
  [
    { spec: { strategy: { rollingUpdate: { maxSurge: {} } } } },
    /: json: cannot unmarshal object into .*rollingUpdate.maxSurge of type int32$/,
  ],
];

test('a patch of which comes no object of the kind is 422, with the patch', async () => {
  await using harness = await openHarness();
  await harness.post(deployments, deployment());
  for (const [patch, why] of undecodable) {
    await assert.rejects(harness.patch(`${deployments}/d`, 'merge', patch), apiError('Invalid', why));
  }
});
