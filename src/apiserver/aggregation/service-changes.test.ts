// When a Service leads elsewhere (KUBERNETES.md O1).
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { systemClock } from '#apimachinery/clock.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { silentLogger } from '#client/logger.ts';
import { type ServerFixture, startServerFixture } from '../controllers/testing/server-fixture.ts';
import { ApiServiceCatalog } from './api-service-catalog.ts';
import { followServices } from './service-changes.ts';

const root = 'root';
const namespace = 'default';
const core = (resource: string) => ({ group: '', version: 'v1', resource });
const slices = { group: 'discovery.k8s.io', version: 'v1', resource: 'endpointslices' } as const;

let server: ServerFixture;
let catalog: ApiServiceCatalog;
let stop: () => void;
let looked: string[] = [];

before(async () => {
  server = await startServerFixture({ controllers: false });
  const { storage, events, client } = server;
  events.start();
  catalog = new ApiServiceCatalog(storage, systemClock, silentLogger);
  catalog.start();
  for (const name of ['web', 'other'])
    await client.create(
      { cluster: root, gvr: { group: 'apiregistration.k8s.io', version: 'v1', resource: 'apiservices' } },
      {
        apiVersion: 'apiregistration.k8s.io/v1',
        kind: 'APIService',
        metadata: { name: `v1.${name}.example.org` },
        spec: {
          ...{ group: `${name}.example.org`, version: 'v1', groupPriorityMinimum: 1000, versionPriority: 10 },
          service: { namespace, name, port: 443 },
        },
      },
    );
  stop = followServices(events, catalog, ({ service }) => looked.push(service.name));
});
after(async () => {
  stop();
  catalog.stop();
  await server.stop();
});

const lookedAfter = async (write: () => Promise<unknown>) => {
  looked = [];
  await write();
  return looked;
};
const slice = (name: string, service: string): KubeObject => ({
  ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4' },
  metadata: { name, labels: { 'kubernetes.io/service-name': service } },
  endpoints: [],
  ports: [],
});

test('its APIServices are looked at, and no others', async () => {
  const { client } = server;
  const at = (gvr: ReturnType<typeof core>) => ({ cluster: root, gvr, namespace });
  const service = (name: string) => ({
    ...{ apiVersion: 'v1', kind: 'Service', metadata: { name } },
    spec: { ports: [{ port: 443 }] },
  });
  const create = (gvr: ReturnType<typeof core>, object: KubeObject) =>
    lookedAfter(() => client.create(at(gvr), object));
  assert.deepEqual(await create(core('services'), service('web')), ['web']);
  assert.deepEqual(await create(core('services'), service('unnamed')), []);
  assert.deepEqual(await create(slices, slice('a', 'web')), ['web']);
  assert.deepEqual(await create(slices, slice('b', 'unnamed')), []);
  assert.deepEqual(await lookedAfter(() => client.delete({ ...at(slices), name: 'a' })), ['web']);
  assert.deepEqual(await lookedAfter(() => client.delete({ ...at(core('services')), name: 'web' })), ['web']);
});
