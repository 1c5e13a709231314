// APIServices of what CRDs serve (KUBERNETES.md O1).
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { numberAt, objectsAt, textAt } from '#api/builtin/read.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import { systemClock } from '#apimachinery/clock.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import { silentLogger } from '#client/logger.ts';
import { eventually, type ServerFixture, startServerFixture } from '../controllers/testing/server-fixture.ts';
import { widgets } from '../verbs/testing/widgets.ts';
import { CrdApiServices } from './crd-api-services.ts';

const gvr = { group: 'apiregistration.k8s.io', version: 'v1', resource: 'apiservices' } as const;
const label = 'kube-aggregator.kubernetes.io/automanaged';
const root = 'root';

let server: ServerFixture;
let controller: CrdApiServices;
let definitions: ResourceDefinition[] = [];
let rootId = '';
let tell: (clusterId: string) => void = () => {};

before(async () => {
  server = await startServerFixture({ controllers: false });
  rootId = server.index.resolve(root).id;
  const { storage, events, index, client } = server;
  events.start();
  const context = { storage, events, index, client, clock: systemClock, logger: silentLogger };
  controller = new CrdApiServices(context, {
    definitionsOf: (clusterId) => (clusterId === rootId ? definitions : []),
    generationOf: (clusterId) => (clusterId === rootId && definitions.length > 0 ? 1 : 0),
    onCrd: (listener) => {
      tell = listener;
      return () => {};
    },
  });
  controller.start();
});
after(async () => {
  await controller.stop();
  await server.stop();
});

function serve(...served: ResourceDefinition[]): void {
  definitions = served;
  tell(rootId);
}

async function find(name: string): Promise<KubeObject | undefined> {
  try {
    return await server.client.get({ cluster: root, gvr, name });
  } catch (error) {
    if (isApiError(error, 'NotFound')) return undefined;
    throw error;
  }
}

const isLocal = (object: KubeObject | undefined): boolean =>
  objectsAt(object, 'status', 'conditions').some(
    ({ type, status, reason }) => type === 'Available' && status === 'True' && reason === 'Local',
  );
const local = (name: string) =>
  eventually(`${name} is local`, async () => {
    const object = await find(name);
    return isLocal(object) ? object : undefined;
  });

test('each version that is served has one, which says that it is available', async () => {
  serve(widgets());
  const made = await local('v1.example.com');
  assert.equal(made.metadata.labels?.[label], 'true');
  assert.deepEqual(made['spec'], {
    group: 'example.com',
    version: 'v1',
    groupPriorityMinimum: 1_000,
    versionPriority: 100,
  });
  await local('v1beta1.example.com');
  const notServed = widgets();
  serve({
    ...notServed,
    versions: notServed.versions.map((one) => ({ ...one, served: one.version === 'v1' })),
  });
  await eventually('the other one goes', async () => (await find('v1beta1.example.com')) === undefined);
  assert.equal((await find('v1.example.com'))?.metadata.uid, made.metadata.uid);
});

test('it is put right when it is changed, and made anew when it is deleted', async () => {
  const ref = { cluster: root, gvr, name: 'v1.example.com' };
  const made = await local(ref.name);
  const body = { spec: { groupPriorityMinimum: 7, service: { namespace: 'default', name: 'x' } } };
  await server.client.patch(ref, { type: 'merge', body });
  await eventually('put right', async () => {
    const object = await find(ref.name);
    return numberAt(object, 'spec', 'groupPriorityMinimum') === 1_000 && isLocal(object);
  });
  assert.equal(textAt(await find(ref.name), 'spec', 'service', 'name'), '');
  await server.client.delete(ref);
  const anew = await local(ref.name);
  assert.notEqual(anew.metadata.uid, made.metadata.uid);
});

test('one that somebody made is left as it is', async () => {
  const service = { namespace: 'default', name: 'x' };
  const spec = {
    group: 'mine.example.com',
    version: 'v1',
    groupPriorityMinimum: 10,
    versionPriority: 10,
    insecureSkipTLSVerify: true,
  };
  const object = (name: string, more: object): KubeObject => ({
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name },
    spec: { ...spec, ...more },
  });
  await server.client.create({ cluster: root, gvr }, object('v1.mine.example.com', { service }));
  await server.client.create(
    { cluster: root, gvr },
    object('v2.mine.example.com', { version: 'v2', insecureSkipTLSVerify: false }),
  );
  await local('v2.mine.example.com');
  serve({ ...widgets(), group: 'mine.example.com' });
  await eventually('the former go', async () => (await find('v1.example.com')) === undefined);
  await local('v1beta1.mine.example.com');
  const mine = await find('v1.mine.example.com');
  assert.equal(textAt(mine, 'spec', 'service', 'name'), 'x');
  assert.equal(isLocal(mine), false);
  serve();
  await eventually('it goes', async () => (await find('v1beta1.mine.example.com')) === undefined);
  assert.ok(await find('v1.mine.example.com'));
  assert.ok(await find('v2.mine.example.com'));
});
