import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError, isApiError } from '#apimachinery/api-error.ts';
import { systemClock } from '#apimachinery/clock.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { ScriptedClient } from '#client/testing/scripted-client.ts';
import { type Claim, renewSource, replaceClaim, sameSource } from './edge-claim.ts';

const claim: Claim = {
  controlPlaneId: 'cp',
  cellName: 'a',
  cellUid: 'u',
  incarnationId: 'i1',
  clusterId: 'c1',
};

/** An edge that holds the claim; of the updates some are done and not answered, some not done. */
function edgeThat(fails: readonly ('before' | 'after')[]) {
  let stored: KubeObject = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'cellplane-claim', resourceVersion: '1' },
    data: { ...claim },
  };
  const left = [...fails];
  let writes = 0;
  const away = () => new ApiError('ServiceUnavailable', 'no answer');
  const edgeClient = {
    ...new ScriptedClient().client,
    get: async () => stored,
    update: async (_ref: unknown, object: KubeObject) => {
      const fault = left.shift();
      if (fault === 'before') throw away();
      writes++;
      stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(writes + 1) } };
      if (fault === 'after') throw away();
      return stored;
    },
  };
  return { edgeClient, written: () => writes, stored: () => stored['data'] as unknown as Claim };
}

for (const [what, fails, writes] of [
  ['answered', [], 1],
  ['refused once', ['before'], 1],
  ['done and not answered', ['after'], 1],
] as const) {
  test(`the source of a claim that is ${what} is followed`, async () => {
    const edge = edgeThat(fails);
    const source = { incarnationId: 'i2', clusterId: 'c2' };
    const { signal } = new AbortController();
    const now = await renewSource(edge.edgeClient, claim, async () => source, { clock: systemClock, signal });
    assert.deepEqual(now, { ...claim, ...source });
    assert.equal(sameSource(edge.stored(), now), true);
    assert.equal(edge.written(), writes);
  });
}

test('a claim that somebody has written since it was read is not written over', async () => {
  const { edgeClient } = edgeThat([]);
  const theirs = { ...claim, cellUid: 'theirs' };
  let stored: KubeObject = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'cellplane-claim', resourceVersion: '1' },
    data: { ...claim },
  };
  const raced = {
    ...edgeClient,
    get: async () => {
      const read = stored;
      stored = { ...stored, metadata: { ...stored.metadata, resourceVersion: '2' }, data: { ...theirs } };
      return read;
    },
    update: async (_ref: unknown, object: KubeObject) => {
      const { resourceVersion } = object.metadata;
      if (resourceVersion !== undefined && resourceVersion !== stored.metadata.resourceVersion)
        throw new ApiError('Conflict', 'the object has been modified');
      stored = object;
      return stored;
    },
  };
  const wanted = { ...claim, cellUid: 'ours' };
  await assert.rejects(
    replaceClaim(raced, { former: claim, wanted }, new AbortController().signal),
    (error) => isApiError(error, 'Conflict'),
  );
  assert.deepEqual(stored['data'], theirs);
});
