import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { KubeObject } from '#apimachinery/object.ts';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import { silentLogger } from '#client/logger.ts';
import { ScriptedClient } from '#client/testing/scripted-client.ts';
import { until } from '#test/harness/until.ts';
import { ResourceWatches } from './resource-watches.ts';

const configMaps = {
  group: '',
  version: 'v1',
  resource: 'configmaps',
  kind: 'ConfigMap',
  namespaced: true,
} as const;
const keyOfName = (name: string, cluster = 'project') => ({
  group: '',
  resource: 'configmaps',
  cluster,
  namespace: 'n',
  name,
});

describe('watches of placed resources', () => {
  let clock: ManualClock;
  let server: ScriptedClient;
  let watches: ResourceWatches;
  let told: string[];

  beforeEach(async () => {
    clock = new ManualClock();
    server = new ScriptedClient();
    told = [];
    watches = new ResourceWatches({
      client: server.client,
      clock,
      logger: silentLogger,
      onListed: () => {},
      listener: (_resource, object) => told.push(object?.metadata.resourceVersion ?? 'gone'),
      isPlaced: (cluster) => cluster === 'project',
    });
    await watches.ensure(configMaps);
  });
  afterEach(() => watches.stop());

  function whole(name: string, resourceVersion: string, cluster = 'project'): KubeObject {
    const annotations = { 'kcp.io/cluster': cluster };
    const metadata = { name, namespace: 'n', resourceVersion, labels: { a: 'b' }, annotations };
    return { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { key: 'value' } };
  }

  function partial(name: string, resourceVersion: string): KubeObject {
    const { metadata } = whole(name, resourceVersion);
    return { apiVersion: 'meta.k8s.io/v1', kind: 'PartialObjectMetadata', metadata };
  }

  async function tell(type: 'ADDED' | 'MODIFIED' | 'DELETED', ...objects: KubeObject[]): Promise<void> {
    const before = told.length;
    server.push(...objects.map((object) => ({ type, object })));
    await until('all is told', () => told.length >= before + objects.length);
  }

  test("a new object that was told whole is handed over once, and is the taker's own", async () => {
    assert.equal(server.watches[0]?.newWhole, true);
    await tell('ADDED', whole('a', '5'));
    const taken = watches.takeWhole(keyOfName('a'), configMaps);
    assert.deepEqual(taken, whole('a', '5'));
    taken.metadata.labels = Object.assign(taken.metadata.labels ?? {}, { a: 'other' });
    const kept = watches.get('configmaps.', 'project', 'n', 'a');
    assert.deepEqual(kept?.metadata.labels, { a: 'b' });
    assert.equal(kept['data'], undefined);
    assert.equal(watches.takeWhole(keyOfName('a'), configMaps), undefined);
  });

  test('what changed or went since, is old, of another version, or of no project that places it is to be read', async () => {
    await tell(
      'ADDED',
      whole('a', '5'),
      whole('b', '6'),
      whole('c', '7'),
      whole('d', '8'),
      partial('f', '9'),
    );
    await tell('ADDED', whole('e', '10', 'other'));
    await tell('MODIFIED', partial('a', '11'));
    await tell('DELETED', partial('b', '12'));
    for (const name of ['a', 'b', 'f'])
      assert.equal(watches.takeWhole(keyOfName(name), configMaps), undefined);
    assert.equal(watches.takeWhole(keyOfName('e', 'other'), configMaps), undefined);
    assert.equal(watches.takeWhole(keyOfName('c'), { ...configMaps, version: 'v2' }), undefined);
    clock.advance(5_001);
    assert.equal(watches.takeWhole(keyOfName('d'), configMaps), undefined);
  });
});
