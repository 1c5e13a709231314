// The whole system in virtual time, a seed a run: CELLPLANE_SIMULATION_SEEDS tells how many (default 60), and
// CELLPLANE_SIMULATION_SEED the first (default 1: what is tested is the same everywhere); `npm run simulate` runs any number
// of others. A failure prints its seed, which replays it.
// docs/federation-contract.md: FS1, FS2
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { seedFrom } from './harness/seed.ts';
import { reportOf, runSeeds } from './simulation/run-seeds.ts';
import { networkFaultNames } from './simulation/world/network.ts';

const first = seedFrom('CELLPLANE_SIMULATION_SEED', 1);
const count = Number(process.env['CELLPLANE_SIMULATION_SEEDS'] ?? 60);

describe(`simulation from CELLPLANE_SIMULATION_SEED=${first}`, { timeout: 1_500_000 }, () => {
  test('equal seeds give equal runs', async ({ signal }) => {
    const run = async () => {
      for await (const outcome of runSeeds({ first, count: 1, signal })) return outcome;
      return undefined;
    };
    const [one, other] = await Promise.all([run(), run()]);
    assert.ok(one !== undefined && one.journal.length > 0);
    assert.deepEqual(other?.journal, one.journal);
    assert.equal(other?.trace, one.trace);
  });

  test(`${count} seeds: everything comes together, and nothing that must not happen happens`, async ({
    signal,
  }) => {
    let writes = 0;
    const struck = new Set<string>();
    for await (const outcome of runSeeds({ first, count, signal })) {
      assert.deepEqual(outcome.violations, [], reportOf(outcome));
      writes += outcome.writes;
      for (const fault in outcome.faults) struck.add(fault);
    }
    assert.ok(writes > 20 * count, `only ${writes} writes were acknowledged`);
    // Few seeds may leave one out.
    const missing = networkFaultNames.filter((fault) => !struck.has(fault));
    if (count >= 20) assert.deepEqual(missing, [], 'every fault was drawn and had an effect');
  });
});
