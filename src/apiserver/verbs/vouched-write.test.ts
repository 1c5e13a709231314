import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { AdmissionPlugin } from '../admission/admission.ts';
import { apiError, Harness } from './testing/harness.ts';

const maps = '/api/v1/namespaces/default/configmaps';
const configMap = (name: string, data: JsonObject): JsonObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data,
});

/** Writes into every ConfigMap what no ConfigMap may hold, at once or a turn later. */
function spoiler(later: boolean): AdmissionPlugin {
  const spoil = (object: KubeObject | undefined): void => {
    if (object !== undefined) object['data'] = { a: 1 };
  };
  return {
    name: 'spoiler',
    handles: ({ object, operation }) => object?.kind === 'ConfigMap' && operation !== 'DELETE',
    mutate: ({ object }) => (later ? Promise.resolve().then(() => spoil(object)) : void spoil(object)),
  };
}

for (const later of [false, true]) {
  test(`what a plugin made of a fitting object is checked in full, ${later ? 'later' : 'at once'}`, async () => {
    let spoils = false;
    await using harness = await Harness.open({
      plugins: () => {
        const plugin = spoiler(later);
        return [{ ...plugin, handles: (attributes) => spoils && plugin.handles(attributes) }];
      },
    });
    await harness.post(maps, configMap('there', { a: '1' }));
    spoils = true;
    await assert.rejects(harness.post(maps, configMap('new', { a: '1' })), apiError('Invalid'));
    await assert.rejects(harness.put(`${maps}/there`, configMap('there', { a: '2' })), apiError('Invalid'));
    await assert.rejects(harness.patch(`${maps}/there`, 'merge', { data: { a: '3' } }), apiError('Invalid'));
    spoils = false;
    const { object } = await harness.send('GET', `${maps}/there`);
    assert.deepEqual(object['data'], { a: '1' });
  });
}

test('a name that was made up is checked again with the rest when it has to be another', async () => {
  await using harness = await Harness.open();
  const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { generateName: 'some-' }, data: { a: '1' } };
  const first = await harness.post(maps, body);
  const second = await harness.post(maps, body);
  assert.notEqual(first.object.metadata.name, second.object.metadata.name);
});

test('C7: what admission makes of a new object, its status is what the kind begins with', async () => {
  await using harness = await Harness.open({
    plugins: () => [
      {
        name: 'resources',
        handles: ({ object, operation }) => object?.kind === 'Pod' && operation === 'CREATE',
        mutate: async ({ object }) => {
          await Promise.resolve();
          const { containers } = (object as KubeObject)['spec'] as { containers: JsonObject[] };
          const most = { cpu: '1', memory: '1Gi' };
          Object.assign(containers[0] as JsonObject, { resources: { limits: most, requests: most } });
          Object.assign(object as JsonObject, { status: { phase: 'Running' } });
        },
      },
    ],
  });
  const { object } = await harness.post('/api/v1/namespaces/default/pods', {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p' },
    spec: { containers: [{ name: 'c', image: 'i' }] },
  });
  assert.deepEqual(object['status'], { phase: 'Pending', qosClass: 'Guaranteed' });
});
