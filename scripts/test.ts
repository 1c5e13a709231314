// Runs every test: unit tests together in one process (a process per file costs a quarter of a minute), then each suite
// that boots processes of its own. Usage: npm test [-- words that a file's path must contain]
import { type ChildProcess, spawn } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { skipWithoutEtcd } from '../test/harness/etcd-server.ts';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const words = process.argv.slice(2).filter((word) => !word.startsWith('--'));

async function filesUnder(folder: string, suffix: string): Promise<string[]> {
  const entries = await readdir(path.join(root, folder), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(suffix))
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)))
    .filter((file) => words.every((word) => file.includes(word)))
    .sort();
}

interface Outcome {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly string[];
  readonly exitCode: number;
  readonly seconds: number;
}

/** A suite that has not ended by then is ended, with all that it started, and counts as failed. */
const suiteTimeoutMs = 900_000;
/** How long it has then to tell what keeps it (`tell-what-is-open.ts`). */
const tellingTimeoutMs = 5_000;

/** Each suite leads a process group, so that nothing it started outlives it or this program. */
let running: ChildProcess | undefined;
function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // All of it has ended.
  }
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    if (running !== undefined) killGroup(running);
    process.exit(1);
  });
}

/** Runs node with the arguments and counts what its TAP says; prints failures and skips as they come. */
function run(name: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const startedMs = Date.now();
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
      detached: true,
    });
    running = child;
    const late = setTimeout(() => {
      console.log(`not ok - ${name} did not end within ${suiteTimeoutMs / 1_000} s`);
      child.kill('SIGUSR2');
      setTimeout(killGroup, tellingTimeoutMs, child);
    }, suiteTimeoutMs);
    let passed = 0;
    let failed = 0;
    const skipped: string[] = [];
    let rest = '';
    let failing = false;
    child.stdout.setEncoding('utf8');
    const line = (text: string) => {
      const test = /^(\s*)(not )?ok \d+ - (.*?)(?: # (SKIP|TODO)(.*))?$/.exec(text);
      if (test !== null) {
        failing = test[2] !== undefined;
        if (failing) console.log(text);
        if (test[4] === 'SKIP')
          skipped.push(`${test[3]}${test[5] === '' ? '' : ` (${(test[5] ?? '').trim()})`}`);
      } else if (/^# (pass|fail) \d+$/.test(text)) {
        const count = Number(text.split(' ')[2]);
        if (text.startsWith('# pass')) passed += count;
        else failed += count;
      } else if (failing || text.startsWith('Bail') || /^(# )?\S*(Error|Warning)/.test(text)) {
        console.log(text);
      }
    };
    child.stdout.on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const text of lines) line(text);
    });
    child.on('exit', () => killGroup(child));
    child.on('close', (code) => {
      clearTimeout(late);
      running = undefined;
      const seconds = (Date.now() - startedMs) / 1_000;
      console.log(
        `${code === 0 ? 'ok  ' : 'FAIL'} ${name}: ${passed} passed, ${failed} failed, ${skipped.length} skipped (${seconds.toFixed(1)} s)`,
      );
      resolve({ name, passed, failed, skipped, exitCode: code ?? 1, seconds });
    });
  });
}

const outcomes: Outcome[] = [];
const reporter = ['--test-reporter=tap'];
const tsx = [
  '--import',
  'tsx',
  '--import',
  './scripts/property-seed.ts',
  '--import',
  './scripts/tell-what-is-open.ts',
];

const unit = [...(await filesUnder('src', '.test.ts')), ...(await filesUnder('test', '.test.ts'))];
if (unit.length > 0) {
  outcomes.push(
    await run('unit tests', ['--expose-gc', ...tsx, ...reporter, path.join('scripts', 'run-unit.ts')], {
      CELLPLANE_TEST_FILES: unit.join('\n'),
    }),
  );
}
const suites = await filesUnder('test', '.e2e.ts');
for (const file of suites) outcomes.push(await run(file, ['--expose-gc', ...tsx, ...reporter, file]));

/** What a store may show a client otherwise than the embedded one does: these run on etcd as well. */
const alsoOnEtcd = [
  'test/contract.e2e.ts',
  'test/federation/deletions.e2e.ts',
  'test/federation/downsync.e2e.ts',
  'test/federation/restarts.e2e.ts',
  'test/federation/returns.e2e.ts',
  'test/isolation.e2e.ts',
  'test/main-job.e2e.ts',
];
const onEtcd = suites.filter(
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
  });
} else {
  for (const file of onEtcd) {
    const args = ['--expose-gc', ...tsx, ...reporter, file];
    outcomes.push(await run(`${file} on etcd`, args, { CELLPLANE_TEST_STORAGE: 'etcd' }));
  }
}

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
