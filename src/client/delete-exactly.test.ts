import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '#apimachinery/api-error.ts';
import type { DeleteOptions, KubeClient } from './client.ts';
import { deleteExactly } from './delete-exactly.ts';
import { ScriptedClient } from './testing/scripted-client.ts';

const { signal } = new AbortController();
const ref = {
  cluster: 'c',
  gvr: { group: '', version: 'v1', resource: 'secrets' },
  namespace: 'n',
  name: 'a',
};

/** A server that refuses the deletion so, and holds an object of that uid then. */
function refusing(reason: 'NotFound' | 'Conflict' | 'Forbidden' | undefined, present: string | undefined) {
  const deletions: DeleteOptions[] = [];
  const client: KubeClient = {
    ...new ScriptedClient().client,
    delete: async (_ref, options = {}) => {
      deletions.push(options);
      if (reason !== undefined) throw new ApiError(reason, 'no');
      return {};
    },
    get: async () => {
      if (present === undefined) throw new ApiError('NotFound', 'no');
      return { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'a', uid: present } };
    },
  };
  return { client, deletions };
}

test('what is deleted is the object of that uid', async () => {
  const { client, deletions } = refusing(undefined, undefined);
  await deleteExactly(client, ref, 'mine', signal);
  assert.deepEqual(deletions[0]?.preconditions, { uid: 'mine' });
});

for (const [what, reason, present] of [
  ['gone', 'NotFound', undefined],
  ['gone since', 'Conflict', undefined],
  ['another of its name', 'Conflict', 'another'],
] as const) {
  test(`an object that is ${what} is left`, async () => {
    await deleteExactly(refusing(reason, present).client, ref, 'mine', signal);
  });
}

for (const [what, reason] of [
  ['lost to another write', 'Conflict'],
  ['was refused', 'Forbidden'],
] as const) {
  test(`a deletion that ${what} has not happened`, async () => {
    const isIt = (error: unknown) => error instanceof ApiError && error.reason === reason;
    await assert.rejects(deleteExactly(refusing(reason, 'mine').client, ref, 'mine', signal), isIt);
  });
}
