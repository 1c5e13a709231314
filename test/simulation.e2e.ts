// The whole system in virtual time, a seed a run: CELLPLANE_SIMULATION_SEEDS tells how many (default 100), and
// CELLPLANE_SIMULATION_SEED the first; `npm run simulate` runs any number. A failure prints its seed, which replays it.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { seedFrom } from './harness/seed.ts';
import { createTestPki } from './harness/test-pki.ts';
import { reportOf, runSeeds } from './simulation/run-seeds.ts';
import { simulate } from './simulation/simulate.ts';

const first = seedFrom('CELLPLANE_SIMULATION_SEED');
const count = Number(process.env['CELLPLANE_SIMULATION_SEEDS'] ?? 100);

describe(`simulation from CELLPLANE_SIMULATION_SEED=${first}`, { timeout: 900_000 }, () => {
  test('equal seeds give equal runs', async () => {
    const pki = await createTestPki();
    const one = await simulate({ seed: first, pki, stormyMs: 5_000 });
    const other = await simulate({ seed: first, pki, stormyMs: 5_000 });
    assert.deepEqual(other.journal, one.journal);
    assert.equal(other.trace, one.trace);
  });

  test(`${count} seeds: everything comes together, and nothing that must not happen happens`, async () => {
    let writes = 0;
    for await (const outcome of runSeeds({ first, count })) {
      assert.deepEqual(outcome.violations, [], reportOf(outcome));
      writes += outcome.writes;
    }
    assert.ok(writes > 20 * count, `only ${writes} writes were acknowledged`);
  });
});
