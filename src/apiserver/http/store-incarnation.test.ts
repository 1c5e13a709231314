// What a client rests on a store that was put back since is not done: docs/decisions/0201.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import type { KubeClient } from '#client/client.ts';
import { RemoteClient } from '#client/remote/remote-client.ts';
import type { TestServer } from './testing/test-server.ts';
import { single, startWidgetServer } from './testing/widget-server.ts';

const incarnationId = 'as-it-is-now';
const gvr = { group: 'example.org', version: 'v1', resource: 'widgets' };
const ref = { cluster: undefined, gvr, namespace: 'n', name: 'a' };
let server: TestServer;
let served = 0;

before(async () => {
  server = await startWidgetServer(
    (context, request) => {
      served++;
      return single(context, request);
    },
    { incarnationId },
  );
});
after(() => server.stop());
beforeEach(() => {
  served = 0;
});

function clientFor(store: string | undefined) {
  let others = 0;
  const client = new RemoteClient(
    { server: server.origin, token: 'admin-token', insecureSkipTlsVerify: true },
    {
      userAgent: 'test',
      batches: true,
      store: store === undefined ? undefined : { incarnationId: store, onOther: () => others++ },
    },
  );
  return { client, others: () => others };
}

const calls: { readonly [what: string]: (client: KubeClient) => Promise<unknown> } = {
  'a call': (client) => client.get(ref),
  // Two at once go as a batch.
  'calls of a batch': (client) =>
    Promise.all([client.get(ref), client.patch(ref, { type: 'merge', body: { spec: {} } })]),
  'a list': (client) => client.raw({ cluster: undefined, method: 'GET', path: '/api' }),
  'a watch': async (client) => {
    for await (const _event of client.watch(ref)) break;
  },
};

for (const [what, call] of Object.entries(calls)) {
  test(`${what} for another incarnation of the store is refused, and not done`, async () => {
    const { client, others } = clientFor('as-it-was');
    await assert.rejects(call(client), { reason: 'Gone', message: /put back to a backup/ });
    assert.equal(served, 0);
    assert.ok(others() > 0, 'who made the client is told');
    await client.close();
  });
}

for (const [whose, store] of [
  ['this incarnation', incarnationId],
  ['whichever store there is', undefined],
] as const) {
  test(`a call for ${whose} is done`, async () => {
    const { client, others } = clientFor(store);
    assert.equal((await client.get(ref)).metadata.name, 'a');
    assert.equal(served, 1);
    assert.equal(others(), 0);
    await client.close();
  });
}
