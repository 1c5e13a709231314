// Runs every test: unit tests in a few processes (one per file costs a quarter of a minute), then each suite that boots
// processes of its own. Some at a time, as many as there are processors: much of a suite is waiting for conditions, and none of
// those that share the machine measures time. Usage: npm test [-- [--lanes N] words that a file's path must contain]
import { readdir, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { skipWithoutEtcd } from '../test/harness/etcd-server.ts';
import { bundleSuites } from './bundle-suites.ts';
import { type Outcome, root, runSuite, type Suite } from './run-suite.ts';

const args = process.argv.slice(2);
const words = args.filter((word, index) => !word.startsWith('--') && args[index - 1] !== '--lanes');

/** More of them find little to do beside the simulation, and fill the memory of a small machine. */
const lanesMax = 4;
const lanesAsked = args.includes('--lanes') ? Number(args[args.indexOf('--lanes') + 1]) : undefined;
if (lanesAsked !== undefined && !(Number.isInteger(lanesAsked) && lanesAsked > 0))
  throw new Error('--lanes: how many suites at a time, from 1');
const lanes = lanesAsked ?? Math.min(lanesMax, os.availableParallelism());

/** A suite that has not ended by then is ended, with all that it started, and counts as failed. */
const suiteTimeoutMs = 900_000;

/** These have the machine for themselves. */
const alone = [
  // Compares how long the same takes with and without sick neighbours.
  'test/federation/bulkheads.e2e.ts',
  // Sends as much as the machine can.
  'test/flood.e2e.ts',
  // Computes on all processors.
  'test/simulation.e2e.ts',
];
/** Those that take longest begin first, so that none of them is what all wait for at the end. */
const longest = [
  'test/clients-kubectl.e2e.ts',
  'test/main-job.e2e.ts on etcd',
  'test/chaos.e2e.ts',
  'test/several-schedulers.e2e.ts',
  'test/main-job.e2e.ts',
];
/** What a store may show a client otherwise than the embedded one does: these run on etcd as well. */
const alsoOnEtcd = [
  'test/contract.e2e.ts',
  'test/contract-definitions.e2e.ts',
  'test/federation/deletions.e2e.ts',
  'test/federation/downsync.e2e.ts',
  'test/federation/restarts.e2e.ts',
  'test/federation/returns.e2e.ts',
  'test/isolation.e2e.ts',
  'test/main-job.e2e.ts',
];

async function filesUnder(folder: string, suffix: string): Promise<string[]> {
  const entries = await readdir(path.join(root, folder), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(suffix))
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)))
    .filter((file) => words.every((word) => file.includes(word)))
    .sort();
}

/** The unit tests, a part for each lane, of about the same size. */
async function unitTests(): Promise<Suite[]> {
  const files = [...(await filesUnder('src', '.test.ts')), ...(await filesUnder('test', '.test.ts'))];
  const sized = await Promise.all(
    files.map(async (file) => ({ file, size: (await stat(path.join(root, file))).size })),
  );
  const parts = Array.from({ length: Math.min(lanes, files.length) }, () => ({
    files: [] as string[],
    size: 0,
  }));
  for (const { file, size } of sized.toSorted((a, b) => b.size - a.size)) {
    const smallest = parts.reduce((least, part) => (part.size < least.size ? part : least));
    smallest.files.push(file);
    smallest.size += size;
  }
  return parts.map((part, index) => ({
    name: parts.length === 1 ? 'unit tests' : `unit tests ${index + 1} of ${parts.length}`,
    file: path.join('scripts', 'run-unit.ts'),
    env: { CELLPLANE_TEST_FILES: part.files.sort().join('\n') },
  }));
}

const outcomes: Outcome[] = [];

/** What the suites that run now have printed: one's lines stand together. */
const printed = new Map<string, string[]>();
function flush(suite: string): void {
  for (const line of printed.get(suite) ?? []) console.log(line);
  printed.delete(suite);
}
process.on('exit', () => {
  for (const suite of printed.keys()) {
    console.log(`ended while it ran: ${suite}`);
    flush(suite);
  }
});

/** Runs them, `width` at a time. */
async function runAll(suites: readonly Suite[], width: number): Promise<void> {
  const waiting = [...suites];
  const lane = async (index: number) => {
    for (;;) {
      const suite = waiting.shift();
      if (suite === undefined) return;
      const lines: string[] = [];
      printed.set(suite.name, lines);
      const env = { ...suite.env, CELLPLANE_TEST_LANE: `${index}/${width}` };
      outcomes.push(
        await runSuite({ ...suite, env }, { timeoutMs: suiteTimeoutMs, print: (line) => lines.push(line) }),
      );
      flush(suite.name);
    }
  };
  await Promise.all(Array.from({ length: width }, (_, index) => lane(index)));
}

const files = await filesUnder('test', '.e2e.ts');
const bundled = await bundleSuites(files);
const suiteOf = (file: string, more: Partial<Suite> = {}): Suite => ({
  name: file,
  file: bundled.fileOf(file),
  nodeOptions: bundled.nodeOptions,
  ...more,
});
const suites = files.map((file) => suiteOf(file));
const onEtcd = files.filter(
  (file) => alsoOnEtcd.includes(file) && process.env['CELLPLANE_TEST_STORAGE'] !== 'etcd',
);
if (onEtcd.length > 0 && skipWithoutEtcd !== false) {
  outcomes.push({
    name: 'on etcd',
    passed: 0,
    failed: 0,
    skipped: [`on etcd: ${onEtcd.join(', ')} (${skipWithoutEtcd})`],
    exitCode: 0,
    seconds: 0,
    cpuSeconds: undefined,
  });
} else {
  suites.push(
    ...onEtcd.map((file) =>
      suiteOf(file, { name: `${file} on etcd`, env: { CELLPLANE_TEST_STORAGE: 'etcd' } }),
    ),
  );
}
const rank = ({ name }: Suite) => (longest.includes(name) ? longest.indexOf(name) : longest.length);
const together = suites.filter(({ name }) => !alone.includes(name)).toSorted((a, b) => rank(a) - rank(b));
await runAll([...(await unitTests()), ...together], lanes);
await runAll(
  suites.filter(({ name }) => alone.includes(name)),
  1,
);

const skipped = outcomes.flatMap((outcome) => outcome.skipped);
if (skipped.length > 0) {
  console.log('\nskipped:');
  for (const name of skipped) console.log(`  - ${name}`);
}
const passed = outcomes.reduce((sum, outcome) => sum + outcome.passed, 0);
const broken = outcomes.filter((outcome) => outcome.exitCode !== 0 && outcome.failed === 0).length;
const failed = outcomes.reduce((sum, outcome) => sum + outcome.failed, 0) + broken;
const strict = process.env['CELLPLANE_TEST_REQUIRE_ALL'] === '1' && skipped.length > 0;
if (strict) console.log('\nCELLPLANE_TEST_REQUIRE_ALL=1: a skipped suite counts as failed');
console.log(
  `\n${passed} passed, ${failed + (strict ? skipped.length : 0)} failed, ${strict ? 0 : skipped.length} skipped`,
);
process.exitCode = failed > 0 || strict || passed === 0 ? 1 : 0;
