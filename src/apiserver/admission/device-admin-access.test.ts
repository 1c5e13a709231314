import assert from 'node:assert/strict';
import test from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import { Harness } from '../verbs/testing/harness.ts';
import { DeviceAdminAccess } from './device-admin-access.ts';

const apiVersion = 'resource.k8s.io/v1';

function spec(adminAccess: boolean): JsonObject {
  return { devices: { requests: [{ name: 'r', exactly: { deviceClassName: 'gpu', adminAccess } }] } };
}

test('admin access to devices is for labelled namespaces (pkg/registry/resource AuthorizedForAdmin)', async () => {
  await using harness = await Harness.open({ plugins: (storage) => [new DeviceAdminAccess(storage)] });
  const labels = { 'resource.kubernetes.io/admin-access': 'true' };
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'drivers', labels } };
  await harness.post('/api/v1/namespaces', namespace);
  const post = (name: string, where: string, adminAccess: boolean) =>
    harness.post(`/apis/${apiVersion}/namespaces/${where}/resourceclaims`, {
      apiVersion,
      kind: 'ResourceClaim',
      metadata: { name },
      spec: spec(adminAccess),
    });
  const refused =
    'spec.devices.requests[0].adminAccess: Forbidden: admin access to devices requires the `resource.kubernetes.io/admin-access: true` label on the containing namespace';
  const refusal = (kind: string) => ({ message: `${kind}.resource.k8s.io "a" is invalid: ${refused}` });
  await assert.rejects(post('a', 'default', true), refusal('ResourceClaim'));
  await post('b', 'default', false);
  await post('a', 'drivers', true);
  await assert.rejects(
    harness.post(`/apis/${apiVersion}/namespaces/default/resourceclaimtemplates`, {
      apiVersion,
      kind: 'ResourceClaimTemplate',
      metadata: { name: 'a' },
      spec: { spec: spec(true) },
    }),
    refusal('ResourceClaimTemplate'),
  );
});
