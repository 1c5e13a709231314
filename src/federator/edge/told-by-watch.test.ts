import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError, isApiError } from '#apimachinery/api-error.ts';
import { untilAborted } from '#apimachinery/lifecycle.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import type { KubeClient } from '#client/client.ts';
import { ScriptedClient } from '#client/testing/scripted-client.ts';
import { toldByWatch } from './told-by-watch.ts';

const collection = {
  cluster: undefined,
  gvr: { group: '', version: 'v1', resource: 'configmaps' },
  namespace: 'ns',
};
const objectOf = (name: string): KubeObject => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } });

function toldBy(...steps: Parameters<ScriptedClient['push']>) {
  const edge = new ScriptedClient();
  edge.push(...steps);
  const clock = new ManualClock();
  const stopping = new AbortController();
  const names = namesOf(toldByWatch(edge.client, collection, { clock, signal: stopping.signal }));
  return { names, clock, stopping, edge };
}

async function namesOf(objects: AsyncIterable<KubeObject>): Promise<(string | undefined)[]> {
  const names: (string | undefined)[] = [];
  for await (const { metadata } of objects) names.push(metadata.name);
  return names;
}

const added = (name: string) => ({ type: 'ADDED', object: objectOf(name) }) as const;

test('what stands is what is told before its end is', async () => {
  const { names, edge } = toldBy(
    added('a'),
    { type: 'BOOKMARK', resourceVersion: '5', initialEventsEnd: false },
    added('b'),
    { type: 'BOOKMARK', resourceVersion: '6', initialEventsEnd: true },
    added('later'),
  );
  assert.deepEqual(await names, ['a', 'b']);
  const [{ metadataOnly, allowWatchBookmarks, resourceVersion, timeoutSeconds } = {}] = edge.watches;
  assert.deepEqual(
    [metadataOnly, allowWatchBookmarks, resourceVersion, timeoutSeconds],
    [true, true, undefined, 1],
  );
});

test('or before an edge that does not tell so ends the watch; what has gone meanwhile is none of it', async () => {
  const { names } = toldBy(added('a'), { type: 'DELETED', object: objectOf('b') }, { type: 'END' });
  assert.deepEqual(await names, ['a']);
});

test('an edge that streams no lists is asked for what its cache has', async () => {
  const { names, edge } = toldBy(
    { type: 'FAIL', error: new ApiError('InternalError', 'a watch stream was requested') },
    added('a'),
    { type: 'END' },
  );
  assert.deepEqual(await names, ['a']);
  assert.deepEqual(
    edge.watches.map(({ allowWatchBookmarks, resourceVersion }) => [allowWatchBookmarks, resourceVersion]),
    [
      [true, undefined],
      [undefined, '0'],
    ],
  );
});

test('an edge that goes on without an end has told nothing', async () => {
  const { names, clock } = toldBy(added('a'));
  const told = assert.rejects(names, (error) => isApiError(error, 'Timeout'));
  await clock.advanceAsync(10_000);
  await told;
});

test('nor has one to which nothing is sent', async () => {
  const { signal } = new AbortController();
  const clock = new ManualClock();
  const edge: Pick<KubeClient, 'watch'> = {
    // As at a breaker that is open.
    watch: (_collection, options = {}) => ({
      [Symbol.asyncIterator]: () => ({
        next: () => untilAborted(options.signal ?? signal).then(() => Promise.reject(options.signal?.reason)),
      }),
    }),
  };
  const told = assert.rejects(namesOf(toldByWatch(edge, collection, { clock, signal })), (error) =>
    isApiError(error, 'Timeout'),
  );
  await clock.advanceAsync(10_000);
  await told;
});

test('nobody waits for it who stops', async () => {
  const { names, stopping } = toldBy();
  const told = assert.rejects(names, /stopped/);
  stopping.abort(new Error('stopped'));
  await told;
});
