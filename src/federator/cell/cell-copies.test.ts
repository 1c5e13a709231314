import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#apimachinery/clock.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { silentLogger } from '#client/logger.ts';
import { ScriptedClient } from '#client/testing/scripted-client.ts';
import { CellCopies } from './cell-copies.ts';

const finalizer = 'federation.cellplane.io/edge';
const keyOf = (name: string) => `/configmaps|ns/${name}`;
const originOf = (name: string, cluster = 'c1') => `p1|${cluster}||configmaps|shop|${name}`;

function copy(
  name: string,
  revision: string,
  metadata: Partial<KubeObject['metadata']> = {},
  cluster = 'c1',
): KubeObject {
  return {
    apiVersion: 'federation.cellplane.io/v1alpha1',
    kind: 'Copy',
    metadata: {
      name: `configmaps:${name}`,
      namespace: 'ns',
      uid: `uid-${name}`,
      resourceVersion: revision,
      finalizers: [finalizer],
      labels: {
        other: 'x',
        'federation.cellplane.io/origin-cluster': cluster,
        'federation.cellplane.io/origin-control-plane': 'p1',
      },
      annotations: {
        note: 'long',
        'federation.cellplane.io/origin-resource': 'configmaps',
        'federation.cellplane.io/origin-namespace': 'shop',
        'federation.cellplane.io/origin-name': name,
      },
      ...metadata,
    },
    target: { group: '', version: 'v1', resource: 'configmaps', kind: 'ConfigMap', name },
  };
}

async function started(items: KubeObject[], copiesMax = 100) {
  const server = new ScriptedClient();
  server.items = items;
  const changes: string[] = [];
  let tell = () => {};
  const copies = new CellCopies({
    federationClient: server.client,
    workspace: 'root:cells:cell-a',
    clock: systemClock,
    logger: silentLogger,
    copiesMax,
    onChange: (key, object) => {
      changes.push(`${object === undefined ? '-' : '+'}${key}`);
      tell();
    },
  });
  copies.start();
  await copies.synced;
  const next = () =>
    new Promise<void>((resolve) => {
      tell = resolve;
    });
  return { server, copies, changes, next };
}

test('what is kept of a copy is what a syncer decides by', async () => {
  const { copies, changes } = await started([copy('a', '1')]);
  assert.deepEqual(changes, [`+${keyOf('a')}`]);
  const { labels = {}, annotations = {} } = copies.get(keyOf('a'))?.metadata ?? {};
  assert.equal(Object.keys(labels).length, 2);
  assert.equal(annotations['note'], undefined);
  await copies.stop();
});

const withdrawn = { deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: [] };
for (const [name, last, vanished] of [
  ['marked for deletion, and our finalizer off', copy('a', '2', withdrawn), false],
  ['our finalizer taken off by hand', copy('a', '2', { finalizers: [] }), false],
  ['not marked, our finalizer on: with its workspace', copy('a', '2'), true],
] as const) {
  test(`a copy that goes ${name} has ${vanished ? '' : 'not '}vanished`, async () => {
    const { server, copies, next } = await started([copy('a', '1')]);
    const gone = next();
    server.push({ type: 'DELETED', object: last });
    await gone;
    assert.equal(copies.get(keyOf('a')), undefined);
    assert.equal(copies.hasVanished(keyOf('a'), originOf('a')), vanished);
    copies.forget(keyOf('a'));
    assert.equal(copies.hasVanished(keyOf('a'), originOf('a')), false);
    await copies.stop();
  });
}

test('a copy that another origin is written over has vanished; one that comes back has not', async () => {
  const { server, copies, next } = await started([copy('a', '1')]);
  let change = next();
  server.push({ type: 'MODIFIED', object: copy('a', '2', {}, 'c2') });
  await change;
  assert.equal(copies.hasVanished(keyOf('a'), originOf('a')), true);
  assert.equal(copies.hasVanished(keyOf('a'), originOf('a', 'c2')), false);
  change = next();
  server.push({ type: 'DELETED', object: copy('a', '3', withdrawn, 'c2') });
  await change;
  assert.equal(copies.hasVanished(keyOf('a'), originOf('a')), true);
  change = next();
  server.push({ type: 'ADDED', object: copy('a', '4') });
  await change;
  assert.equal(copies.hasVanished(keyOf('a'), originOf('a')), false);
  await copies.stop();
});

test('copies beyond the bound are counted and left alone', async () => {
  const { copies } = await started([copy('a', '1'), copy('b', '1'), copy('c', '1')], 2);
  assert.deepEqual([copies.size, copies.beyondMax], [2, 1]);
  await copies.stop();
});

test('what nothing is decided by is not told: a status, or the note of a failure; what is kept is the newest all the same', async () => {
  const { server, copies, changes, next } = await started([copy('a', '1')]);
  const noted = copy('a', '3');
  noted.metadata.annotations = {
    ...noted.metadata.annotations,
    'federation.cellplane.io/sync-error': '{"reason":"Invalid","message":"request 17"}',
  };
  server.push({ type: 'MODIFIED', object: copy('a', '2') });
  server.push({ type: 'MODIFIED', object: noted });
  const synced = structuredClone(noted);
  synced.metadata.resourceVersion = '4';
  synced.metadata.annotations = {
    ...synced.metadata.annotations,
    'federation.cellplane.io/synced-hash': 'h',
  };
  const change = next();
  server.push({ type: 'MODIFIED', object: synced });
  await change;
  assert.deepEqual(changes, [`+${keyOf('a')}`, `+${keyOf('a')}`]);
  assert.equal(copies.get(keyOf('a'))?.metadata.resourceVersion, '4');
  const widened = next();
  server.push({ type: 'MODIFIED', object: copy('a', '5', { generation: 2 }) });
  await widened;
  assert.equal(changes.length, 3);
  await copies.stop();
});
