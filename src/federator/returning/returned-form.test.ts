import assert from 'node:assert/strict';
import { test } from 'node:test';
import { returnedForm } from './returned-form.ts';

test('what an object says goes upward, without status, owners, marks and what the edge allocated', () => {
  const { object, state, bytes } = returnedForm({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: 'db',
      namespace: 'shop-default-abc',
      uid: 'u1',
      resourceVersion: '7',
      labels: { app: 'db', 'federation.cellplane.io/origin-cluster': 'x' },
      annotations: { note: 'x', 'kubectl.kubernetes.io/last-applied-configuration': '{}' },
      ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'u' }],
      managedFields: [],
    },
    spec: { clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.1'], ports: [{ port: 80, nodePort: 30_080 }] },
    status: { loadBalancer: {} },
  });
  assert.deepEqual(object, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'db', labels: { app: 'db' }, annotations: { note: 'x' } },
    spec: { ports: [{ port: 80 }] },
  });
  assert.match(state, /^u1\/.{16}$/);
  assert.equal(bytes, Buffer.byteLength(JSON.stringify(object)));
});

test('the state changes with the content and with the object, not with its revision', () => {
  const of = (uid: string, resourceVersion: string, value: string) =>
    returnedForm({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'a', uid, resourceVersion },
      data: { value },
    }).state;
  assert.equal(of('u', '1', 'x'), of('u', '2', 'x'));
  assert.notEqual(of('u', '1', 'x'), of('u', '1', 'y'));
  assert.notEqual(of('u', '1', 'x'), of('v', '1', 'x'));
});
