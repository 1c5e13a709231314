import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '#apimachinery/api-error.ts';
import { systemClock } from '#apimachinery/clock.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { until } from '#test/harness/until.ts';
import { Informer, type InformerOptions } from './informer.ts';
import { silentLogger } from './logger.ts';
import { ScriptedClient } from './testing/scripted-client.ts';

function pod(name: string, resourceVersion: string, uid = name, node = 'n1'): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'ns', uid, resourceVersion },
    spec: { node },
  };
}

function start(server: ScriptedClient, more: Partial<InformerOptions> = {}) {
  const informer = new Informer({
    client: server.client,
    clock: systemClock,
    logger: silentLogger,
    collection: { cluster: undefined, gvr: { group: '', version: 'v1', resource: 'pods' } },
    pageSize: 2,
    retryMinMs: 1,
    indexers: { node: (object) => [String((object['spec'] as { node?: string }).node)] },
    ...more,
  });
  const told: string[] = [];
  informer.addHandler({
    onAdd: (object) => told.push(`+${object.metadata.name}`),
    onUpdate: (object) => told.push(`~${object.metadata.name}`),
    onDelete: (object) => told.push(`-${object.metadata.name}`),
  });
  informer.start();
  return { informer, told };
}

test('lists in pages, then follows the watch from there; indexes follow', async () => {
  const server = new ScriptedClient();
  server.items = [pod('a', '1'), pod('b', '2'), pod('c', '3')];
  server.resourceVersion = '3';
  const { informer, told } = start(server);
  await informer.synced;
  assert.equal(server.lists.length, 2);
  await until('it watches', () => server.watches.length === 1);
  assert.equal(server.watches[0]?.resourceVersion, '3');
  server.push(
    { type: 'MODIFIED', object: pod('a', '4', 'a', 'n2') },
    { type: 'DELETED', object: pod('b', '5') },
    { type: 'BOOKMARK', resourceVersion: '9', initialEventsEnd: false },
  );
  await until('the event is taken', () => informer.resourceVersion === '9');
  assert.deepEqual(told, ['+a', '+b', '+c', '~a', '-b']);
  assert.deepEqual(
    [...informer.byIndex('node', 'n1')].map((object) => object.metadata.name),
    ['c'],
  );
  assert.deepEqual(
    [...informer.byIndex('node', 'n2')].map((object) => object.metadata.name),
    ['a'],
  );
  await informer.stop();
});

for (const how of ['failed', 'ended before its time'] as const) {
  test(`a watch that ${how} is resumed where the store may go back only when it has not`, async () => {
    const server = new ScriptedClient();
    server.items = [pod('a', '7'), pod('b', '8')];
    server.resourceVersion = '8';
    const { informer, told } = start(server, { mayGoBack: true, watchTimeoutSeconds: 300 });
    await informer.synced;
    await until('it watches', () => server.watches.length === 1);
    const breakOff = () =>
      server.push(
        how === 'failed'
          ? { type: 'FAIL', error: new ApiError('ServiceUnavailable', 'reset') }
          : { type: 'END' },
      );
    breakOff();
    await until('it watches again', () => server.watches.length === 2);
    assert.deepEqual(
      [server.lists.length, server.lists[1]?.fieldSelector, server.lists[1]?.resourceVersion],
      [2, 'metadata.name=cellplane-nobody', '0'],
      'asked without reading anything',
    );
    assert.equal(server.watches[1]?.resourceVersion, '8');
    server.items = [pod('a', '5')];
    server.resourceVersion = '6';
    breakOff();
    await until('it watches once more', () => server.watches.length === 3);
    assert.equal(server.watches[2]?.resourceVersion, '6', 'listed anew');
    assert.deepEqual(told, ['+a', '+b', '-b', '~a']);
    await informer.stop();
  });
}

test('a broken watch is resumed where it was; a compacted one is listed anew and told as a difference', async () => {
  const server = new ScriptedClient();
  server.items = [pod('a', '1'), pod('b', '2')];
  server.resourceVersion = '2';
  const { informer, told } = start(server);
  await informer.synced;
  server.push(
    { type: 'MODIFIED', object: pod('a', '7') },
    { type: 'FAIL', error: new ApiError('ServiceUnavailable', 'reset') },
  );
  await until('it watches again', () => server.watches.length === 2);
  assert.equal(server.watches[1]?.resourceVersion, '7');
  assert.equal(server.lists.length, 1, 'no second list');
  server.items = [pod('a', '7'), pod('c', '8'), pod('b', '9', 'b2')];
  server.resourceVersion = '9';
  server.push({ type: 'FAIL', error: new ApiError('Expired', 'too old') });
  await until('it watches once more', () => server.watches.length === 3);
  assert.deepEqual(
    told,
    ['+a', '+b', '~a', '+c', '-b', '+b'],
    'a re-created object is a deletion and an addition',
  );
  await informer.stop();
});

test('stopping before the first list rejects synced, and a later handler hears of all that is there', async () => {
  const server = new ScriptedClient();
  server.items = [pod('a', '1')];
  const { informer } = start(server);
  await informer.synced;
  const late: string[] = [];
  informer.addHandler({ onAdd: (object) => late.push(object.metadata.name ?? '') });
  assert.deepEqual(late, ['a']);
  await informer.stop();
  const never = new Informer({
    client: server.client,
    clock: systemClock,
    logger: silentLogger,
    collection: { cluster: undefined, gvr: { group: '', version: 'v1', resource: 'pods' } },
  });
  await never.stop();
  await assert.rejects(never.synced, /stopped/);
});
