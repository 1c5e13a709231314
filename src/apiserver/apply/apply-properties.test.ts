import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { apply, config, fieldsOf, later, update } from './testing/appliers.ts';

const value = fc.constantFrom('1', '2', '3');

const specs = fc.record(
  {
    replicas: fc.integer({ min: 0, max: 2 }),
    title: value,
    labels: fc.dictionary(fc.constantFrom('a', 'b', 'c'), value, { noNullPrototype: true }),
    set: fc.uniqueArray(value),
    atomicList: fc.array(value, { maxLength: 2 }),
    items: fc.uniqueArray(
      fc.record(
        { name: value, value, set: fc.uniqueArray(value) },
        { requiredKeys: ['name'], noNullPrototype: true },
      ),
      { selector: (one) => one.name },
    ),
  },
  { requiredKeys: [], noNullPrototype: true },
) as fc.Arbitrary<JsonObject>;

test('property: one applier alone: the last configuration is the object', () => {
  fc.assert(
    fc.property(fc.array(specs, { minLength: 1, maxLength: 4 }), (history) => {
      let object: KubeObject | undefined;
      for (const spec of history) object = apply(object, 'a', config({ title: 'fix', ...spec }));
      const fresh = apply(undefined, 'a', config({ title: 'fix', ...(history.at(-1) as JsonObject) }));
      assert.deepEqual(withoutEmpty(object?.['spec']), withoutEmpty(fresh['spec']));
      assert.deepEqual(fieldsOf(object as KubeObject, 'a'), fieldsOf(fresh, 'a'));
    }),
  );
});

test('property: applying again is a no-op; forcing never fails; the forced configuration is in the object', () => {
  fc.assert(
    fc.property(specs, specs, specs, (first, second, third) => {
      const created = update(undefined, 'u', config(first));
      const one = apply(created, 'a', config(second), { force: true });
      const two = apply(one, 'b', config(third), { force: true });
      assert.deepEqual(apply(two, 'b', config(third), { at: later }), two);
      // What the last applier claims must now merge without changing a thing.
      assert.deepEqual(apply(two, 'c', config(third))['spec'], two['spec']);
    }),
  );
});

/** Upstream keeps no promise about empty containers that nobody claims. */
function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmpty);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, child]) => [key, withoutEmpty(child)] as const)
      .filter(([, child]) => typeof child !== 'object' || child === null || Object.keys(child).length > 0),
  );
}
