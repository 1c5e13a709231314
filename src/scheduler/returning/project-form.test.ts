import assert from 'node:assert/strict';
import { test } from 'node:test';
import { returnAnnotations, returnedFromLabel } from '#api/federation/return-contract.ts';
import type { ReturnedObject } from '#api/federation/returned-object.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { projectForm, projectNameOf } from './project-form.ts';

const options = {
  cell: 'fra-1',
  source: 'cellid|shop-default-abc|secret-x',
  cellNamespace: 'shop-default-abc',
  projectNamespace: 'default',
  naming: 'Same',
} as const;

function returned(object: JsonObject): ReturnedObject {
  return {
    apiVersion: 'federation.cellplane.io/v1alpha1',
    kind: 'ReturnedObject',
    metadata: { name: 'secret-x', annotations: { [returnAnnotations.edgeState]: 'uid/hash' } },
    spec: { kind: 'Secret', name: 'db', object },
  };
}

test('marks of where it came from; nothing that only the edge may say of itself', () => {
  const form = projectForm(
    returned({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name: 'another',
        namespace: 'kube-system',
        uid: 'u',
        finalizers: ['x/y'],
        ownerReferences: [{}],
        labels: { app: 'db', [returnedFromLabel]: 'lie', 'x.kcp.io/y': 'z', bad: 1 },
        annotations: {
          note: 'x',
          [returnAnnotations.source]: 'lie',
          'federation.cellplane.io/suspend': 'true',
        },
      },
      type: 'Opaque',
      data: { namespace: 'shop-default-abc' },
      status: { phase: 'x' },
    }),
    options,
  );
  assert.deepEqual(form, {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'Opaque',
    data: { namespace: 'shop-default-abc' },
    metadata: {
      name: 'db',
      namespace: 'default',
      labels: { app: 'db', [returnedFromLabel]: 'fra-1' },
      annotations: {
        note: 'x',
        [returnAnnotations.source]: options.source,
        [returnAnnotations.edgeState]: 'uid/hash',
      },
    },
  });
});

test('namespaces are mapped back wherever they are named, others are left', () => {
  const { endpoints } = projectForm(
    returned({
      kind: 'EndpointSlice',
      endpoints: [
        { targetRef: { name: 'a', namespace: 'shop-default-abc' } },
        { targetRef: { name: 'b', namespace: 'kube-system' } },
      ],
    }),
    options,
  );
  assert.deepEqual(endpoints, [
    { targetRef: { name: 'a', namespace: 'default' } },
    { targetRef: { name: 'b', namespace: 'kube-system' } },
  ]);
});

test('names', () => {
  assert.equal(projectNameOf('db', { cell: 'fra-1', naming: 'Same' }), 'db');
  assert.equal(projectNameOf('db', { cell: 'fra-1', naming: 'WithCell' }), 'db-fra-1');
  const long = `${'x'.repeat(239)}.${'y'.repeat(13)}`;
  const cut = projectNameOf(long, { cell: 'fra-1', naming: 'WithCell' });
  assert.ok(cut.length <= 253);
  assert.match(cut, /^x+-[a-z2-7]{16}$/);
  assert.notEqual(cut, projectNameOf(long, { cell: 'fra-2', naming: 'WithCell' }));
});
