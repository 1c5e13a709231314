// npm run simulate [-- --seeds N] [--seed S]: the whole system in virtual time under random faults, N seeds from S on.
// Prints what was wrong with the seed that replays it; ends with 1 when anything was.
import { parseArgs } from 'node:util';
import { seedOfNow } from '../harness/seed.ts';
import { reportOf, runSeeds, seedsFrom } from './run-seeds.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    seed: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (values.help) {
  process.stdout.write('npm run simulate [-- --seeds N (100) --seed S (one of the moment)]\n');
  process.exit(0);
}
const wholeNumber = (name: string, text: string): number => {
  if (!/^\d{1,10}$/.test(text)) throw new Error(`--${name} ${text}: must be a whole number`);
  return Number(text);
};
const count = wholeNumber('seeds', values.seeds);
const first = wholeNumber('seed', values.seed ?? String(seedOfNow()));
const startedMs = Date.now();
let done = 0;
let failed = 0;
const faults = new Map<string, number>();
for await (const outcome of runSeeds({ seeds: seedsFrom(first, count) })) {
  done++;
  for (const [fault, times] of Object.entries(outcome.faults)) {
    faults.set(fault, (faults.get(fault) ?? 0) + times);
  }
  if (outcome.violations.length > 0) {
    failed++;
    process.stdout.write(`${reportOf(outcome)}\n\n`);
  } else if (done % 10 === 0) {
    process.stdout.write(`${done} of ${count} seeds, ${failed} failed\n`);
  }
}
const seconds = Math.round((Date.now() - startedMs) / 1_000);
process.stdout.write(`${done} seeds from ${first} on, ${failed} failed (${seconds} s)\n`);
process.stdout.write(`faults: ${JSON.stringify(Object.fromEntries(faults))}\n`);
process.exitCode = failed > 0 ? 1 : 0;
