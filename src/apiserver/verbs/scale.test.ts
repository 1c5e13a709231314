import assert from 'node:assert/strict';
import { test } from 'node:test';
import { apiError } from './testing/harness.ts';
import { deployment, deployments, maps, openHarness, widget, widgetsPath } from './testing/write-fixtures.ts';

test('scale: get, put, patch, apply (C10, R6)', async () => {
  await using harness = await openHarness();
  await harness.post(widgetsPath, widget('w', { size: 3 }));
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
  await using harness = await openHarness();
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
