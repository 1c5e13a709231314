import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import { apiError, Harness } from '../verbs/testing/harness.ts';
import { LimitRanger } from './limit-ranger.ts';
import { NotEnforced } from './not-enforced.ts';

const base = '/api/v1/namespaces/default';

function open(): Promise<Harness> {
  return Harness.open({
    plugins: (storage) => [new LimitRanger(storage), new NotEnforced()],
    workspaces: [{ id: 'cell' as never, inert: true, type: 'cell' }],
  });
}

function limits(...items: JsonObject[]): JsonObject {
  return { apiVersion: 'v1', kind: 'LimitRange', metadata: { name: 'l' }, spec: { limits: items } };
}

function pod(resources: JsonObject = {}): JsonObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p' },
    spec: { containers: [{ name: 'c', image: 'i', resources }] },
  };
}

function resourcesOf(object: JsonObject): JsonObject {
  return (object['spec'] as { containers: { resources: JsonObject }[] }).containers[0]!.resources;
}

test('what a container leaves open is filled in (A4)', async () => {
  await using harness = await open();
  await harness.post(
    `${base}/limitranges`,
    limits({ type: 'Container', default: { cpu: '1', memory: '1Gi' }, defaultRequest: { cpu: '100m' } }),
  );
  const { object } = await harness.post(`${base}/pods`, pod({ limits: { memory: '2Gi' } }));
  assert.deepEqual(resourcesOf(object), {
    limits: { memory: '2Gi', cpu: '1' },
    requests: { memory: '2Gi', cpu: '100m' },
  });
  assert.equal(
    object.metadata.annotations?.['kubernetes.io/limit-ranger'],
    'LimitRanger plugin set: cpu request for container c; cpu limit for container c',
  );
  assert.equal((object['status'] as JsonObject)['qosClass'], 'Burstable');
  await harness.post(
    `/clusters/cell${base}/limitranges`,
    limits({ type: 'Container', default: { cpu: '1' } }),
  );
  const inert = await harness.post(`/clusters/cell${base}/pods`, pod());
  assert.deepEqual(resourcesOf(inert.object), {});
});

test('bounds (A4)', async () => {
  const rows: [JsonObject, JsonObject, RegExp][] = [
    [
      { type: 'Container', min: { cpu: '100m' } },
      { requests: { cpu: '50m' } },
      /pods "p" is forbidden: minimum cpu usage per Container is 100m, but request is 50m$/,
    ],
    [
      { type: 'Container', max: { cpu: '1' } },
      { limits: { cpu: '2' } },
      /maximum cpu usage per Container is 1, but limit is 2/,
    ],
    [{ type: 'Pod', max: { cpu: '1' } }, {}, /maximum cpu usage per Pod is 1. No limit is specified/],
    [
      { type: 'Container', maxLimitRequestRatio: { cpu: '2' } },
      { limits: { cpu: '1' }, requests: { cpu: '250m' } },
      /cpu max limit to request ratio per Container is 2, but provided ratio is 4.000000/,
    ],
  ];
  for (const [limit, resources, message] of rows) {
    await using harness = await open();
    await harness.post(`${base}/limitranges`, limits(limit));
    await assert.rejects(harness.post(`${base}/pods`, pod(resources)), apiError('Forbidden', message, 403));
  }
  await using harness = await open();
  await harness.post(
    `${base}/limitranges`,
    limits({ type: 'PersistentVolumeClaim', max: { storage: '1Gi' } }),
  );
  await assert.rejects(
    harness.post(`${base}/persistentvolumeclaims`, {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'v' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '2Gi' } } },
    }),
    apiError('Forbidden', /maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 2Gi/),
  );
});

test('what has no effect here is said', async () => {
  await using harness = await open();
  const url = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies';
  const policy = {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name: 'p' },
    spec: {
      matchConstraints: {
        resourceRules: [
          { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] },
        ],
      },
      validations: [{ expression: 'true' }],
      auditAnnotations: [{ key: 'k', valueExpression: "'v'" }],
    },
  };
  const { warnings } = await harness.post(url, policy);
  assert.match(
    warnings.join(),
    /ValidatingAdmissionPolicy has auditAnnotations, but this server keeps no audit log/,
  );
  assert.deepEqual((await harness.post(`/clusters/cell${url}`, policy)).warnings, []);
});
