import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { jsonFromOutside } from '#apimachinery/testing/json-arbitrary.ts';
import { SharedSpecs } from './shared-specs.ts';

test('any object comes out as JSON.parse reads it, whatever was parsed before', () => {
  const specs = new SharedSpecs();
  const object = fc.record(
    {
      apiVersion: fc.string(),
      metadata: fc.record({
        name: fc.constantFrom('a', 'b'),
        labels: fc.dictionary(fc.string(), fc.string()),
      }),
      spec: jsonFromOutside({ maxDepth: 3 }),
      status: jsonFromOutside(),
      n: fc.integer(),
    },
    { requiredKeys: ['metadata'] },
  );
  fc.assert(
    fc.property(object, (value) => {
      const text = JSON.stringify(value);
      if (text.includes('__proto__')) return;
      assert.deepEqual(specs.parse(Buffer.from(text)), JSON.parse(text));
    }),
    { numRuns: 1000 },
  );
});

test('equal specs of one name are one object', () => {
  const specs = new SharedSpecs();
  const crd = (uid: string, replicas: string) =>
    specs.parse(
      Buffer.from(
        `{"metadata":{"name":"x","uid":"${uid}"},"spec":{"n":${replicas}},"status":{"u":"${uid}"}}`,
      ),
    );
  assert.equal(crd('1', '10')['spec'], crd('2', '10')['spec']);
  assert.deepEqual(crd('3', '1')['spec'], { n: 1 });
  assert.deepEqual(crd('3', '100')['spec'], { n: 100 });
  assert.deepEqual(crd('4', '10'), {
    metadata: { name: 'x', uid: '4' },
    spec: { n: 10 },
    status: { u: '4' },
  });
});
