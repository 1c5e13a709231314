import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import { apiError } from './testing/harness.ts';
import { deployment, deployments, maps, openHarness, widgetsPath } from './testing/write-fixtures.ts';

test('an empty namespace in an apply configuration is that of the path', async () => {
  await using harness = await openHarness();
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

test('apply: creates, merges, conflicts, forces, removes (P3, P5)', async () => {
  await using harness = await openHarness();
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

// As a kube-apiserver 1.36 answers: names are looked at once the configuration is merged.
test('apply: what is there has its name, which a configuration may leave out, and not say null of (P3)', async () => {
  await using harness = await openHarness();
  const widgets = `${widgetsPath}/w?fieldManager=m`;
  const made = { apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name: 'w' }, spec: { size: 1 } };
  await harness.patch(widgets, 'apply', made);
  for (const metadata of [
    undefined,
    null,
    {},
    { namespace: null },
    { name: 'w', namespace: null, uid: null },
  ]) {
    const { metadata: _, ...rest } = made;
    const configuration = metadata === undefined ? rest : { ...rest, metadata };
    const { object } = await harness.patch(widgets, 'apply', configuration);
    assert.equal(object.metadata.name, 'w', JSON.stringify(metadata));
  }
  await assert.rejects(
    harness.patch(widgets, 'apply', { ...made, metadata: { name: null } }),
    apiError('BadRequest', /\(w based on URL\) was undeterminable: name must be provided/),
  );
  for (const resourceVersion of [null, '']) {
    await assert.rejects(
      harness.patch(widgets, 'apply', { ...made, metadata: { name: 'w', resourceVersion } }),
      apiError('Invalid', /metadata\.resourceVersion: Invalid value: 0: must be specified for an update/),
    );
  }
  for (const [kind, printed] of [
    [null, ''],
    [5, ''],
    ['Gadget', 'Gadget'],
  ] as const) {
    await assert.rejects(
      harness.patch(`${widgetsPath}/new?fieldManager=m`, 'apply', {
        ...made,
        kind,
        metadata: { name: 'new' },
      }),
      apiError('BadRequest', `invalid object type: example.com/v1, Kind=${printed}`),
    );
  }
});

test('apply: what is null is not said, but in a map (P3, P6)', async () => {
  await using harness = await openHarness();
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
  await using harness = await openHarness();
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
  await using harness = await openHarness();
  const apply = (more: JsonObject) =>
    harness.patch(`${maps}/m?fieldManager=m`, 'apply', {
      ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'other' } },
      ...more,
    });
  await assert.rejects(apply({ unknown: 1 }), /\.unknown: field not declared in schema/);
  await assert.rejects(apply({}), apiError('BadRequest', /does not match the name on the URL/));
});

test('apply with a resourceVersion: creates what is absent, and touches nothing else (P3)', async () => {
  await using harness = await openHarness();
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
  for (const resourceVersion of ['x', '-1', '18446744073709551616'])
    await assert.rejects(
      harness.send('PATCH', `${maps}/none?fieldManager=a`, {
        body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'none', resourceVersion } },
        contentType: 'application/apply-patch+yaml',
      }),
      apiError('Conflict', /the object has been modified/),
      resourceVersion,
    );
});

test('apply of YAML, and to status alone (P6, C7)', async () => {
  await using harness = await openHarness();
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

test('who writes metadata through /status owns it, where that writes metadata (C7)', async () => {
  await using harness = await openHarness();
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
