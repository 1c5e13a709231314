// A process of tests, as `npm test` and `npm run pauses` start it: counts what its TAP says, and is ended with all that it
// started, at the latest when its time is over.
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

export interface Outcome {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly string[];
  readonly exitCode: number;
  readonly seconds: number;
  /** Of processor time, its own and that of what it started and saw end; undefined where the system does not tell. */
  readonly cpuSeconds: number | undefined;
}

export interface Suite {
  readonly name: string;
  readonly file: string;
  /** Node's; by default those that run sources. */
  readonly nodeOptions?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

export interface RunOptions {
  /** A suite that has not ended by then is ended and counts as failed. */
  readonly timeoutMs: number;
  /** Told lines worth seeing, as they come. */
  print(line: string): void;
  /** Told the process's id, which is also that of its group. */
  started?(pid: number): void;
}

/** How long a suite that is late has to tell what keeps it (`test-process.ts`). */
const tellingTimeoutMs = 5_000;

/** Each suite leads a process group, so that nothing it started outlives it or this program. */
const running = new Set<ChildProcess>();
function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // All of it has ended.
  }
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    for (const child of running) killGroup(child);
    process.exit(1);
  });
}

/** What every test process begins with. */
export const preloaded = ['scripts/property-seed.ts', 'scripts/test-process.ts'];
const fromSources = ['tsx', ...preloaded.map((file) => `./${file}`)].flatMap((one) => ['--import', one]);

/** Runs it to its end; prints failures as they come. */
export function runSuite(suite: Suite, { timeoutMs, print, started }: RunOptions): Promise<Outcome> {
  const { name } = suite;
  const startedMs = performance.now();
  return new Promise((resolve) => {
    const options = ['--expose-gc', '--test-reporter=tap', ...(suite.nodeOptions ?? fromSources)];
    const child = spawn(process.execPath, [...options, suite.file], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...suite.env },
      detached: true,
    });
    running.add(child);
    if (child.pid !== undefined) started?.(child.pid);
    const late = setTimeout(() => {
      print(`not ok - ${name} did not end within ${timeoutMs / 1_000} s`);
      child.kill('SIGUSR2');
      setTimeout(killGroup, tellingTimeoutMs, child);
    }, timeoutMs);
    let passed = 0;
    let failed = 0;
    let cpuSeconds: number | undefined;
    const skipped: string[] = [];
    let failing = false;
    const line = (text: string) => {
      const test = /^(\s*)(not )?ok \d+ - (.*?)(?: # (SKIP|TODO)(.*))?$/.exec(text);
      if (test !== null) {
        failing = test[2] !== undefined;
        if (failing) print(text);
        if (test[4] === 'SKIP')
          skipped.push(`${test[3]}${test[5] === '' ? '' : ` (${(test[5] ?? '').trim()})`}`);
      } else if (/^# (pass|fail) \d+$/.test(text)) {
        const count = Number(text.split(' ')[2]);
        if (text.startsWith('# pass')) passed += count;
        else failed += count;
      } else if (text.startsWith('# cpu seconds ')) {
        cpuSeconds = Number(text.split(' ')[3]);
      } else if (failing || text.startsWith('Bail') || /^(# )?\S*(Error|Warning)/.test(text)) {
        print(text);
      }
    };
    readLines(child.stdout, line);
    readLines(child.stderr, print);
    child.on('exit', () => killGroup(child));
    child.on('close', (code) => {
      clearTimeout(late);
      running.delete(child);
      const seconds = (performance.now() - startedMs) / 1_000;
      const cpu = cpuSeconds === undefined ? '' : `, ${cpuSeconds.toFixed(1)} s of CPU`;
      print(
        `${code === 0 ? 'ok  ' : 'FAIL'} ${name}: ${passed} passed, ${failed} failed, ${skipped.length} skipped (${seconds.toFixed(1)} s${cpu})`,
      );
      resolve({ name, passed, failed, skipped, exitCode: code ?? 1, seconds, cpuSeconds });
    });
  });
}

function readLines(stream: Readable, line: (text: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const text of lines) line(text);
  });
  stream.on('end', () => {
    if (rest !== '') line(rest);
  });
}
