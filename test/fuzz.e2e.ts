// Every decoder against inputs made to break it, for some seconds; `npm run fuzz -- --minutes n` goes on for longer.
// CELLPLANE_FUZZ_SEED runs a seed again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkNames } from './fuzz/names.ts';
import { runFuzz } from './fuzz/run-fuzz.ts';
import { seedFrom } from './harness/seed.ts';

const seed = seedFrom('CELLPLANE_FUZZ_SEED');
const ms = 10_000;
const names = 40_000;

test(`every decoder answers anything, CELLPLANE_FUZZ_SEED=${seed}`, { timeout: 600_000 }, async () => {
  const { runs, failures } = await runFuzz({ seed, ms });
  assert.deepEqual(failures, []);
  assert.ok(runs > 1_000, `only ${runs} inputs were tried`);
});

test(`${names} mapped names are valid and no two the same, CELLPLANE_FUZZ_SEED=${seed}`, () => {
  checkNames({ seed, runs: names });
});
