import assert from 'node:assert/strict';
import { test } from 'node:test';
import { builtinSchema } from '#api/builtin/builtin-schema.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { applyServerSide } from './apply-server-side.ts';
import { now } from './testing/appliers.ts';
import { updateManagedFields } from './update-managed-fields.ts';

test('a built-in kind: HPA owns replicas, a sidecar injector its container, the applier the rest', () => {
  const schema = builtinSchema('io.k8s.api.apps.v1.Deployment');
  assert.ok(schema !== undefined);
  const request = {
    schema,
    apiVersion: 'apps/v1',
    subresource: '',
    now,
    force: false,
    resetFields: ['status'],
  };
  const deployment = (spec: JsonObject, containers: JsonObject[]): JsonObject => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'd', namespace: 'default' },
    spec: {
      selector: { matchLabels: { app: 'x' } },
      template: { metadata: { labels: { app: 'x' } }, spec: { containers } },
      ...spec,
    },
  });
  const web = { name: 'web', image: 'v1', ports: [{ containerPort: 80 }] };
  let { object } = applyServerSide({
    ...request,
    live: undefined,
    manager: 'ci',
    applied: deployment({ replicas: 1 }, [web]),
  });
  object = applyServerSide({
    ...request,
    live: object,
    manager: 'injector',
    applied: {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'd' },
      spec: { template: { spec: { containers: [{ name: 'proxy', image: 'p' }] } } },
    },
  }).object;
  const scaled = { ...object, spec: { ...(object['spec'] as JsonObject), replicas: 5 } };
  const managedFields = updateManagedFields({
    ...request,
    live: object,
    updated: scaled,
    manager: 'hpa',
    operation: 'Update',
    subresource: 'scale',
  });
  object = { ...scaled, metadata: { ...object.metadata, managedFields } };
  object = applyServerSide({
    ...request,
    live: object,
    manager: 'ci',
    applied: deployment({}, [{ ...web, image: 'v2' }]),
  }).object;
  const spec = object['spec'] as { replicas: number; template: { spec: { containers: JsonObject[] } } };
  assert.equal(spec.replicas, 5);
  assert.deepEqual(spec.template.spec.containers, [
    { ...web, image: 'v2' },
    { name: 'proxy', image: 'p' },
  ]);
});

test('null handling: an applied null unsets a field of a built-in kind, and conflicts like any value', () => {
  const schema = builtinSchema('io.k8s.api.apps.v1.Deployment');
  assert.ok(schema !== undefined);
  const request = { schema, apiVersion: 'apps/v1', subresource: '', now };
  const live = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'd' },
    spec: { replicas: 3, paused: true },
  };
  const managedFields = updateManagedFields({
    ...request,
    live: undefined,
    updated: live,
    manager: 'u',
    operation: 'Update',
  });
  const tracked = { ...live, metadata: { ...live.metadata, managedFields } } as KubeObject;
  const applied: JsonObject = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'd', creationTimestamp: null },
    spec: { replicas: null, template: { metadata: { creationTimestamp: null, labels: { a: '1' } } } },
  };
  assert.throws(
    () => applyServerSide({ ...request, live: tracked, manager: 'a', applied, force: false }),
    /1 conflict: conflict with "u" using apps\/v1: \.spec\.replicas/,
  );
  const { object } = applyServerSide({ ...request, live: tracked, manager: 'a', applied, force: true });
  assert.deepEqual(object['spec'], { paused: true, template: { metadata: { labels: { a: '1' } } } });
});

test('what Go’s empty object prints is owned only where something else is said (P4)', () => {
  const owned = (definition: string, object: JsonObject) => {
    const schema = builtinSchema(definition);
    assert.ok(schema !== undefined);
    return updateManagedFields({
      ...{ schema, manager: 'm', apiVersion: String(object['apiVersion']), subresource: '', now },
      ...{ live: undefined, updated: object as KubeObject, operation: 'Update' },
    }).at(-1)?.fieldsV1;
  };
  const metadata = { name: 'x', namespace: 'default' };
  assert.deepEqual(
    owned('io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyBinding', {
      apiVersion: 'admissionregistration.k8s.io/v1',
      metadata: { name: 'x' },
      spec: { policyName: 'p', validationActions: ['Deny'] },
    }),
    { 'f:spec': { 'f:policyName': {}, 'f:validationActions': { '.': {}, 'v:"Deny"': {} } } },
  );
  assert.deepEqual(
    owned('io.k8s.api.core.v1.Event', { apiVersion: 'v1', metadata, reportingComponent: '', reason: 'R' }),
    { 'f:reason': {} },
  );
  assert.deepEqual(
    owned('io.k8s.api.apps.v1.ControllerRevision', {
      apiVersion: 'apps/v1',
      metadata,
      data: { a: { b: 1 } },
    }),
    { 'f:data': {} },
  );
});
