import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import { ApiError, isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { ScriptedClient } from '#client/testing/scripted-client.ts';
import { BindingStore } from './binding-store.ts';

const key = { group: 'apps', resource: 'deployments', cluster: 'p', namespace: 'default', name: 'web' };
const { signal } = new AbortController();
const isAway = (error: unknown) => isApiError(error, 'ServiceUnavailable');

function bindingFor(cells: readonly string[], metadata: KubeObject['metadata'] = {}): ResourceBinding {
  return {
    apiVersion: 'work.karmada.io/v1alpha2',
    kind: 'ResourceBinding',
    metadata,
    spec: {
      resource: { apiVersion: 'apps/v1', kind: 'Deployment', resource: 'deployments', name: 'web' },
      clusters: cells.map((name) => ({ name })),
    },
  };
}

const cellsOf = (binding: ResourceBinding | undefined) => binding?.spec.clusters?.map(({ name }) => name);

/** A store of one binding, whose watch tells what a test has it tell. */
function world() {
  const scene = {
    stored: undefined as ResourceBinding | undefined,
    told: undefined as ResourceBinding | undefined,
    reads: 0,
    /** The next write is done, and not answered. */
    isAnswerLost: false,
    revision: 1,
  };
  const write = (object: KubeObject): KubeObject => {
    const metadata = { ...object.metadata, uid: 'u', resourceVersion: String(++scene.revision) };
    scene.stored = { ...(object as ResourceBinding), metadata };
    if (!scene.isAnswerLost) return scene.stored;
    scene.isAnswerLost = false;
    throw new ApiError('ServiceUnavailable', 'the answer was lost');
  };
  const store = new BindingStore(
    {
      ...new ScriptedClient().client,
      get: async () => {
        scene.reads++;
        if (scene.stored === undefined) throw new ApiError('NotFound', 'no');
        return structuredClone(scene.stored);
      },
      create: async (_ref, object) => {
        if (scene.stored !== undefined) throw new ApiError('AlreadyExists', 'there is one');
        return write(object as KubeObject);
      },
      update: async (_ref, object) => {
        if (object.metadata.resourceVersion !== scene.stored?.metadata.resourceVersion)
          throw new ApiError('Conflict', 'the object has been modified');
        return write(object as KubeObject);
      },
      delete: async (_ref, { preconditions } = {}) => {
        if (scene.stored === undefined) throw new ApiError('NotFound', 'no');
        const { uid, resourceVersion } = scene.stored.metadata;
        assert.deepEqual(Object.keys(preconditions ?? {}), ['uid', 'resourceVersion']);
        if (preconditions?.uid !== uid || preconditions?.resourceVersion !== resourceVersion)
          throw new ApiError('Conflict', 'another one');
        scene.stored = undefined;
        return {};
      },
    },
    () => scene.told,
  );
  return { scene, store, write };
}

test('what was written and answered is not read again, until the watch tells something newer', async () => {
  const { scene, store, write } = world();
  await store.commit(key, bindingFor(['a']), undefined, signal);
  scene.told = scene.stored;
  assert.deepEqual(cellsOf(await store.read(key, signal)), ['a']);
  assert.equal(scene.reads, 0);
  // By somebody else.
  write(bindingFor(['b']));
  scene.told = scene.stored;
  assert.deepEqual(cellsOf(await store.read(key, signal)), ['b']);
  assert.equal(scene.reads, 1);
});

test('a binding that was made and not answered for is found by the next try', async () => {
  const { scene, store } = world();
  scene.isAnswerLost = true;
  await assert.rejects(store.commit(key, bindingFor(['a']), undefined, signal), isAway);
  // The watch has told nothing of it yet.
  assert.equal(await store.read(key, signal), undefined);
  await assert.rejects(store.commit(key, bindingFor(['b']), undefined, signal), (error) =>
    isApiError(error, 'AlreadyExists'),
  );
  const present = await store.read(key, signal);
  assert.deepEqual(cellsOf(present), ['a']);
  await store.commit(key, bindingFor(['b'], present?.metadata), present, signal);
  assert.deepEqual(cellsOf(scene.stored), ['b']);
});

test('a binding that was changed and not answered for is read before it is changed again', async () => {
  const { scene, store } = world();
  await store.commit(key, bindingFor(['a']), undefined, signal);
  scene.told = scene.stored;
  const before = await store.read(key, signal);
  scene.isAnswerLost = true;
  await assert.rejects(store.commit(key, bindingFor(['b'], before?.metadata), before, signal), isAway);
  const present = await store.read(key, signal);
  assert.deepEqual(cellsOf(present), ['b']);
});

test('a binding that was deleted is not known any more, though the watch has yet to tell', async () => {
  const { scene, store } = world();
  await store.commit(key, bindingFor(['a']), undefined, signal);
  scene.told = scene.stored;
  assert.equal(store.isKnown(key), true);
  await store.delete(key, await store.read(key, signal), signal);
  assert.equal(store.isKnown(key), false);
  assert.equal(scene.stored, undefined);
  // Another of the same name.
  scene.told = bindingFor(['a'], { uid: 'u2', resourceVersion: '9' });
  assert.equal(store.isKnown(key), true);
});

test('a binding that another scheduler has written since is not deleted for what it was', async () => {
  const { scene, store, write } = world();
  await store.commit(key, bindingFor(['a']), undefined, signal);
  scene.told = scene.stored;
  const seen = await store.read(key, signal);
  write(bindingFor(['b']));
  await assert.rejects(store.delete(key, seen, signal), (error) => isApiError(error, 'Conflict'));
  assert.deepEqual(cellsOf(await store.read(key, signal)), ['b'], 'it is read anew');
  assert.equal(store.isKnown(key), true);
});
