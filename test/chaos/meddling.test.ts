import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError, isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { ScriptedClient } from '#client/testing/scripted-client.ts';
import { EdgeMeddler } from './meddling.ts';

test('what was made in a store that was put back before the answer came is not looked for', async () => {
  const answers: (() => void)[] = [];
  const edge: KubeClient = {
    ...new ScriptedClient().client,
    create: (_ref, object) =>
      new Promise<KubeObject>((resolve) => {
        const metadata = { ...object.metadata, resourceVersion: '7' };
        answers.push(() => resolve({ ...object, metadata }));
      }),
    get: async () => {
      throw new ApiError('NotFound', 'the backup does not hold it');
    },
  };
  const meddler = new EdgeMeddler(edge);
  const prepared = assert.rejects(meddler.prepare(), (error) => isApiError(error, 'NotFound'));
  answers.shift()?.(); // the namespace
  await new Promise((resolve) => setImmediate(resolve));
  meddler.putBack();
  await meddler.restored(edge);
  answers.shift()?.();
  await prepared;
  assert.deepEqual(await meddler.foreignTouched(edge), []);
});
