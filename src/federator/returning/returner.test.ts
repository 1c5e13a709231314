// docs/federation-contract.md: FU3
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { eventKind, type ReturnKind, returnableKinds } from '#api/federation/return-contract.ts';
import {
  returnedObjectName,
  returnedObjectsGvr,
  returnRequestsGvr,
} from '#api/federation/returned-object.ts';
import { systemClock } from '#apimachinery/clock.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient, ListOptions } from '#client/client.ts';
import { silentLogger } from '#client/logger.ts';
import { ScriptedClient } from '#client/testing/scripted-client.ts';
import { until } from '#test/harness/until.ts';
import type { ServedKinds } from '../edge/edge-kinds.ts';
import { servedConfigMaps } from '../edge/testing/served-config-maps.ts';
import { TokenBucket } from '../edge/token-bucket.ts';
import { Returner } from './returner.ts';

/** Of lists at the edge: one for the start, one for each regrouping. */
const listsMax = 4;
const turns = 200;

/** Of an edge that serves ConfigMaps; `refresh`: of what it serves. */
function returnerOf(
  federationClient: KubeClient,
  edgeClient: KubeClient,
  refresh: () => Promise<void>,
): Returner {
  const kinds: Pick<ServedKinds, 'peek' | 'values' | 'expire' | 'refresh'> = {
    peek: () => servedConfigMaps,
    values: () => [servedConfigMaps].values(),
    expire: () => {},
    refresh,
  };
  const bucket = () => new TokenBucket({ clock: systemClock, perSecond: 1_000, burst: 1_000 });
  return new Returner({
    federationClient,
    workspace: 'root:cells:a',
    edge: () => ({ client: edgeClient, kinds: kinds as ServedKinds }),
    isPaused: () => false,
    pace: bucket(),
    eventPace: bucket(),
    clock: systemClock,
    logger: silentLogger,
  });
}

test('an edge that has not answered yet is asked once for each regrouping', async () => {
  const requests = new ScriptedClient();
  requests.items = [
    {
      apiVersion: 'federation.cellplane.io/v1alpha1',
      kind: 'ReturnRequest',
      metadata: { name: 'back', namespace: 'mapped', uid: '1', resourceVersion: '1' },
      spec: { resources: [{ kind: 'ConfigMap' }], maxObjects: 10, maxEvents: 10 },
    },
  ];
  const nothing = new ScriptedClient();
  const federationClient: KubeClient = {
    ...requests.client,
    list: (collection, options) =>
      (collection.gvr.resource === returnRequestsGvr.resource ? requests : nothing).client.list(
        collection,
        options,
      ),
    watch: (collection, options) => nothing.client.watch(collection, options),
  };
  let lists = 0;
  const edgeClient: KubeClient = {
    ...nothing.client,
    list: (_collection, { signal }: ListOptions = {}) =>
      new Promise((_, reject) => {
        lists++;
        signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
      }),
  };
  // A loop that never pauses would never let the test go on.
  const refresh = () => (lists > listsMax ? new Promise<void>(() => {}) : Promise.resolve());
  const returner = returnerOf(federationClient, edgeClient, refresh);
  after(() => returner.stop());
  returner.start();
  await until('it lists', () => lists > 0);
  returner.restart();
  await until('it lists again', () => lists > 1);
  for (let turn = 0; turn < turns; turn++) await setTimeout(0);
  assert.ok(lists <= listsMax, `${lists} lists`);
});

test('what came back stays until the edge has said what there is, and goes when it is not there', async () => {
  const [configMaps] = returnableKinds;
  assert.ok(configMaps);
  const back = (kind: ReturnKind, name: string): KubeObject => ({
    apiVersion: 'federation.cellplane.io/v1alpha1',
    kind: 'ReturnedObject',
    metadata: { name: returnedObjectName(kind, name), namespace: 'mapped', uid: name, resourceVersion: '1' },
    spec: { kind: kind.kind, name, object: {} },
  });
  const requests = new ScriptedClient();
  requests.items = [
    {
      apiVersion: 'federation.cellplane.io/v1alpha1',
      kind: 'ReturnRequest',
      metadata: { name: 'back', namespace: 'mapped', uid: '1', resourceVersion: '1' },
      spec: { resources: [{ kind: 'ConfigMap' }, { kind: 'Event' }], maxObjects: 10, maxEvents: 10 },
    },
  ];
  const returned = new ScriptedClient();
  const nothing = new ScriptedClient();
  returned.items = [back(configMaps, 'born'), back(eventKind, 'said')];
  const of = (resource: string) =>
    resource === returnRequestsGvr.resource
      ? requests
      : resource === returnedObjectsGvr.resource
        ? returned
        : nothing;
  const removed: string[] = [];
  const federationClient: KubeClient = {
    ...nothing.client,
    list: (collection, options) => of(collection.gvr.resource).client.list(collection, options),
    delete: async ({ name }) => {
      removed.push(name);
      return undefined as never;
    },
  };
  let answer: () => void = () => {};
  const answers = new Promise<void>((resolve) => (answer = resolve));
  const asked = new Set<string>();
  const edgeClient: KubeClient = {
    ...nothing.client,
    list: async (collection, options) => {
      asked.add(collection.gvr.resource);
      await answers;
      return nothing.client.list(collection, options);
    },
  };
  const returner = returnerOf(federationClient, edgeClient, () => Promise.resolve());
  after(() => returner.stop());
  returner.start();
  await until('it asks the edge for both', () => asked.size === 2);
  for (let turn = 0; turn < turns; turn++) await setTimeout(0);
  assert.deepEqual(removed, []);
  answer();
  await until('both are taken away', () => new Set(removed).size === 2);
});
