import assert from 'node:assert/strict';
import { test } from 'node:test';
import { copyAnnotations } from '#api/federation/copy-contract.ts';
import { ApiError, isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import type { KubeClient } from '#client/client.ts';
import { ScriptedClient } from '#client/testing/scripted-client.ts';
import { CellMetrics } from '../cell/cell-metrics.ts';
import { CellWorkspace } from '../cell/cell-workspace.ts';
import { copyKeyOf } from '../cell/copy-keys.ts';
import type { EdgeMirror } from '../edge/edge-mirror.ts';
import { edgeObjectOf } from '../edge/edge-object.ts';
import { servedDeployments as kind } from '../edge/testing/served-deployments.ts';
import { TokenBucket } from '../edge/token-bucket.ts';
import { Upsync } from './upsync.ts';

const place = { ...kind, namespace: 'ns', name: 'a' };
const key = copyKeyOf(place);
const edgeStatus = { observedGeneration: 1, readyReplicas: 1 };
const { signal } = new AbortController();

function deployment(contentHash: string, generation: number): KubeObject {
  const annotations = { [copyAnnotations.contentHash]: contentHash };
  const metadata = { name: 'a', namespace: 'ns', uid: 'u', resourceVersion: '1', generation, annotations };
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata, status: edgeStatus };
}

/** An Upsync between an edge that a test sets and a copy of generation 3, and what it asked for. */
function world() {
  const scene = {
    edge: deployment('new', 1),
    /** What the copy's status was told of `observedGeneration`. */
    told: [] as unknown[],
    reads: 0,
    /** What is written is done, and not answered. */
    isAnswerLost: false,
  };
  const scripted = new ScriptedClient();
  const client: KubeClient = {
    ...scripted.client,
    get: async () => {
      scene.reads++;
      return scene.edge;
    },
    patch: async (_ref, patch) => {
      const [operation] = patch.type === 'json' ? patch.operations : [];
      const status = (operation?.value ?? {}) as Partial<typeof edgeStatus>;
      scene.told.push(status.observedGeneration);
      if (scene.isAnswerLost) throw new ApiError('ServiceUnavailable', 'the answer was lost');
      return scene.edge;
    },
  };
  const upsync = new Upsync({
    edgeClient: client,
    workspace: new CellWorkspace(client, 'root:cells:cell-a'),
    mirror: () => ({ get: () => edgeObjectOf(scene.edge) }) as unknown as EdgeMirror,
    pendingStatusBytesMax: 1_000_000,
    pace: new TokenBucket({ clock: new ManualClock(), perSecond: 100, burst: 100 }),
    metrics: new CellMetrics(),
  });
  return { scene, upsync, item: { key, place, copy: deployment('new', 3), failures: 0 } };
}

test('a status that was told while the edge held something else counts once the edge holds the copy', async () => {
  const { scene, upsync, item } = world();
  await upsync.prime(kind, place, signal);
  scene.edge = deployment('old', 1);
  upsync.learn(key, edgeStatus);
  await upsync.sync(kind, item, signal);
  assert.deepEqual(scene.told, [2]);
  assert.equal(upsync.isSettled(kind, item), true, 'not while the edge holds something else');

  // What differs is nothing that the edge counts, a label: it has no new generation, and its controllers tell nothing.
  scene.edge = deployment('new', 1);
  assert.equal(upsync.isSettled(kind, item), false);
  await upsync.sync(kind, item, signal);
  assert.deepEqual(scene.told, [2, 3]);
  assert.equal(scene.reads, 1);
  assert.equal(upsync.isSettled(kind, item), true);
  await upsync.sync(kind, item, signal);
  assert.deepEqual([scene.told.length, scene.reads], [2, 1]);
});

test('where the edge has a new generation its controllers are waited for', async () => {
  const { scene, upsync, item } = world();
  await upsync.prime(kind, place, signal);
  scene.edge = deployment('old', 1);
  upsync.learn(key, edgeStatus);
  await upsync.sync(kind, item, signal);
  scene.edge = deployment('new', 2);
  assert.equal(upsync.isSettled(kind, item), true);
  upsync.learn(key, { ...edgeStatus, observedGeneration: 2 });
  await upsync.sync(kind, item, signal);
  assert.deepEqual(scene.told, [2, 3]);
  assert.equal(scene.reads, 0);
});

const isLost = (error: unknown) => isApiError(error, 'ServiceUnavailable');

test('a status whose write was not answered is not taken for the one before it', async () => {
  const { scene, upsync, item } = world();
  await upsync.prime(kind, place, signal);
  upsync.learn(key, edgeStatus);
  await upsync.sync(kind, item, signal);
  upsync.learn(key, { ...edgeStatus, readyReplicas: 2 });
  scene.isAnswerLost = true;
  await assert.rejects(upsync.sync(kind, item, signal), isLost);
  scene.isAnswerLost = false;
  assert.equal(scene.told.length, 2);
  // As it was before: the copy says otherwise by now.
  upsync.learn(key, edgeStatus);
  await upsync.sync(kind, item, signal);
  assert.equal(scene.told.length, 3);
});

test('a status that was taken back without an answer is told again when it is there again', async () => {
  const { scene, upsync, item } = world();
  await upsync.prime(kind, place, signal);
  upsync.learn(key, edgeStatus);
  await upsync.sync(kind, item, signal);
  scene.isAnswerLost = true;
  await assert.rejects(upsync.takeBack(item, signal), isLost);
  scene.isAnswerLost = false;
  assert.deepEqual(scene.told, [3, undefined]);
  upsync.learn(key, edgeStatus);
  await upsync.sync(kind, item, signal);
  assert.deepEqual(scene.told, [3, undefined, 3]);
});
