import assert from 'node:assert/strict';
import { test } from 'node:test';
import { validateAffinity } from '#api/policy/validate-placement.ts';
import type { FieldError } from '#apimachinery/field-error.ts';
import { compileAffinity } from './affinity.ts';
import { cell } from './testing/cells.ts';

const cells = [
  cell('fra-a', {
    region: 'eu',
    pop: 'fra',
    zones: ['z1'],
    labels: { tier: 'gold' },
    served: new Set(['/v1/Pod']),
  }),
  cell('fra-b', {
    region: 'eu',
    pop: 'fra',
    dataCenter: 'fra-2',
    zones: ['z1', 'z2'],
    location: { latitude: 50.1, longitude: 8.7 },
  }),
  cell('nyc-a', { region: 'us', provider: 'acme', labels: { tier: 'gold' } }),
];
const selected = (affinity: Parameters<typeof compileAffinity>[0]): string =>
  cells
    .filter(compileAffinity(affinity))
    .map(({ name }) => name)
    .join(' ');

test('names may be patterns, in clusterNames and in exclude', () => {
  assert.equal(selected({ clusterNames: ['fra-*'] }), 'fra-a fra-b');
  assert.equal(selected({ clusterNames: ['*-a'] }), 'fra-a nyc-a');
  assert.equal(selected({ clusterNames: ['f*-*b', 'nyc-a'] }), 'fra-b nyc-a');
  assert.equal(selected({ clusterNames: ['*'], exclude: ['*y*'] }), 'fra-a fra-b');
  assert.equal(selected({ clusterNames: ['fra-a*a'] }), '', 'no character counts twice');
  assert.equal(selected({ clusterNames: ['fra-'] }), '', 'without a star nothing but the name itself');
});

test('fields: what a cell tells is among the values, or not', () => {
  const of = (key: string, operator: string, ...values: string[]): string => {
    const affinity = { fieldSelector: { matchExpressions: [{ key, operator, values }] } };
    const errors: FieldError[] = [];
    validateAffinity(affinity, 'affinity', errors);
    assert.deepEqual(errors, []);
    return selected(affinity);
  };
  assert.equal(of('region', 'In', 'eu'), 'fra-a fra-b');
  assert.equal(of('zone', 'In', 'z1'), 'fra-a');
  assert.equal(of('provider', 'NotIn', 'acme'), 'fra-a fra-b');
  assert.equal(of('pop', 'In', 'fra', 'ams'), 'fra-a fra-b');
  assert.equal(of('dataCenter', 'In', 'fra-2'), 'fra-b');
  assert.equal(of('dataCenter', 'NotIn', 'fra-2'), 'fra-a nyc-a');
});

test('all expressions must hold, and one that fails of a cell does not hold of it', () => {
  const cel = (...celExpressions: string[]): string => selected({ celSelector: { celExpressions } });
  assert.equal(cel("cell.region == 'eu' || cell.provider == 'acme'"), 'fra-a fra-b nyc-a');
  assert.equal(cel("cell.labels['tier'] == 'gold'"), 'fra-a nyc-a');
  assert.equal(cel("cell.labels['tier'] == 'gold'", "cell.zones.exists(zone, zone == 'z1')"), 'fra-a');
  assert.equal(cel("cell.dataCenter == 'fra-2'"), 'fra-b');
  assert.equal(cel('has(cell.location) && cell.location.latitude > 50.0'), 'fra-b');
  assert.equal(cel("'/v1/Pod' in cell.apis"), 'fra-a');
  assert.equal(cel("cell.name.matches('^[a-z]+-a$')"), 'fra-a nyc-a');
  assert.equal(
    selected({
      clusterNames: ['fra-*'],
      celSelector: { celExpressions: ["cell.pop == 'fra'"] },
    }),
    'fra-a fra-b',
  );
  assert.equal(
    cel(
      'cell.zones.all(a, [1,2,3,4,5,6,7,8].all(b, [1,2,3,4,5,6,7,8].all(c, [1,2,3,4,5,6,7,8].all(d, d > 0))))',
    ),
    'nyc-a',
    'what takes too many steps does not hold',
  );
});

test('a malformed expression is refused with its path', () => {
  for (const [expression, why] of [
    ['cell.', /Syntax error/],
    ['cell.regoin == "eu"', /undefined field 'regoin'/],
    ['cell.name', /must evaluate to bool/],
    ['cluster.name == "a"', /undeclared reference/],
  ] as const) {
    const errors: FieldError[] = [];
    validateAffinity({ celSelector: { celExpressions: ['true', expression] } }, 'spec.x', errors);
    assert.deepEqual(
      errors.map(({ field }) => field),
      ['spec.x.celSelector.celExpressions[1]'],
    );
    assert.match(errors[0]?.message ?? '', why);
    assert.equal(selected({ celSelector: { celExpressions: [expression] } }), '');
  }
});
