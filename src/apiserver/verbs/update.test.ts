import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import { apiError, Harness } from './testing/harness.ts';
import { configMap, maps, openHarness, widget, widgetsPath } from './testing/write-fixtures.ts';

test('update: of many at once under one guard, one wins (C3)', async () => {
  await using harness = await openHarness();
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
  await using harness = await openHarness();
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
  // Where it lies comes before what it is called.
  for (const metadata of [{ namespace: 'other' }, { name: 'b', namespace: 'other' }])
    await assert.rejects(put('a', metadata), apiError('BadRequest', /does not match the namespace/));
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
    harness.put(`${leases}/n`, { ...lease, metadata: { name: 'n', resourceVersion: 'x' } }),
    apiError('Conflict', /modified/),
    'what is none can be of nothing',
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

test('removing a member whose name JavaScript inherits is a change (C5)', async () => {
  await using harness = await openHarness();
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

test('a write that changes nothing keeps the resourceVersion and emits nothing (C5)', async () => {
  await using harness = await openHarness();
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

test('concurrent unguarded writes all happen (C5, P1)', async () => {
  await using harness = await openHarness();
  await harness.post(maps, configMap('a'));
  const patches = Array.from({ length: 20 }, (_, i) =>
    harness.patch(`${maps}/a`, 'merge', { data: { [`k${i}`]: 'v' } }),
  );
  await Promise.all(patches);
  const { object } = await harness.get(`${maps}/a`);
  assert.equal(Object.keys(object['data'] as JsonObject).length, 21);
});
