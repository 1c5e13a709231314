import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import { rangePrefix } from '#storage/keys.ts';
import { apiError, Harness, type HarnessOptions } from '../verbs/testing/harness.ts';
import { parseIpRange } from './ip-range.ts';
import { nodePortReservations, serviceAddressReservations } from './service-allocator.ts';

const services = '/api/v1/namespaces/default/services';

function service(name: string, spec: JsonObject = {}): JsonObject {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { ports: [{ port: 80 }], ...spec } };
}

function open(options: HarnessOptions = {}): Promise<Harness> {
  return Harness.open({ serviceRange: '10.0.0.0/24', nodePorts: { min: 30000, max: 30003 }, ...options });
}

function reserved(harness: Harness, what: { readonly group: string; readonly resource: string }): string[] {
  const keys = [...harness.storage.snapshot(rangePrefix(what, 'root')).entries()];
  return keys.map(({ key }) => key.slice(key.lastIndexOf('/') + 1));
}

async function spec(answer: Promise<{ readonly object: JsonObject }>): Promise<JsonObject> {
  return (await answer).object['spec'] as JsonObject;
}

test('an address of the range for each service that needs one, released with it', async () => {
  await using harness = await open();
  const range = parseIpRange('10.0.0.0/24');
  const made = await spec(harness.post(services, service('a')));
  assert.ok(range.contains(String(made['clusterIP'])));
  assert.deepEqual(made['clusterIPs'], [made['clusterIP']]);
  assert.deepEqual(made['ipFamilies'], ['IPv4']);
  assert.equal(made['ipFamilyPolicy'], 'SingleStack');
  assert.deepEqual(reserved(harness, serviceAddressReservations), [made['clusterIP']]);
  const headless = await spec(
    harness.post(services, service('b', { clusterIP: 'None', selector: { a: 'b' } })),
  );
  assert.equal(headless['clusterIP'], 'None');
  assert.deepEqual(headless['clusterIPs'], ['None']);
  const external = await spec(
    harness.post(services, service('c', { type: 'ExternalName', externalName: 'example.com' })),
  );
  assert.equal(external['clusterIP'], undefined);
  await harness.delete(`${services}/a`);
  assert.deepEqual(reserved(harness, serviceAddressReservations), []);
});

test('addresses chosen by hand', async () => {
  await using harness = await open();
  const made = await spec(harness.post(services, service('a', { clusterIP: '10.0.0.7' })));
  assert.deepEqual(made['clusterIPs'], ['10.0.0.7']);
  await assert.rejects(
    harness.post(services, service('b', { clusterIP: '10.0.0.7' })),
    apiError(
      'Invalid',
      'Service "b" is invalid: spec.clusterIPs: Invalid value: []string{"10.0.0.7"}: failed to allocate IP 10.0.0.7: provided IP is already allocated',
      422,
    ),
  );
  await assert.rejects(
    harness.post(services, service('b', { clusterIP: '192.168.0.1' })),
    apiError('Invalid', /not in the valid range. The range of valid IPs is 10.0.0.0\/24/),
  );
  const results = await Promise.allSettled(
    ['x', 'y', 'z'].map((name) => harness.post(services, service(name, { clusterIP: '10.0.0.9' }))),
  );
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
});

test('concurrent creations never share an address', async () => {
  await using harness = await open();
  const all = await Promise.all(
    Array.from({ length: 60 }, (_, i) => spec(harness.post(services, service(`s${i}`)))),
  );
  assert.equal(new Set(all.map((one) => one['clusterIP'])).size, 60);
});

test('a full range says so', async () => {
  await using harness = await open({ serviceRange: '10.0.0.0/29' });
  for (let i = 0; i < 5; i++) await harness.post(services, service(`s${i}`));
  await assert.rejects(harness.post(services, service('more')), apiError('InternalError', /range is full/));
});

test('node ports: given, chosen, kept, released', async () => {
  await using harness = await open();
  const made = await spec(harness.post(services, service('a', { type: 'NodePort' })));
  const [port] = made['ports'] as { nodePort: number }[];
  assert.ok(port!.nodePort >= 30000 && port!.nodePort <= 30003);
  assert.deepEqual(reserved(harness, nodePortReservations), [String(port!.nodePort)]);
  const free = [30000, 30001, 30002, 30003].find((one) => one !== port!.nodePort)!;
  await harness.post(services, service('b', { type: 'NodePort', ports: [{ port: 80, nodePort: free }] }));
  await assert.rejects(
    harness.post(services, service('c', { type: 'NodePort', ports: [{ port: 80, nodePort: free }] })),
    apiError(
      'Invalid',
      `Service "c" is invalid: spec.ports[0].nodePort: Invalid value: ${free}: provided port is already allocated`,
    ),
  );
  await assert.rejects(
    harness.post(services, service('c', { type: 'NodePort', ports: [{ port: 80, nodePort: 1 }] })),
    apiError('Invalid', /The range of valid ports is 30000-30003/),
  );
  const dual = await spec(
    harness.post(
      services,
      service('d', {
        type: 'NodePort',
        ports: [
          { name: 't', port: 53, protocol: 'TCP' },
          { name: 'u', port: 53, protocol: 'UDP' },
        ],
      }),
    ),
  );
  const numbers = (dual['ports'] as { nodePort: number }[]).map(({ nodePort }) => nodePort);
  assert.equal(numbers.length, 2);
  await harness.delete(`${services}/d`);
  const changed = await spec(harness.patch(`${services}/a`, 'merge', { metadata: { labels: { x: 'y' } } }));
  assert.deepEqual(changed['ports'], made['ports']);
});

test('a PUT that leaves the allocated fields out keeps them; a change of type gives them back', async () => {
  await using harness = await open();
  const made = await spec(harness.post(services, service('a', { type: 'NodePort' })));
  const put = await spec(harness.put(`${services}/a`, service('a', { type: 'NodePort' })));
  assert.equal(put['clusterIP'], made['clusterIP']);
  assert.deepEqual(put['ports'], made['ports']);
  const plain = await spec(harness.patch(`${services}/a`, 'merge', { spec: { type: 'ClusterIP' } }));
  assert.equal((plain['ports'] as JsonObject[])[0]!['nodePort'], undefined);
  assert.deepEqual(reserved(harness, nodePortReservations), []);
  assert.deepEqual(reserved(harness, serviceAddressReservations), [made['clusterIP']]);
  const external = await spec(
    harness.patch(`${services}/a`, 'merge', { spec: { type: 'ExternalName', externalName: 'example.com' } }),
  );
  assert.equal(external['clusterIP'], undefined);
  assert.deepEqual(reserved(harness, serviceAddressReservations), []);
  const back = await spec(harness.patch(`${services}/a`, 'merge', { spec: { type: 'ClusterIP' } }));
  assert.ok(String(back['clusterIP']).startsWith('10.0.0.'));
});

test('a local load balancer gets a health check port', async () => {
  await using harness = await open();
  const made = await spec(
    harness.post(services, service('a', { type: 'LoadBalancer', externalTrafficPolicy: 'Local' })),
  );
  assert.ok(Number(made['healthCheckNodePort']) >= 30000);
  assert.equal(reserved(harness, nodePortReservations).length, 2);
  const without = await spec(
    harness.post(services, service('b', { type: 'LoadBalancer', allocateLoadBalancerNodePorts: false })),
  );
  assert.equal((without['ports'] as JsonObject[])[0]!['nodePort'], undefined);
});

test('families that this server does not have are refused', async () => {
  await using harness = await open();
  await assert.rejects(
    harness.post(services, service('a', { ipFamilies: ['IPv6'] })),
    apiError('Invalid', /spec.ipFamilies\[0\]: Invalid value: "IPv6": not configured on this cluster/),
  );
  await assert.rejects(
    harness.post(services, service('a', { ipFamilyPolicy: 'RequireDualStack' })),
    apiError('Invalid', /this cluster is not configured for dual-stack services/),
  );
});

test('a dry run shows an address and keeps none', async () => {
  await using harness = await open();
  const shown = await spec(harness.post(`${services}?dryRun=All`, service('a')));
  assert.ok(String(shown['clusterIP']).startsWith('10.0.0.'));
  assert.deepEqual(reserved(harness, serviceAddressReservations), []);
});

test('ranges', () => {
  const range = parseIpRange('10.96.0.0/12');
  assert.equal(range.size, 2 ** 20);
  assert.equal(range.address(1), '10.96.0.1');
  assert.equal(range.address(2 ** 20 - 2), '10.111.255.254');
  for (const inside of ['10.96.0.1', '10.111.255.254']) assert.ok(range.contains(inside), inside);
  for (const outside of [
    '10.96.0.0',
    '10.111.255.255',
    '10.112.0.1',
    '10.96.0.01',
    'x',
    '10.96.0',
    '1.2.3.256',
  ]) {
    assert.ok(!range.contains(outside), outside);
  }
  assert.equal(parseIpRange('200.1.2.0/24').address(5), '200.1.2.5');
  for (const wrong of ['10.0.0.0', '10.0.0.0/31', '10.0.0.0/4', 'fd00::/64', '10.0.0.0/x']) {
    assert.throws(() => parseIpRange(wrong), RangeError, wrong);
  }
});
