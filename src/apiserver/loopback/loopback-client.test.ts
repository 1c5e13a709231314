import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { WatchEvent } from '#client/client.ts';
import { apiError, Harness } from '../verbs/testing/harness.ts';
import { LoopbackClient, type LoopbackClientOptions } from './loopback-client.ts';

const maps = {
  cluster: 'root',
  gvr: { group: '', version: 'v1', resource: 'configmaps' },
  namespace: 'default',
};

function map(name: string, data: { [key: string]: string } = {}): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data };
}

function clientOf(harness: Harness, more: Partial<LoopbackClientOptions> = {}): LoopbackClient {
  return new LoopbackClient({ verbs: harness.verbs, workspaces: harness.resolver, ...more });
}

test('all verbs', async () => {
  await using harness = await Harness.open();
  const client = clientOf(harness);
  const object = map('a', { x: '1' });
  const made = await client.create(maps, object);
  assert.equal(object.metadata.uid, undefined, 'what was passed in is not changed');
  made['data'] = { x: 'mine' };
  const ref = { ...maps, name: 'a' };
  assert.deepEqual((await client.get(ref))['data'], { x: '1' }, 'what was returned is the caller’s own');
  const merged = await client.patch(ref, { type: 'merge', body: { data: { y: '2' } } });
  assert.deepEqual(merged['data'], { x: '1', y: '2' });
  await client.patch(ref, { type: 'json', operations: [{ op: 'remove', path: '/data/y' }] });
  await client.apply(ref, map('a', { z: '3' }), { fieldManager: 'm' });
  const live = await client.get(ref);
  assert.deepEqual(live['data'], { x: '1', z: '3' });
  const updated = await client.update(ref, { ...live, data: { only: 'this' } }, { fieldManager: 'm2' });
  assert.ok(updated.metadata.managedFields?.some(({ manager }) => manager === 'm2'));
  await assert.rejects(client.update(ref, live), apiError('Conflict'));
  const list = await client.list(maps);
  assert.equal(list.kind, 'ConfigMapList');
  assert.equal(list.items.length, 1);
  const partial = await client.get(ref, { metadataOnly: true });
  assert.equal(partial.kind, 'PartialObjectMetadata');
  assert.equal(partial['data'], undefined);
  assert.equal((await client.list(maps, { metadataOnly: true })).kind, 'PartialObjectMetadataList');
  const dry = await client.delete(ref, { dryRun: true });
  assert.equal(dry['status'], 'Success');
  assert.equal(
    (await client.delete(ref, { preconditions: { uid: live.metadata.uid } }))['status'],
    'Success',
  );
  await client.create(maps, map('b'));
  await client.deleteCollection(maps);
  assert.deepEqual((await client.list(maps)).items, []);
  await client.close();
  await assert.rejects(client.get(ref), apiError('ServiceUnavailable'));
});

test('an apply that only creates leaves what is there alone', async () => {
  await using harness = await Harness.open();
  const client = clientOf(harness);
  const ref = { ...maps, name: 'a' };
  const options = { fieldManager: 'm', ifAbsent: true };
  await client.apply(ref, map('a', { x: '1' }), options);
  await assert.rejects(client.apply(ref, map('a', { x: '2' }), options), apiError('AlreadyExists'));
  await assert.rejects(
    client.apply(ref, map('a', { x: '2' }), { ...options, force: true }),
    apiError('AlreadyExists'),
  );
  assert.deepEqual((await client.get(ref))['data'], { x: '1' });
});

test('what is not there', async () => {
  await using harness = await Harness.open();
  const client = clientOf(harness);
  await assert.rejects(
    client.get({ ...maps, name: 'none' }),
    apiError('NotFound', 'configmaps "none" not found'),
  );
  const unknown = { cluster: 'root', gvr: { group: 'x.y', version: 'v1', resource: 'z' } };
  await assert.rejects(
    client.list(unknown),
    apiError('NotFound', 'the server could not find the requested resource'),
  );
  await assert.rejects(
    client.raw({ cluster: 'root', method: 'GET', path: '/version' }),
    apiError('NotImplemented'),
  );
});

test('authorization holds', async () => {
  await using harness = await Harness.open();
  const user = { name: 'jane', groups: [], extra: new Map() };
  const client = clientOf(harness, {
    user,
    authorizer: {
      authorize: ({ verb }) => ({ decision: verb === 'get' ? 'allow' : 'noOpinion', reason: '' }),
    },
  });
  await assert.rejects(
    client.create(maps, map('a')),
    apiError(
      'Forbidden',
      'configmaps is forbidden: User "jane" cannot create resource "configmaps" in API group "" in the namespace "default"',
    ),
  );
  await assert.rejects(client.get({ ...maps, name: 'a' }), apiError('NotFound'));
});

test('watch: events until the caller breaks out or aborts', async () => {
  await using harness = await Harness.open();
  const client = clientOf(harness);
  await client.create(maps, map('a'));
  const seen: string[] = [];
  for await (const event of client.watch(maps, { sendInitialEvents: true, allowWatchBookmarks: true })) {
    seen.push(
      event.type === 'BOOKMARK'
        ? `BOOKMARK ${event.initialEventsEnd}`
        : `${event.type} ${event.object.metadata.name}`,
    );
    if (event.type === 'BOOKMARK') await client.create(maps, map('b'));
    if (seen.length === 3) break;
  }
  assert.deepEqual(seen, ['ADDED a', 'BOOKMARK true', 'ADDED b']);
  assert.equal(harness.verbs.watchCount, 0);

  const abort = new AbortController();
  const collected = collect(client.watch(maps, { signal: abort.signal }));
  await client.create(maps, map('c'));
  abort.abort();
  assert.ok((await collected).length <= 3);
  assert.equal(harness.verbs.watchCount, 0);

  const closing = collect(client.watch({ ...maps, cluster: '*', namespace: undefined }));
  await client.close();
  await closing;
  assert.equal(harness.verbs.watchCount, 0);
});

test('watch: a compacted revision is Expired', async () => {
  await using harness = await Harness.open({ ringEventsMax: 2 });
  const client = clientOf(harness);
  const { metadata } = await client.create(maps, map('a'));
  for (let i = 0; i < 8; i++) await client.create(maps, map(`m${i}`));
  await harness.storage.compact(harness.storage.revision);
  await assert.rejects(
    collect(client.watch(maps, { resourceVersion: metadata.resourceVersion })),
    (error) => isApiError(error, 'Expired') && error.code === 410,
  );
});

test('a reader that falls behind gets what is queued, then a clean end', async () => {
  await using harness = await Harness.open();
  for (const watchBacklog of [
    { eventsMax: 10, bytesMax: 1_000_000 },
    { eventsMax: 1_000, bytesMax: 6_000 },
  ]) {
    const client = clientOf(harness, { watchBacklog });
    await client.create(maps, map('a'));
    const watch = client.watch(maps)[Symbol.asyncIterator]();
    assert.equal((await watch.next()).value?.type, 'ADDED');
    for (let i = 0; i < 50; i++) {
      await client.patch({ ...maps, name: 'a' }, { type: 'merge', body: { data: { i: String(i) } } });
    }
    let taken = 0;
    for (let next = await watch.next(); next.done !== true; next = await watch.next()) taken++;
    assert.ok(taken >= 10 && taken < 30, String(taken));
    assert.equal(harness.verbs.watchCount, 0);
    await client.delete({ ...maps, name: 'a' });
  }
});

async function collect(events: AsyncIterable<WatchEvent>): Promise<WatchEvent[]> {
  const collected: WatchEvent[] = [];
  for await (const event of events) collected.push(event);
  return collected;
}
