import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clusterAnnotation } from '#api/core-kcp/cluster-annotation.ts';
import { ApiError, isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { ScriptedClient } from '#client/testing/scripted-client.ts';
import { CellWorkspace } from './cell-workspace.ts';

const place = { group: 'acme.io', version: 'v1', resource: 'widgets', namespace: 'ns', name: 'web' };
const { signal } = new AbortController();
const named = () => new ApiError('NotFound', 'no such widget', { details: { name: 'web' } });
const notServed = () => new ApiError('NotFound', 'the server could not find the requested resource');

function copyIn(namespace: string): KubeObject {
  return { apiVersion: 'v1', kind: 'Copy', metadata: { name: 'web.widgets.acme.io', namespace } };
}

/** A workspace that answers a read of the copy with `read`, and lists `copies`. */
function workspaceOf(read: () => KubeObject, copies: () => readonly KubeObject[] = () => []): CellWorkspace {
  const { client } = new ScriptedClient();
  return new CellWorkspace(
    {
      ...client,
      get: async () => read(),
      list: async () => ({ apiVersion: 'v1', kind: 'List', metadata: {}, items: [...copies()] }),
      raw: async () => ({ controlPlaneId: 'cp', incarnationId: 'i' }),
    },
    'root:cells:a',
  );
}

function thrown(error: () => ApiError): () => never {
  return () => {
    throw error();
  };
}

for (const [what, read, copies, isAbsent] of [
  ['that is there', () => copyIn('ns'), [], false],
  ['that the answer names as missing', thrown(named), [copyIn('ns')], true],
  ['whose version is not served, and that is stored in another', thrown(notServed), [copyIn('ns')], false],
  ['whose version is not served, and that no version has', thrown(notServed), [], true],
  ['of which another namespace has one of that name', thrown(notServed), [copyIn('other')], true],
] as const) {
  test(`a copy ${what} is ${isAbsent ? 'absent' : 'not absent'}`, async () => {
    assert.equal(await workspaceOf(read, () => copies).isAbsent(place, signal), isAbsent);
  });
}

test('an answer that says nothing of the copy is no proof that it is absent', async () => {
  const away = () => new ApiError('ServiceUnavailable', 'away');
  for (const workspace of [workspaceOf(thrown(away)), workspaceOf(thrown(notServed), thrown(away))])
    await assert.rejects(workspace.isAbsent(place, signal), (error) =>
      isApiError(error, 'ServiceUnavailable'),
    );
});

function clusterOf(metadata: KubeObject['metadata'], phase = 'Ready'): () => KubeObject {
  const annotations = { [clusterAnnotation]: 'c' };
  return () => ({
    apiVersion: 'v1',
    kind: 'LogicalCluster',
    metadata: { annotations, ...metadata },
    status: { phase },
  });
}

for (const [what, read, source] of [
  ['that stands', clusterOf({}), { incarnationId: 'i', clusterId: 'c' }],
  ['that is going', clusterOf({ deletionTimestamp: '2026-01-01T00:00:00Z' }), undefined],
  ['that is not ready', clusterOf({}, 'Initializing'), undefined],
  ['that says not which it is', clusterOf({ annotations: {} }), undefined],
  ['that is gone', thrown(notServed), undefined],
  ['that is nobody’s business', thrown(() => new ApiError('Forbidden', 'no')), undefined],
] as const) {
  test(`a workspace ${what} ${source === undefined ? 'is no source' : 'is one'}`, async () => {
    assert.deepEqual(await workspaceOf(read).source(signal), source);
  });
}
