// The tests of faults for as long as one likes. Usage: npm run faults -- [--minutes N] [--seed N] [words that a file's
// name must contain]. Without --minutes they run as short as in `npm test`.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const { values, positionals } = parseArgs({
  options: { minutes: { type: 'string' }, seed: { type: 'string' } },
  allowPositionals: true,
});
const seed = values.seed ?? String(Date.now() % 2 ** 31);
const folder = path.join('test', 'faults');
const files = (await readdir(path.join(root, folder)))
  .filter((name) => name.endsWith('.e2e.ts') && positionals.every((word) => name.includes(word)))
  .sort();
if (files.length === 0) throw new Error(`no file of ${folder} is named so`);

const failed: string[] = [];
for (const name of files) {
  console.log(`${name}, seed ${seed}${values.minutes === undefined ? '' : `, ${values.minutes} minutes`}`);
  const child = spawn(
    process.execPath,
    ['--expose-gc', '--import', 'tsx', '--test-reporter=spec', path.join(folder, name)],
    {
      cwd: root,
      stdio: 'inherit',
      env: {
        ...process.env,
        CELLPLANE_FAULTS_SEED: seed,
        CELLPLANE_FAULTS_MINUTES: values.minutes ?? '',
      },
    },
  );
  const [code] = await once(child, 'exit');
  if (code !== 0) failed.push(name);
}
if (failed.length > 0) console.log(`failed with seed ${seed}: ${failed.join(', ')}`);
process.exitCode = failed.length > 0 ? 1 : 0;
