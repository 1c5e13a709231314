import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { RemoteClient } from './remote-client.ts';

const collection = { cluster: undefined, gvr: { group: '', version: 'v1', resource: 'secrets' } };

let server: Server;
let client: RemoteClient;
const accepted: (string | undefined)[] = [];

before(async () => {
  server = createServer(({ headers, method, url }, response) => {
    accepted.push(headers.accept);
    if (method === 'PATCH') {
      response.statusCode = url?.includes('/refused') ? 409 : 200;
      response.end(url?.includes('/odd') ? '{"kind":' : '{"kind":"Secret","metadata":{"name":"a"}}');
      return;
    }
    if (url?.endsWith('/long')) {
      // The rest never comes.
      response.writeHead(200, { 'content-length': 1_000_000 });
      response.write('{');
      return;
    }
    // Byte for byte as kube-apiserver 1.30 and 1.36 answer.
    const list = {
      kind: 'PartialObjectMetadataList',
      apiVersion: 'meta.k8s.io/v1',
      metadata: {},
      items: null,
    };
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify(list));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  client = new RemoteClient({ server: `http://127.0.0.1:${port}` }, { userAgent: 'test' });
});

after(async () => {
  await client.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

test('a list whose items are null, as Go writes a list without any, is an empty list', async () => {
  const list = await client.list(collection, { metadataOnly: true });
  assert.deepEqual(list.items, []);
  assert.equal(list.kind, 'PartialObjectMetadataList');
});

test('metadata is asked for without managedFields by who is told to', async () => {
  const { port } = server.address() as AddressInfo;
  const connection = { server: `http://127.0.0.1:${port}` };
  const lean = new RemoteClient(connection, { userAgent: 'test', leanMetadata: true });
  accepted.length = 0;
  await lean.list(collection, { metadataOnly: true });
  await lean.get({ ...collection, name: 'a' }, { metadataOnly: true });
  await lean.get({ ...collection, name: 'a' });
  await client.get({ ...collection, name: 'a' }, { metadataOnly: true });
  for (const one of [lean, client]) {
    for await (const _ of one.watch(collection, { metadataOnly: true, newWhole: true })) assert.fail();
  }
  await lean.close();
  const partial = (as: string, more = '') =>
    `application/json;as=PartialObjectMetadata${as};g=meta.k8s.io;v=v1${more},application/json`;
  assert.deepEqual(accepted, [
    partial('List', ';managedFields=false'),
    partial('', ';managedFields=false'),
    'application/json',
    partial(''),
    partial('', ';managedFields=false;newObjects=whole'),
    partial(''),
  ]);
});

test('an answer that nobody looks at is not decoded; a refusal is told', async () => {
  const patch = (name: string, unread: boolean) =>
    client.patch({ ...collection, name }, { type: 'merge', body: {} }, { unread });
  assert.equal((await patch('a', false)).metadata.name, 'a');
  assert.deepEqual(await patch('odd', true), { apiVersion: '', kind: '', metadata: {} });
  await assert.rejects(patch('odd', false), { reason: 'InternalError' });
  await assert.rejects(patch('refused', true), { code: 409 });
});

test('an answer that says that it is too long is not waited for, and told to who paces', async () => {
  const { port } = server.address() as AddressInfo;
  const paced: string[] = [];
  const strict = new RemoteClient(
    { server: `http://127.0.0.1:${port}` },
    {
      userAgent: 'test',
      limits: {
        responseBytesMax: 1_000,
        pace: (bytes, _call, kind) => {
          paced.push(`${kind} ${bytes}`);
          return undefined;
        },
      },
    },
  );
  const name = 'long';
  await assert.rejects(strict.get({ ...collection, name }), { reason: 'RequestEntityTooLarge' });
  assert.deepEqual(paced, ['oversize 1000']);
  assert.equal((await strict.list(collection)).items.length, 0);
  await strict.close();
});
