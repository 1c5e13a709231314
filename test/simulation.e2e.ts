// The whole system in virtual time, a seed a run: CELLPLANE_SIMULATION_SEEDS tells how many (default 72), and
// CELLPLANE_SIMULATION_SEED the first (default 1: what is tested is the same everywhere); CELLPLANE_SIMULATION_WIDE_SEEDS how
// many more from 1001 on (default 36), CELLPLANE_SIMULATION_BRIEF_SEEDS how many brief ones from 10001 on (default 92),
// CELLPLANE_SIMULATION_SHARED_SEEDS how many with two schedulers from 20001 on (default 12), CELLPLANE_SIMULATION_STANDBY_SEEDS
// how many where the second one stands by, from 25001 on (default 12), CELLPLANE_SIMULATION_SERVERS_SEEDS how many with several API servers on
// one store, from 30001 on (default 16); `npm run simulate` runs any number of others. A failure prints its seed, which replays it.
// docs/federation-contract.md: FS1, FS2
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { seedFrom } from './harness/seed.ts';
import { reportOf, runSeeds, seedsFrom } from './simulation/run-seeds.ts';
import type { SimulationOutcome } from './simulation/simulate.ts';
import {
  serverStrikeNames,
  sharedStrikeNames,
  standbyStrikeNames,
  strikeNames,
  wideStrikeNames,
} from './simulation/strikes.ts';
import { networkFaultNames } from './simulation/world/call-faults.ts';

const first = seedFrom('CELLPLANE_SIMULATION_SEED', 1);
const count = Number(process.env['CELLPLANE_SIMULATION_SEEDS'] ?? 72);
/** Of runs with operators, rollouts, failover and what is born at edges beside everything else (`wideFrom`). */
const wideCount = Number(process.env['CELLPLANE_SIMULATION_WIDE_SEEDS'] ?? 36);
/** Likewise, with a storm of 8 s at most. */
const briefCount = Number(process.env['CELLPLANE_SIMULATION_BRIEF_SEEDS'] ?? 92);
/** Of brief ones with two schedulers that share the projects, and with edges that lie (`lanesFrom`). */
const sharedCount = Number(process.env['CELLPLANE_SIMULATION_SHARED_SEEDS'] ?? 12);
/** Of brief ones with a scheduler that stands by (`standbyFrom`). */
const standbyCount = Number(process.env['CELLPLANE_SIMULATION_STANDBY_SEEDS'] ?? 12);
/** Of brief ones with several API servers on one store (`serversFrom`). */
const serversCount = Number(process.env['CELLPLANE_SIMULATION_SERVERS_SEEDS'] ?? 16);

describe(`simulation from CELLPLANE_SIMULATION_SEED=${first}`, { timeout: 1_500_000 }, () => {
  const outcomes: SimulationOutcome[] = [];

  test(`${count} seeds: everything comes together, and nothing that must not happen happens`, async ({
    signal,
  }) => {
    let writes = 0;
    const struck = new Set<string>();
    for await (const outcome of runSeeds({ seeds: seedsFrom(first, count), signal })) {
      assert.deepEqual(outcome.violations, [], reportOf(outcome));
      writes += outcome.writes;
      for (const fault in outcome.faults) struck.add(fault);
      outcomes.push(outcome);
    }
    assert.ok(writes > 20 * count, `only ${writes} writes were acknowledged`);
    // Few seeds may leave one out.
    const missing = [...networkFaultNames, ...strikeNames].filter((fault) => !struck.has(fault));
    if (count >= 20) assert.deepEqual(missing, [], 'every fault was drawn and had an effect');
  });

  test(`${wideCount} wide seeds and ${briefCount} brief ones: so it does with operators, rollouts and what is born at edges`, async ({
    signal,
  }) => {
    const struck = new Set<string>();
    const seeds = [...seedsFrom(1_001, wideCount), ...seedsFrom(10_001, briefCount)];
    for await (const outcome of runSeeds({ seeds, signal })) {
      assert.deepEqual(outcome.violations, [], reportOf(outcome));
      for (const fault in outcome.faults) struck.add(fault);
    }
    const missing = wideStrikeNames.filter((fault) => !struck.has(fault));
    if (seeds.length >= 20) assert.deepEqual(missing, [], 'all that operators do was done');
  });

  test(`${sharedCount} seeds with two schedulers: so it does where one of them stands still, and where edges lie`, async ({
    signal,
  }) => {
    const struck = new Set<string>();
    for await (const outcome of runSeeds({ seeds: seedsFrom(20_001, sharedCount), signal })) {
      assert.deepEqual(outcome.violations, [], reportOf(outcome));
      for (const fault in outcome.faults) struck.add(fault);
    }
    const missing = sharedStrikeNames.filter((fault) => !struck.has(fault));
    if (sharedCount >= 12) assert.deepEqual(missing, [], 'schedulers were struck, and edges lied');
  });

  test(`${standbyCount} seeds with a scheduler that stands by: so it does where the other loses its lease`, async ({
    signal,
  }) => {
    const struck = new Set<string>();
    for await (const outcome of runSeeds({ seeds: seedsFrom(25_001, standbyCount), signal })) {
      assert.deepEqual(outcome.violations, [], reportOf(outcome));
      for (const fault in outcome.faults) struck.add(fault);
    }
    const missing = standbyStrikeNames.filter((fault) => !struck.has(fault));
    if (standbyCount >= 12) assert.deepEqual(missing, [], 'schedulers were struck, and their leases');
  });

  test(`${serversCount} seeds with several API servers on one store: so it does where one of them lags behind it`, async ({
    signal,
  }) => {
    const struck = new Set<string>();
    for await (const outcome of runSeeds({ seeds: seedsFrom(30_001, serversCount), signal })) {
      assert.deepEqual(outcome.violations, [], reportOf(outcome));
      for (const fault in outcome.faults) struck.add(fault);
    }
    const missing = serverStrikeNames.filter((fault) => !struck.has(fault));
    if (serversCount >= 16)
      assert.deepEqual(missing, [], 'API servers were struck, and what they know of their store');
  });

  test('a seed alone gives the run that it gave after others', async ({ signal }) => {
    const last = first + count - 1;
    const after = outcomes.filter(({ seed }) => seed === last || seed === last - 1);
    assert.ok(after.length > 0);
    await Promise.all(
      after.map(async ({ seed, journal, trace }) => {
        for await (const alone of runSeeds({ seeds: [seed], signal })) {
          assert.deepEqual(alone.journal, journal);
          assert.equal(alone.trace, trace);
        }
      }),
    );
  });
});
