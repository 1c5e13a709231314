import assert from 'node:assert/strict';
import { test } from 'node:test';
import { builtinDefinitions } from '#api/builtin/definitions.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { apiError, Harness } from '../verbs/testing/harness.ts';
import { FixedSharedObjects } from './shared-objects.ts';

const roles = '/apis/rbac.authorization.k8s.io/v1/clusterroles';

function role(name: string, labels: { [key: string]: string } = {}): KubeObject {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name, ...(Object.keys(labels).length === 0 ? {} : { labels }) },
    rules: [],
  };
}

function open(): Promise<Harness> {
  const definition = builtinDefinitions().find(({ resource }) => resource === 'clusterroles')!;
  const shared = new FixedSharedObjects(
    [{ definition, objects: [role('view', { aggregate: 'yes' }), role('admin'), role('edit')] }],
    { createdAt: '2026-01-01T00:00:00Z', appliesTo: (workspace) => !workspace.inert },
  );
  return Harness.open({
    shared,
    workspaces: [{ id: 'other' as never }, { id: 'cell' as never, inert: true, type: 'cell' }],
  });
}

test('every workspace has them; its own stand in front', async () => {
  await using harness = await open();
  const { object } = await harness.get(`${roles}/admin`);
  assert.equal(object.metadata.resourceVersion, '1');
  assert.match(object.metadata.uid ?? '', /^[0-9a-f]{8}-[0-9a-f]{4}-8/);
  assert.deepEqual((await harness.list(roles)).names, ['admin', 'edit', 'view']);
  await harness.post(roles, role('bespoke'));
  assert.deepEqual((await harness.list(roles)).names, ['admin', 'bespoke', 'edit', 'view']);
  assert.deepEqual((await harness.list(`/clusters/other${roles}`)).names, ['admin', 'edit', 'view']);
  assert.deepEqual((await harness.list(`/clusters/cell${roles}`)).names, []);
  assert.deepEqual((await harness.list(`${roles}?labelSelector=aggregate`)).names, ['view']);
  await assert.rejects(harness.post(roles, role('view')), apiError('AlreadyExists'));
});

test('pages go over both kinds', async () => {
  await using harness = await open();
  await harness.post(roles, role('bespoke'));
  const first = await harness.list(`${roles}?limit=2`);
  assert.deepEqual(first.names, ['admin', 'bespoke']);
  assert.equal(first.remaining, 2);
  const second = await harness.list(`${roles}?limit=2&continue=${first.continue}`);
  assert.deepEqual(second.names, ['edit', 'view']);
});

test('a write stores a copy here, and only here', async () => {
  await using harness = await open();
  const watch = await harness.watch(`${roles}?watch=true`);
  assert.deepEqual(watch.types, ['ADDED admin', 'ADDED edit', 'ADDED view']);
  const rules = [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }];
  const patched = await harness.patch(`${roles}/view`, 'merge', { rules });
  assert.deepEqual(patched.object['rules'], rules);
  assert.deepEqual((await harness.get(`${roles}/view`)).object['rules'], rules);
  assert.deepEqual((await harness.get(`/clusters/other${roles}/view`)).object['rules'], []);
  assert.deepEqual((await harness.list(roles)).names, ['admin', 'edit', 'view']);
  assert.deepEqual(watch.types.slice(3), ['MODIFIED view'], 'it was there before');
  await assert.rejects(
    harness.put(`${roles}/edit`, { ...role('edit'), metadata: { name: 'edit', resourceVersion: '5' } }),
    apiError('Conflict'),
  );
  const guarded = {
    ...role('edit', { a: 'b' }),
    metadata: { name: 'edit', resourceVersion: '1', labels: { a: 'b' } },
  };
  assert.equal((await harness.put(`${roles}/edit`, guarded)).code, 200);
  watch.stop();
});

test('deleting the copy brings the shared one back; itself it cannot be deleted', async () => {
  await using harness = await open();
  await harness.patch(`${roles}/view`, 'merge', { metadata: { labels: { aggregate: null, mine: 'yes' } } });
  const watch = await harness.watch(
    `${roles}?watch=true&labelSelector=mine&resourceVersion=${harness.storage.revision}`,
  );
  await harness.delete(`${roles}/view`);
  assert.deepEqual(watch.types, ['DELETED view']);
  watch.stop();
  assert.equal((await harness.get(`${roles}/view`)).object.metadata.resourceVersion, '1');
  await assert.rejects(harness.delete(`${roles}/view`), apiError('Forbidden', /shared by all workspaces/));
  const gone = await harness.delete(roles);
  assert.deepEqual(gone.body['items'] as JsonObject[], []);
});
