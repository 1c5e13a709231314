// docs/federation-contract.md: FA1, FA2
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type AssignableCell, type AssignableFederator, assign } from './assign.ts';
import { rendezvous } from './rendezvous.ts';

const cell = (name: string, more: Partial<AssignableCell> = {}): AssignableCell => ({
  name,
  uid: `uid-${name}`,
  pinnedTo: undefined,
  admits: undefined,
  holder: undefined,
  ...more,
});

const federator = (name: string, more: Partial<AssignableFederator> = {}): AssignableFederator => ({
  name,
  labels: {},
  live: true,
  settled: true,
  unschedulable: false,
  cellsMax: undefined,
  ...more,
});

const cells = Array.from({ length: 1_000 }, (_, at) => cell(`c${at}`));

function loads(assigned: ReadonlyMap<string, string | undefined>): Map<string | undefined, number> {
  const counts = new Map<string | undefined, number>();
  for (const holder of assigned.values()) counts.set(holder, (counts.get(holder) ?? 0) + 1);
  return counts;
}

describe('assign', () => {
  test('spreads evenly', () => {
    const counts = loads(
      assign(
        cells,
        ['a', 'b', 'c', 'd'].map((name) => federator(name)),
      ),
    );
    for (const [holder, count] of counts) assert.ok(count > 200 && count < 300, `${holder} holds ${count}`);
  });

  test('when one dies, its cells alone move', () => {
    const all = ['a', 'b', 'c'].map((name) => federator(name));
    const before = assign(cells, all);
    const held = cells.map((one) => ({ ...one, holder: before.get(one.name) }));
    const after = assign(
      held,
      all.map((one) => (one.name === 'b' ? { ...one, live: false, settled: false } : one)),
    );
    for (const { name, holder } of held) {
      if (holder === 'b') assert.notEqual(after.get(name), 'b');
      else assert.equal(after.get(name), holder);
    }
  });

  test('one that has just come takes what nobody holds well, and the rest when it has settled', () => {
    const before = assign(cells, [federator('a')]);
    const held = cells.map((one) => ({ ...one, holder: before.get(one.name) }));
    const fresh = [federator('a'), federator('b', { settled: false })];
    assert.deepEqual(loads(assign(held, fresh)), new Map([['a', 1_000]]));
    assert.ok((loads(assign(held, [federator('a'), federator('b')])).get('b') ?? 0) > 400);
    const orphaned = held.map((one) => ({ ...one, holder: 'gone' }));
    assert.ok((loads(assign(orphaned, fresh)).get('b') ?? 0) > 400);
  });

  const rows: [string, Partial<AssignableCell>, AssignableFederator[], string | undefined][] = [
    ['nobody at all', {}, [], undefined],
    ['nobody lives: the holder stays', { holder: 'a' }, [federator('a', { live: false })], 'a'],
    ['pinned, alive or not', { pinnedTo: 'b' }, [federator('a'), federator('b', { live: false })], 'b'],
    ['pinned to one that does not exist', { pinnedTo: 'z', holder: 'a' }, [federator('a')], 'a'],
    [
      'a selector',
      { admits: (labels) => labels['zone'] === 'eu' },
      [federator('a'), federator('b', { labels: { zone: 'eu' } })],
      'b',
    ],
    ['a selector that nobody meets', { admits: () => false, holder: 'a' }, [federator('a')], 'a'],
    ['unschedulable', { holder: 'a' }, [federator('a', { unschedulable: true }), federator('b')], 'b'],
    ['no room', {}, [federator('a', { cellsMax: 0 }), federator('b')], 'b'],
  ];
  for (const [name, more, federators, expected] of rows) {
    test(name, () => assert.equal(assign([cell('x', more)], federators).get('x'), expected));
  }

  test('nobody gets more than its capacity', () => {
    const counts = loads(
      assign(cells, [federator('a', { cellsMax: 10 }), federator('b', { cellsMax: 500 })]),
    );
    assert.equal(counts.get('a'), 10);
    assert.equal(counts.get('b'), 500);
    assert.equal(counts.get(undefined), 490);
  });

  test('the order of what is given does not matter', () => {
    const few = cells.slice(0, 40);
    const federators = ['a', 'b', 'c'].map((name) => federator(name, { cellsMax: 15 }));
    const expected = assign(few, federators);
    fc.assert(
      fc.property(
        fc.shuffledSubarray(few, { minLength: few.length }),
        fc.shuffledSubarray(federators, { minLength: 3 }),
        (shuffledCells, shuffledFederators) => {
          const assigned = assign(shuffledCells, shuffledFederators);
          for (const { name } of few) assert.equal(assigned.get(name), expected.get(name));
        },
      ),
      { numRuns: 50 },
    );
  });
});

test('rendezvous: the order of the rest does not depend on who else is there', () => {
  fc.assert(
    fc.property(fc.string(), fc.uniqueArray(fc.string(), { minLength: 2, maxLength: 8 }), (key, names) => {
      const ranking = rendezvous(key, names);
      const without = rendezvous(key, names.slice(1));
      assert.deepEqual(
        ranking.filter((name) => name !== names[0]),
        without,
      );
    }),
  );
});
