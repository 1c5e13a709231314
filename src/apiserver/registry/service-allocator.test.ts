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
  return Harness.open({ serviceRanges: ['10.0.0.0/24'], nodePorts: { min: 30000, max: 30003 }, ...options });
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
      'Service "b" is invalid: spec.clusterIPs: Invalid value: ["10.0.0.7"]: failed to allocate IP 10.0.0.7: provided IP is already allocated',
      422,
    ),
  );
  await assert.rejects(
    harness.post(services, service('b', { clusterIP: '192.168.0.1' })),
    apiError('Invalid', /192\.168\.0\.1: the provided network does not match the current range$/),
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
  await using harness = await open({ serviceRanges: ['10.0.0.0/29'] });
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

test('a node port stays with its name, whatever else of the port changes (registry patchAllocatedValues)', async () => {
  await using harness = await open();
  const first = [
    { name: 'web', port: 80 },
    { name: 'tls', port: 443 },
  ];
  const made = await spec(harness.post(services, service('a', { type: 'NodePort', ports: first })));
  const [web, tls] = (made['ports'] as { nodePort: number }[]).map(({ nodePort }) => nodePort);
  const turned = [
    { name: 'tls', port: 8443, protocol: 'UDP' },
    { name: 'web', port: 443 },
  ];
  const put = await spec(harness.put(`${services}/a`, service('a', { type: 'NodePort', ports: turned })));
  assert.deepEqual(
    (put['ports'] as { nodePort: number }[]).map(({ nodePort }) => nodePort),
    [tls, web],
  );
});

test('towards ExternalName each field goes that was not touched (registry dropTypeDependentFields)', async () => {
  await using harness = await open();
  await harness.post(services, service('a'));
  const external = { type: 'ExternalName', externalName: 'example.com' };
  for (const more of [{}, { clusterIP: '' }, { clusterIP: null, clusterIPs: null }]) {
    const patch = { spec: { ...external, ...more } };
    const made = await spec(harness.patch(`${services}/a?dryRun=All`, 'merge', patch));
    for (const field of ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy', 'internalTrafficPolicy'])
      assert.equal(made[field], undefined, field);
  }
});

test('while addresses are wrong nothing else is told (registry initIPFamilyFields)', async () => {
  await using harness = await open();
  await harness.post(services, service('a', { clusterIP: '10.0.0.7' }));
  const rows: [JsonObject, string][] = [
    [
      { clusterIPs: ['10.0.0.8'] },
      'spec.clusterIPs: Invalid value: ["10.0.0.8"]: first value must match `clusterIP`',
    ],
    [
      { clusterIP: 'x' },
      'spec.clusterIPs[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
    ],
    [
      { ipFamilies: ['IPv6'] },
      'spec.clusterIPs[0]: Invalid value: "10.0.0.7": expected an IPv6 value as indicated by `ipFamilies[0]`',
    ],
    [{ clusterIP: '10.0.0.8' }, 'spec.clusterIPs[0]: Invalid value: ["10.0.0.8"]: may not change once set'],
  ];
  for (const [change, why] of rows) {
    await assert.rejects(
      harness.patch(`${services}/a`, 'merge', { spec: change }),
      apiError('Invalid', `Service "a" is invalid: ${why}`, 422),
    );
  }
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
  for (const wrong of ['10.0.0.0', '10.0.0.0/31', '10.0.0.0/4', '10.0.0.0/8x', '10.0.0.0/x']) {
    assert.throws(() => parseIpRange(wrong), RangeError, wrong);
  }
});

const dual = { serviceRanges: ['10.0.0.0/24', 'fd00:10::/112'] };

test('C11, dual stack: a second family where the policy asks for it, in the order that is asked for', async () => {
  await using harness = await open(dual);
  const [v4, v6] = dual.serviceRanges.map(parseIpRange);
  assert.ok(v4 !== undefined && v6 !== undefined);
  const plain = await spec(harness.post(services, service('plain')));
  assert.deepEqual([plain['ipFamilies'], plain['ipFamilyPolicy']], [['IPv4'], 'SingleStack']);
  for (const policy of ['PreferDualStack', 'RequireDualStack']) {
    const made = await spec(
      harness.post(services, service(policy.toLowerCase(), { ipFamilyPolicy: policy })),
    );
    assert.deepEqual(made['ipFamilies'], ['IPv4', 'IPv6']);
    const [first = '', second = ''] = made['clusterIPs'] as string[];
    assert.ok(v4.contains(first) && v6.contains(second), `${first} ${second}`);
    assert.equal(made['clusterIP'], first);
  }
  const turned = await spec(
    harness.post(services, service('turned', { ipFamilies: ['IPv6'], ipFamilyPolicy: 'PreferDualStack' })),
  );
  assert.deepEqual(turned['ipFamilies'], ['IPv6', 'IPv4']);
  assert.ok(v6.contains(String(turned['clusterIP'])));
  const six = await spec(harness.post(services, service('six', { ipFamilies: ['IPv6'] })));
  assert.deepEqual([six['ipFamilyPolicy'], (six['clusterIPs'] as string[]).length], ['SingleStack', 1]);
  const chosen = await spec(
    harness.post(
      services,
      service('chosen', {
        ipFamilyPolicy: 'RequireDualStack',
        clusterIP: 'fd00:10::7',
        clusterIPs: ['fd00:10::7', '10.0.0.7'],
      }),
    ),
  );
  assert.deepEqual(chosen['ipFamilies'], ['IPv6', 'IPv4']);
  await assert.rejects(
    harness.post(services, service('again', { clusterIP: 'fd00:0010:0::0:7' })),
    apiError(
      'Invalid',
      /spec.clusterIPs: Invalid value: \["fd00:0010:0::0:7"\]: failed to allocate IP fd00:0010:0::0:7: provided IP is already allocated/,
    ),
  );
  await assert.rejects(
    harness.post(services, service('two', { clusterIPs: ['10.0.0.8', 'fd00:10::8'], clusterIP: '10.0.0.8' })),
    apiError(
      'Invalid',
      /spec.ipFamilyPolicy: Invalid value: "SingleStack": must be 'RequireDualStack' or 'PreferDualStack' when multiple cluster IPs are specified/,
    ),
  );
  await harness.delete(`${services}/chosen`);
  assert.ok(!reserved(harness, serviceAddressReservations).includes('fd00:10::7'));
});

test('dual stack: gaining and losing the second family', async () => {
  await using harness = await open(dual);
  const put = async (change: JsonObject): Promise<JsonObject> => {
    const { object } = await harness.get(`${services}/a`);
    const before = object['spec'] as JsonObject;
    return spec(harness.put(`${services}/a`, { ...object, spec: { ...before, ...change } }));
  };
  const made = await spec(harness.post(services, service('a')));
  const first = made['clusterIP'];
  const grown = await put({ ipFamilyPolicy: 'RequireDualStack' });
  assert.deepEqual(grown['ipFamilies'], ['IPv4', 'IPv6']);
  assert.equal((grown['clusterIPs'] as string[])[0], first);
  assert.equal(reserved(harness, serviceAddressReservations).length, 2);
  assert.deepEqual(await put({}), grown);
  await assert.rejects(
    put({ clusterIPs: [first ?? ''] }),
    apiError('Invalid', /SingleStack' (?:when releasing|to release) the secondary/),
  );
  await assert.rejects(
    put({ ipFamilies: ['IPv4'] }),
    apiError('Invalid', /to release the secondary IP family/),
  );
  const shrunk = await put({ ipFamilyPolicy: 'SingleStack' });
  assert.deepEqual([shrunk['clusterIPs'], shrunk['ipFamilies']], [[first], ['IPv4']]);
  assert.deepEqual(reserved(harness, serviceAddressReservations), [first]);
  const old = { type: 'ExternalName', externalName: 'example.com', clusterIP: '', clusterIPs: [] };
  const named = await put({ ...old, ipFamilies: null, ipFamilyPolicy: null, ports: [] } as JsonObject);
  assert.deepEqual([named['clusterIPs'], named['ipFamilies']], [undefined, undefined]);
  assert.deepEqual(reserved(harness, serviceAddressReservations), []);
});

test('dual stack: headless services, and a server of one family', async () => {
  await using harness = await open(dual);
  const selected = { clusterIP: 'None', selector: { a: 'b' } };
  const one = await spec(harness.post(services, service('one', selected)));
  assert.deepEqual([one['ipFamilies'], one['ipFamilyPolicy']], [['IPv4'], 'SingleStack']);
  const both = await spec(
    harness.post(services, service('both', { ...selected, ipFamilyPolicy: 'PreferDualStack' })),
  );
  assert.deepEqual(both['ipFamilies'], ['IPv4', 'IPv6']);
  await using lone = await open({ serviceRanges: ['fd00:10::/112'] });
  const free = await spec(lone.post(services, service('free', { clusterIP: 'None' })));
  assert.deepEqual([free['ipFamilies'], free['ipFamilyPolicy']], [['IPv6', 'IPv4'], 'RequireDualStack']);
  const prefers = await spec(lone.post(services, service('p', { ipFamilyPolicy: 'PreferDualStack' })));
  assert.deepEqual([prefers['ipFamilies'], prefers['ipFamilyPolicy']], [['IPv6'], 'PreferDualStack']);
  await assert.rejects(
    lone.post(services, service('v4', { clusterIP: '10.0.0.9' })),
    apiError(
      'Invalid',
      /spec.clusterIPs\[0\]: Invalid value: \["10.0.0.9"\]: IPv4 is not configured on this cluster/,
    ),
  );
});

test('ranges of IPv6', () => {
  const range = parseIpRange('fd00:1::/108');
  assert.deepEqual([range.family, range.size], ['IPv6', 2 ** 20]);
  assert.equal(range.address(0x1_0002), 'fd00:1::1:2');
  assert.ok(range.contains('FD00:0001:0::1') && range.contains('fd00:1::f:ffff'));
  for (const out of [
    'fd00:1::',
    'fd00:1::10:0',
    'fd00:2::1',
    '::ffff:10.0.0.1',
    'fd00:1::1%eth0',
    '10.0.0.1',
    '',
  ]) {
    assert.ok(!range.contains(out), out);
  }
  for (const wrong of [
    'fd00::/47',
    'fd00::/127',
    'fd00::',
    'fd00::1::/64',
    '::g/64',
    'fd00::/64/1',
    'fe80::%1/64',
  ]) {
    assert.throws(() => parseIpRange(wrong), RangeError, wrong);
  }
});
