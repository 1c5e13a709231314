import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bindingName } from '#api/work/binding-name.ts';
import { dns1123Label, dns1123Subdomain } from '#apimachinery/names.ts';
import { createNameMapper } from './names.ts';

const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
const subdomain = fc
  .array(fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/), { minLength: 1, maxLength: 6 })
  .map((parts) => parts.join('.'));
const awkward = fc
  .array(fc.constantFrom('a', '-', '.', ':', 'Z', '_'), { minLength: 1, maxLength: 260 })
  .map((characters) => characters.join(''));
const identity = fc.record({
  controlPlaneId: fc.stringMatching(/^[a-z0-9]{16}$/),
  clusterId: fc.stringMatching(/^[a-z0-9]{16}$/),
  prefix: label,
});

test('a mapped namespace is a DNS label of at most 63 characters, the same each time', () => {
  fc.assert(
    fc.property(identity, label, (one, name) => {
      const mapped = createNameMapper(one).namespace(name);
      assert.deepEqual(dns1123Label(mapped), [], mapped);
      assert.equal(createNameMapper({ ...one }).namespace(name), mapped);
      assert.equal(createNameMapper(one).clusterScoped('', 'namespaces', name), mapped);
    }),
  );
});

test('a mapped cluster-scoped name is a subdomain of at most 253 characters', () => {
  fc.assert(
    fc.property(identity, subdomain, (one, name) => {
      const mapped = createNameMapper(one).clusterScoped('storage.k8s.io', 'storageclasses', name);
      assert.deepEqual(dns1123Subdomain(mapped), [], mapped);
      assert.ok(createNameMapper(one).clusterScoped('storage.k8s.io', 'csidrivers', name).length <= 63);
    }),
  );
});

test('a binding name is a subdomain of at most 253 characters and tells objects of different groups apart', () => {
  fc.assert(
    fc.property(fc.oneof(subdomain, fc.string({ minLength: 1, maxLength: 300 }), awkward), (name) => {
      const bound = bindingName('apps', 'deployments', name);
      assert.deepEqual(dns1123Subdomain(bound), [], bound);
      assert.notEqual(bound, bindingName('example.com', 'deployments', name));
      assert.notEqual(bound, bindingName('apps', 'statefulsets', name));
    }),
  );
});

test('stable: names given to copies before must not change', () => {
  const mapper = createNameMapper({ controlPlaneId: 'cp1', clusterId: '2x9k4w1q8z7p5m3n', prefix: 'shop' });
  assert.equal(mapper.namespace('default'), 'shop-default-wrzqrndwz64orupl');
  assert.equal(
    mapper.clusterScoped('storage.k8s.io', 'storageclasses', 'fast'),
    'shop-fast-b73tprvrce263l73',
  );
  assert.equal(bindingName('apps', 'deployments', 'web'), 'web-deployments.apps-dnaaabajqs');
  assert.equal(bindingName('', 'services', 'web'), 'web-services-2krhduyovy');
});

test('no two of 20,000 projects and namespaces meet, not even where the readable part is the same', () => {
  const seen = new Set<string>();
  for (let i = 0; i < 200; i++) {
    const mapper = createNameMapper({ controlPlaneId: 'cp', clusterId: `cluster-${i}`, prefix: 'same' });
    for (let n = 0; n < 100; n++) {
      seen.add(mapper.namespace(`n${n}`));
      seen.add(mapper.clusterScoped('', 'persistentvolumes', `n${n}`));
    }
  }
  assert.equal(seen.size, 40_000);
});

test('parts cannot be shifted: (ab, c) and (a, bc) differ', () => {
  const one = createNameMapper({ controlPlaneId: 'ab', clusterId: 'c', prefix: 'p' });
  const two = createNameMapper({ controlPlaneId: 'a', clusterId: 'bc', prefix: 'p' });
  assert.notEqual(one.namespace('x'), two.namespace('x'));
});

test('with the hash cut to 8 bits names collide, as tests of NameCollision need it', () => {
  const seen = new Set<string>();
  for (let i = 0; i < 1_000; i++) {
    seen.add(createNameMapper({ controlPlaneId: 'cp', clusterId: `c${i}`, prefix: 'p' }, 8).namespace('x'));
  }
  assert.ok(seen.size <= 256);
  assert.ok(seen.size > 200);
});
