// npm run fuzz [-- [names] [--minutes n] [--seed s] [words of decoders' names]]: inputs made to break decoders, from a
// printed seed, until the time is over or something fails; with `names`, ten million namespaces and objects through name
// mapping instead. The same runs for some seconds in `npm test`.
import { checkNames } from '../test/fuzz/names.ts';
import { runFuzz } from '../test/fuzz/run-fuzz.ts';

/** A process at a time: each begins with empty caches and a heap of its own. */
const processMs = 60_000;
const namesRuns = 10_000_000;

const args = process.argv.slice(2);

function numberOf(option: string, otherwise: number): number {
  const at = args.indexOf(option);
  if (at < 0) return otherwise;
  const [, text] = args.splice(at, 2);
  const value = Number(text);
  if (text === undefined || !(value > 0)) throw new Error(`${option} needs a number above 0`);
  return value;
}

const minutes = numberOf('--minutes', 1);
const firstSeed = numberOf('--seed', Date.now() % 2 ** 31);
const wantsNames = args[0] === 'names';

if (wantsNames) {
  console.log(`${namesRuns.toLocaleString('en')} names, seed ${firstSeed}`);
  checkNames({
    seed: firstSeed,
    runs: namesRuns,
    onProgress: (runs) => process.stdout.write(`\r${runs.toLocaleString('en')} names`),
  });
  console.log('\nnone was invalid, and no two were the same');
} else {
  const endMs = Date.now() + minutes * 60_000;
  let inputs = 0;
  for (let seed = firstSeed; Date.now() < endMs && process.exitCode === undefined; seed += 1_000) {
    console.log(`seed ${seed}`);
    const ms = Math.min(processMs, Math.max(1_000, endMs - Date.now()));
    const { runs, grownBytes, failures } = await runFuzz({ seed, ms, words: args });
    inputs += runs;
    console.log(
      `  ${runs} inputs, ${(grownBytes / 1024 / 1024).toFixed(0)} MiB kept, ${failures.length} failures`,
    );
    for (const failure of failures) console.log(failure);
    if (failures.length > 0) process.exitCode = 1;
  }
  console.log(`${inputs} inputs in all`);
}
