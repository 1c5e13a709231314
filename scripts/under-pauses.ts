// Suites while their processes are paused at random, as a busy or migrating machine pauses them: each keeps its promises then,
// and no test may fail by chance. Usage: npm run pauses -- [--seed N] [--max-ms N] [--times N] [words that a file's path must
// contain]. A pause falls on one process of the suite (its own, a server, a federator, etcd, …) or, rarer, on all of them.
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Random } from '../test/harness/random.ts';
import { seedOfNow } from '../test/harness/seed.ts';
import { type Outcome, root, runSuite } from './run-suite.ts';

const { values, positionals: words } = parseArgs({
  options: { seed: { type: 'string' }, 'max-ms': { type: 'string' }, times: { type: 'string' } },
  allowPositionals: true,
});
const seed = values.seed === undefined ? seedOfNow() : Number(values.seed);
const pauseMinMs = 500;
const pauseMaxMs = Number(values['max-ms'] ?? 6_000);
/** Between two pauses, so that things also go on. */
const gapMaxMs = 2_500;
/** Of so many pauses one stops all processes at once. */
const oneInPausesAll = 6;
const suiteTimeoutMs = 3_000_000;

interface ProcessState {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly name: string;
  /** proc(5): T is stopped, Z has ended. */
  readonly state: string;
}

async function processes(): Promise<ProcessState[]> {
  const found: ProcessState[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = await readFile(`/proc/${name}/stat`, 'utf8');
      const [, pid, title, state, parent, group] = /^(\d+) \((.*)\) (\S) (\d+) (\d+)/s.exec(stat) ?? [];
      const args = (await readFile(`/proc/${name}/cmdline`, 'utf8')).split('\0');
      const told =
        args.find((arg) => /\.(ts|js|mjs)$/.test(arg)) === undefined ? title : args.slice(-9).join(' ');
      found.push({
        pid: Number(pid),
        parent: Number(parent),
        group: Number(group),
        state: state ?? '',
        name: told ?? '',
      });
    } catch {
      // It has ended meanwhile.
    }
  }
  return found;
}

/** The suite's process, its group, and all that descends from it. */
async function familyOf(leader: number): Promise<ProcessState[]> {
  const all = await processes();
  const family = new Set([leader]);
  for (let before = 0; before !== family.size; ) {
    before = family.size;
    for (const one of all) if (one.group === leader || family.has(one.parent)) family.add(one.pid);
  }
  return all.filter((one) => family.has(one.pid));
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended meanwhile.
  }
}

/** Pauses what the leader started until told to end. */
async function pauseAtRandom(leader: number, random: Random, over: AbortSignal): Promise<string[]> {
  const done: string[] = [];
  const beganMs = performance.now();
  const wait = (ms: number) => setTimeout(ms, undefined, { signal: over }).catch(() => undefined);
  while (!over.aborted) {
    await wait(random.between(50, gapMaxMs));
    // What is stopped already was stopped by the suite, which wants it so.
    const family = (await familyOf(leader)).filter((one) => one.state !== 'T' && one.state !== 'Z');
    if (family.length === 0 || over.aborted) continue;
    const chosen = random.between(1, oneInPausesAll) === 1 ? family : [random.pick(family)];
    const ms = random.between(pauseMinMs, pauseMaxMs);
    const at = ((performance.now() - beganMs) / 1_000).toFixed(1);
    done.push(`${at} s: ${ms} ms, ${chosen.length > 1 ? 'all' : `${chosen[0]?.pid} ${chosen[0]?.name}`}`);
    for (const one of chosen) signal(one.pid, 'SIGSTOP');
    await wait(ms);
    for (const one of chosen) signal(one.pid, 'SIGCONT');
  }
  return done;
}

const files = (await readdir(path.join(root, 'test'), { recursive: true }))
  .map((name) => path.join('test', name))
  .filter((name) => name.endsWith('.e2e.ts') || /^test\/.*\.test\.ts$/.test(name))
  .filter((name) => words.some((word) => name.includes(word)));
// A unit test is named by its whole path.
files.push(...words.filter((word) => word.startsWith('src/')));
if (files.length === 0) throw new Error('name suites by words that their paths contain');

const failed: string[] = [];
for (let time = 0; time < Number(values.times ?? 1); time++) {
  for (const file of files.sort()) {
    const over = new AbortController();
    let paused: Promise<string[]> = Promise.resolve([]);
    const name = `${file}, --seed ${seed + time}`;
    const outcome: Outcome = await runSuite(
      { name, file },
      {
        timeoutMs: suiteTimeoutMs,
        print: (line) => console.log(line),
        started: (pid) => {
          paused = pauseAtRandom(pid, new Random(seed + time), over.signal);
        },
      },
    );
    over.abort();
    const pauses = await paused;
    console.log(`     ${pauses.length} pauses`);
    if (outcome.exitCode === 0) continue;
    failed.push(name);
    for (const one of pauses) console.log(`     ${one}`);
  }
}
if (failed.length > 0) console.log(`failed: ${failed.join('; ')}`);
process.exitCode = failed.length > 0 ? 1 : 0;
