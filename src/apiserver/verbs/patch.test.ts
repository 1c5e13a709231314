import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isApiError } from '#apimachinery/api-error.ts';
import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import { apiError, Harness } from './testing/harness.ts';
import { widgets } from './testing/widgets.ts';

const deployments = '/apis/apps/v1/namespaces/default/deployments';
const widgetsPath = '/apis/example.com/v1/namespaces/default/widgets';
const maps = '/api/v1/namespaces/default/configmaps';

function deployment(spec: JsonObject = {}): JsonObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'd' },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: 'd' } },
      template: {
        metadata: { labels: { app: 'd' } },
        spec: { containers: [{ name: 'a', image: 'a:1' }] },
      },
      ...spec,
    },
  };
}

function widget(spec: JsonObject = {}): JsonObject {
  return { apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name: 'w' }, spec };
}

function open(): Promise<Harness> {
  return Harness.open({ definitions: [widgets()] });
}

test('the three patch types (P1, P2)', async () => {
  await using harness = await open();
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
  await using harness = await open();
  await harness.post(widgetsPath, widget({ size: 1 }));
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
      widget(),
      'Invalid',
      /fieldManager: Required value: is required for apply patch/,
      422,
    ],
    [
      'managedFields in the body (P3)',
      `${url}?fieldManager=m`,
      'application/apply-patch+yaml',
      { ...widget(), metadata: { name: 'w', managedFields: [{ manager: 'x' }] } },
      'BadRequest',
      /managedFields must be nil/,
      400,
    ],
    [
      'apply under another name',
      `${url}?fieldManager=m`,
      'application/apply-patch+yaml',
      { ...widget(), metadata: { name: 'z' } },
      'BadRequest',
      /does not match the name on the URL/,
      400,
    ],
    [
      'apply under no name',
      `${url}?fieldManager=m`,
      'application/apply-patch+yaml',
      { ...widget(), metadata: { name: '' } },
      'BadRequest',
      /\(w based on URL\) was undeterminable: name must be provided/,
      400,
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

test('an empty namespace in an apply configuration is that of the path', async () => {
  await using harness = await open();
  const configuration = (data: JsonObject) => ({
    ...{ apiVersion: 'v1', kind: 'ConfigMap', data },
    metadata: { name: 'e', namespace: '' },
  });
  for (const data of [{ a: '1' }, { a: '2' }]) {
    const { object } = await harness.send('PATCH', `${maps}/e?fieldManager=m`, {
      body: configuration(data),
      contentType: 'application/apply-patch+yaml',
    });
    assert.equal(object.metadata.namespace, 'default');
    assert.deepEqual(object['data'], data);
  }
});

test('a patch that names the live resourceVersion is guarded by it', async () => {
  await using harness = await open();
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
  await using harness = await open();
  await harness.post(widgetsPath, widget());
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

test('apply: creates, merges, conflicts, forces, removes (P3, P5)', async () => {
  await using harness = await open();
  const apply = (manager: string, body: JsonObject, more = '') =>
    harness.patch(`${deployments}/d?fieldManager=${manager}${more}`, 'apply', body);
  const created = await apply('one', deployment());
  assert.equal(created.code, 201);
  assert.deepEqual(
    created.object.metadata.managedFields?.map(({ manager, operation }) => [manager, operation]),
    [['one', 'Apply']],
  );
  assert.equal((created.object['spec'] as JsonObject)['revisionHistoryLimit'], 10, 'defaults are filled');
  const other = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'd' }, spec: { replicas: 3 } };
  await assert.rejects(apply('two', other), (error) => {
    apiError('Conflict', 'Apply failed with 1 conflict: conflict with "one": .spec.replicas', 409)(error);
    const { details } = error as { details?: { causes?: JsonObject[] } };
    assert.equal(details?.causes?.[0]?.['reason'], 'FieldManagerConflict');
    return true;
  });
  const forced = await apply('two', other, '&force=true');
  assert.equal(forced.code, 200);
  assert.equal((forced.object['spec'] as JsonObject)['replicas'], 3);
  const dropped = await apply('two', { ...other, spec: {} });
  assert.equal((dropped.object['spec'] as JsonObject)['replicas'], 1, 'removed, then defaulted');
  await assert.rejects(
    apply('one', { ...deployment(), metadata: { name: 'd', resourceVersion: '1' } }),
    apiError('Conflict', /modified/),
  );
  await assert.rejects(
    harness.patch(`${deployments}/e?fieldManager=m`, 'apply', {
      ...deployment(),
      metadata: { name: 'e', uid: 'x' },
    }),
    apiError('Conflict', /uid mismatch/),
  );
});

test('apply: what is null is not said, but in a map (P3, P6)', async () => {
  await using harness = await open();
  const apply = (metadata: JsonObject) =>
    harness.patch(`${maps}/m?fieldManager=m`, 'apply', {
      ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm', ...metadata } },
    });
  const created = await apply({ labels: { a: null } });
  assert.deepEqual(created.object.metadata.labels, { a: '' });
  const again = await apply({ uid: null, resourceVersion: null, managedFields: [null], labels: { b: 'x' } });
  assert.equal(again.code, 200);
  assert.deepEqual(again.object.metadata.labels, { b: 'x' });
  await assert.rejects(
    apply({ managedFields: [] }),
    apiError('BadRequest', 'metadata.managedFields must be nil'),
  );
  await assert.rejects(apply({ managedFields: 'x' }), /\.metadata\.managedFields: expected list/);
});

test('apply: an element without its key has the key’s zero value (P6)', async () => {
  await using harness = await open();
  const apply = (ownerReferences: JsonObject[]) =>
    harness.patch(`${maps}/m?fieldManager=m`, 'apply', {
      ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm', ownerReferences } },
    });
  await assert.rejects(
    apply([{ noSuchField: 1 }]),
    /ownerReferences\[uid=""\]\.noSuchField: field not declared/,
  );
});

test('apply: whether a configuration fits the schema is told before what it names (P3)', async () => {
  await using harness = await open();
  const apply = (more: JsonObject) =>
    harness.patch(`${maps}/m?fieldManager=m`, 'apply', {
      ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'other' } },
      ...more,
    });
  await assert.rejects(apply({ unknown: 1 }), /\.unknown: field not declared in schema/);
  await assert.rejects(apply({}), apiError('BadRequest', /does not match the name on the URL/));
});

test('apply with a resourceVersion: creates what is absent, and touches nothing else (P3)', async () => {
  await using harness = await open();
  const apply = (value: string) =>
    harness.patch(`${maps}/m?fieldManager=m&force=true`, 'apply', {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'm', resourceVersion: '1' },
      data: { value },
    });
  const { object } = await apply('first');
  assert.notEqual(object.metadata.resourceVersion, '1');
  await assert.rejects(apply('second'), apiError('Conflict', /modified/));
});

test('apply of YAML, and to status alone (P6, C7)', async () => {
  await using harness = await open();
  const yaml = 'apiVersion: example.com/v1\nkind: Widget\nmetadata:\n  name: w\nspec:\n  size: 3\n';
  const contentType = 'application/apply-patch+yaml';
  const made = await harness.send('PATCH', `${widgetsPath}/w?fieldManager=m`, { body: yaml, contentType });
  assert.equal(made.code, 201);
  const status = await harness.patch(`${widgetsPath}/w/status?fieldManager=m`, 'apply', {
    apiVersion: 'example.com/v1',
    kind: 'Widget',
    metadata: { name: 'w' },
    status: { ready: 2 },
  });
  assert.deepEqual(status.object['status'], { ready: 2 });
  assert.deepEqual(status.object['spec'], { size: 3 });
  assert.deepEqual(
    status.object.metadata.managedFields?.map(({ manager, subresource }) => [manager, subresource]),
    [
      ['m', undefined],
      ['m', 'status'],
    ],
  );
  await assert.rejects(
    harness.patch(`${widgetsPath}/none/status?fieldManager=m`, 'apply', {
      apiVersion: 'example.com/v1',
      kind: 'Widget',
      metadata: { name: 'none' },
    }),
    apiError('NotFound'),
  );
});

test('scale: get, put, patch, apply (C10, R6)', async () => {
  await using harness = await open();
  await harness.post(widgetsPath, widget({ size: 3 }));
  await harness.patch(`${widgetsPath}/w/status`, 'merge', { status: { ready: 2, selector: 'a=b' } });
  const url = `${widgetsPath}/w/scale`;
  const { object } = await harness.get(url);
  assert.equal(object.kind, 'Scale');
  assert.equal(object.apiVersion, 'autoscaling/v1');
  assert.deepEqual(object['spec'], { replicas: 3 });
  assert.deepEqual(object['status'], { replicas: 2, selector: 'a=b' });
  const put = await harness.put(url, { ...object, spec: { replicas: 5 } });
  assert.deepEqual(put.object['spec'], { replicas: 5 });
  await assert.rejects(harness.put(url, { ...object, spec: { replicas: 6 } }), apiError('Conflict'));
  const patched = await harness.patch(url, 'merge', { spec: { replicas: 7 } });
  assert.deepEqual(patched.object['spec'], { replicas: 7 });
  const parent = (await harness.get(`${widgetsPath}/w`)).object;
  assert.deepEqual(parent['spec'], { size: 7 });
  assert.equal(parent.metadata.generation, 3);
  assert.ok(parent.metadata.managedFields?.some(({ subresource }) => subresource === 'scale'));
  const applied = await harness.patch(`${url}?fieldManager=hpa&force=true`, 'apply', {
    apiVersion: 'autoscaling/v1',
    kind: 'Scale',
    metadata: { name: 'w' },
    spec: { replicas: 2 },
  });
  assert.deepEqual(applied.object['spec'], { replicas: 2 });
  // Of a custom resource the object is validated, not the Scale (apiextensions ScaleREST, ValidateScaleSpec).
  await assert.rejects(
    harness.patch(url, 'merge', { spec: { replicas: -1 } }),
    apiError(
      'Invalid',
      /Widget.example.com "w" is invalid: \[spec.size: .*, \.spec\.size: Invalid value: -1: should be a non-negative integer\]/,
    ),
  );
  await harness.post(deployments, deployment());
  const scale = (await harness.get(`${deployments}/d/scale`)).object;
  assert.deepEqual(scale['status'], { replicas: 0, selector: 'app=d' });
  await assert.rejects(harness.get(`${maps}/m/scale`), apiError('NotFound'));
});

test('scale: applies meet those who own the replicas (P5; managedfields ScaleHandler)', async () => {
  await using harness = await open();
  const applyScale = (manager: string, replicas: number, force = false) =>
    harness.patch(`${deployments}/d/scale?fieldManager=${manager}&force=${force}`, 'apply', {
      apiVersion: 'autoscaling/v1',
      kind: 'Scale',
      metadata: { name: 'd' },
      spec: { replicas },
    });
  const managersOf = async () =>
    (await harness.get(`${deployments}/d`)).object.metadata.managedFields?.map(
      ({ manager, operation, apiVersion, subresource = '' }) =>
        `${manager} ${operation} ${apiVersion} ${subresource}`,
    );
  await harness.post(`${deployments}?fieldManager=maker`, deployment());
  await assert.rejects(
    applyScale('hpa', 4),
    apiError('Conflict', /conflict with "maker" using autoscaling\/v1: \.spec\.replicas/),
  );
  const taken = await applyScale('hpa', 4, true);
  assert.deepEqual(taken.object['spec'], { replicas: 4 });
  assert.deepEqual(await managersOf(), ['hpa Apply apps/v1 scale', 'maker Update apps/v1 ']);
  await applyScale('other', 4);
  await assert.rejects(
    applyScale('other', 3),
    apiError('Conflict', /conflict with "hpa" with subresource "scale": \.spec\.replicas/),
  );
  const none = await applyScale('hpa', 0, true);
  assert.deepEqual(none.object['spec'], {});
  await harness.patch(`${deployments}/d`, 'merge', { metadata: { managedFields: [{}] } });
  assert.equal(await managersOf(), undefined);
  await applyScale('hpa', 2, true);
  await harness.patch(`${deployments}/d`, 'merge', { metadata: { managedFields: [{}] } });
  await assert.rejects(
    applyScale('hpa', 3),
    apiError('Conflict', /conflict with "before-first-apply" with subresource "scale" using autoscaling\/v1/),
  );
});

test('who writes metadata through /status owns it, where that writes metadata (C7)', async () => {
  await using harness = await open();
  const owned = async (url: string, kind: JsonObject, labels: JsonObject) => {
    const { name } = kind['metadata'] as { name: string };
    await harness.patch(`${url}/${name}/status?fieldManager=labeller`, 'apply', {
      apiVersion: kind['apiVersion'] as string,
      kind: kind['kind'] as string,
      metadata: { name, labels },
    });
    const { metadata } = (await harness.get(`${url}/${name}`)).object;
    const entry = metadata.managedFields?.find(({ manager }) => manager === 'labeller');
    return { labels: metadata.labels, fields: entry?.fieldsV1 };
  };
  const services = '/api/v1/namespaces/default/services';
  const service = {
    ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 's' } },
    spec: { type: 'ExternalName', externalName: 'a.b' },
  };
  await harness.post(services, service);
  assert.deepEqual(await owned(services, service, { a: 'b' }), {
    labels: { a: 'b' },
    fields: { 'f:metadata': { 'f:labels': { 'f:a': {} } } },
  });
  // A Deployment's status writer cannot change labels (deploymentStatusStrategy).
  await harness.post(deployments, deployment());
  const after = await owned(deployments, deployment(), { a: 'b' });
  assert.equal(after.labels, undefined);
  assert.ok(!JSON.stringify(after.fields ?? {}).includes('f:labels'));
});

test('unknown fields of a patch are told (C9)', async () => {
  await using harness = await open();
  await harness.post(widgetsPath, widget({ size: 1 }));
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
  await using harness = await open();
  await harness.post(deployments, deployment());
  for (const [patch, why] of undecodable) {
    await assert.rejects(harness.patch(`${deployments}/d`, 'merge', patch), apiError('Invalid', why));
  }
});
