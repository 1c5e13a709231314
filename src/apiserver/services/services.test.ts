import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { builtinDefinitions } from '#api/builtin/definitions.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { openCachedStorage } from '#storage/cache/caching-storage.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import { objectKey } from '#storage/keys.ts';
import { createMemoryStorage } from '#storage/memory/memory-storage.ts';
import { encodeStored } from '../registry/encode-stored.ts';
import { ServiceAddressError, ServiceAddresses } from './service-address.ts';
import { NetworkError, ServiceNetworks } from './service-networks.ts';

const definitions = builtinDefinitions();

async function put(
  storage: CachedStorage,
  group: string,
  resource: string,
  name: string,
  content: JsonObject & { metadata?: JsonObject },
): Promise<void> {
  const definition = definitions.find((one) => one.group === group && one.resource === resource);
  assert.ok(definition !== undefined);
  const metadata = { ...content.metadata, namespace: 'default', name };
  const object = { ...content, apiVersion: 'v1', kind: definition.kind, metadata };
  const key = objectKey({ group, resource, clusterId: 'c1', namespace: 'default', name });
  await storage.transact({
    guards: [],
    operations: [{ type: 'put', key, value: encodeStored(object, definition) }],
  });
}

const slice = (port: JsonObject, ...endpoints: JsonObject[]) => ({
  metadata: { labels: { 'kubernetes.io/service-name': 'web' } },
  addressType: 'IPv4',
  ports: [port],
  endpoints,
});

describe('where Services lead (O1)', () => {
  const ask = { namespace: 'default', name: 'web', port: 443 };

  it('names what is missing', async () => {
    const storage = await openCachedStorage(createMemoryStorage());
    const addresses = new ServiceAddresses(storage);
    const reason = (expected: string) => (error: unknown) =>
      error instanceof ServiceAddressError && error.reason === expected;
    assert.throws(() => addresses.resolve('c1', ask), reason('ServiceNotFound'));
    await put(storage, '', 'services', 'web', {
      spec: { clusterIP: '10.96.1.1', ports: [{ name: 'tls', port: 443 }] },
    });
    assert.throws(() => addresses.resolve('c2', ask), reason('ServiceNotFound'));
    assert.throws(() => addresses.resolve('c1', { ...ask, port: 80 }), reason('ServicePortError'));
    assert.throws(() => addresses.resolve('c1', ask), reason('EndpointsNotFound'));
    const other = slice({ name: 'other', port: 1 }, { addresses: ['10.0.0.1'] });
    await put(storage, 'discovery.k8s.io', 'endpointslices', 'web-1', other);
    assert.throws(() => addresses.resolve('c1', ask), reason('MissingEndpoints'));
    await storage.close();
  });

  it('prefers ready endpoints, then Endpoints, then the load balancer, then an external IP', async () => {
    const storage = await openCachedStorage(createMemoryStorage());
    const addresses = new ServiceAddresses(storage);
    const service = { ports: [{ name: 'tls', port: 443 }], externalIPs: ['192.0.2.9'] };
    await put(storage, '', 'services', 'web', { spec: service });
    assert.deepEqual(addresses.resolve('c1', ask), { host: '192.0.2.9', port: 443 });
    await put(storage, '', 'services', 'web', {
      spec: service,
      status: { loadBalancer: { ingress: [{ hostname: 'lb.example.org' }] } },
    });
    assert.deepEqual(addresses.resolve('c1', ask), { host: 'lb.example.org', port: 443 });
    await put(storage, '', 'endpoints', 'web', {
      subsets: [{ addresses: [{ ip: '10.0.0.7' }], ports: [{ name: 'tls', port: 8443 }] }],
    });
    assert.deepEqual(addresses.resolve('c1', ask), { host: '10.0.0.7', port: 8443 });
    const endpoints = [
      { addresses: ['10.0.0.1'], conditions: { ready: false } },
      { addresses: ['10.0.0.2'], conditions: { ready: true } },
      { addresses: ['10.0.0.3'] },
    ];
    await put(
      storage,
      'discovery.k8s.io',
      'endpointslices',
      'web-1',
      slice({ name: 'tls', port: 9443 }, ...endpoints),
    );
    const seen = new Set(Array.from({ length: 100 }, () => addresses.resolve('c1', ask).host));
    assert.deepEqual([...seen].sort(), ['10.0.0.2', '10.0.0.3']);
    await put(storage, '', 'services', 'web', {
      spec: { type: 'ExternalName', externalName: 'web.example.org' },
    });
    assert.deepEqual(addresses.resolve('c1', ask), { host: 'web.example.org', port: 443 });
    await storage.close();
  });
});

describe('networks of services', () => {
  it('leave out this machine and its link unless they are named', () => {
    for (const address of [
      '127.0.0.1',
      '127.9.9.9',
      '169.254.169.254',
      '0.0.0.0',
      '224.0.0.1',
      '::1',
      '::',
      'fe80::1',
      '::ffff:127.0.0.1',
      '::ffff:7f00:1',
    ]) {
      assert.equal(ServiceNetworks.byDefault.allows(address), false, address);
    }
    for (const address of ['10.0.0.1', '192.168.1.1', '8.8.8.8', 'fd00::1', '2001:db8::1']) {
      assert.equal(ServiceNetworks.byDefault.allows(address), true, address);
    }
    const named = ServiceNetworks.parse('127.0.0.0/8, fd00::/8');
    assert.equal(named.allows('127.0.0.1'), true);
    assert.equal(named.allows('10.0.0.1'), false);
    assert.equal(named.allows('fd12::1'), true);
    assert.throws(() => named.check('10.0.0.1'), NetworkError);
    named.check('some.name');
    for (const text of ['', '10.0.0.0/33', 'x/8', '10.0.0.0/8/8', '10.0.0.0/-1']) {
      assert.throws(() => ServiceNetworks.parse(text), RangeError, text);
    }
  });

  it('judge the addresses that a name resolves to', async () => {
    const look = (networks: ServiceNetworks) =>
      new Promise<unknown>((resolve) => {
        networks.lookup('localhost', { all: true }, (error, found) => resolve(error ?? found));
      });
    assert.ok((await look(ServiceNetworks.byDefault)) instanceof NetworkError);
    assert.deepEqual(await look(ServiceNetworks.parse('127.0.0.1')), [{ address: '127.0.0.1', family: 4 }]);
  });
});
