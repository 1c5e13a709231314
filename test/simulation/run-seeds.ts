import { fork } from 'node:child_process';
import { once } from 'node:events';
import os from 'node:os';
import { bundleScript } from '../harness/bundle-script.ts';
import { endWithThisProcess } from '../harness/child-process.ts';
import { temporaryFolder } from '../harness/processes.ts';
import type { SimulationOutcome } from './simulate.ts';

/** Simulations at once: each is a process that computes without a pause. */
const processesMax = Math.min(4, os.availableParallelism());
/** A run that takes longer does not come to an end. */
const seedTimeoutMs = 600_000;

/**
 * The outcomes of seeds from `first` on, as they come. Each runs in a process of its own: modules loaded and random bytes
 * drawn by an earlier one would make it another run than its seed alone does.
 */
export async function* runSeeds(options: {
  readonly first: number;
  readonly count: number;
  /** Ends it, as its caller's end does: no run goes on, the signal's reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}): AsyncGenerator<SimulationOutcome, void, undefined> {
  const { first, count } = options;
  const ending = new AbortController();
  const signal = AbortSignal.any([ending.signal, options.signal ?? ending.signal]);
  await using folder = await temporaryFolder();
  const program = await bundleScript(new URL('./seed-process.ts', import.meta.url), folder.path);
  const outcomes: SimulationOutcome[] = [];
  let wake: () => void = () => {};
  let failure: Error | undefined;
  let next = 0;
  let open = 0;
  const runs: Promise<void>[] = [];
  const run = async () => {
    while (next < count && failure === undefined) {
      outcomes.push(await runSeed(program, first + next++, signal));
      wake();
    }
  };
  for (let at = 0; at < Math.min(processesMax, count); at++) {
    open++;
    const one = run()
      .catch((error: Error) => {
        failure ??= error;
      })
      .finally(() => {
        open--;
        wake();
      });
    runs.push(one);
  }
  try {
    for (;;) {
      const outcome = outcomes.shift();
      if (outcome !== undefined) yield outcome;
      else if (failure !== undefined) throw failure;
      else if (open === 0) return;
      else
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
  } finally {
    ending.abort();
    await Promise.all(runs);
  }
}

async function runSeed(program: string, seed: number, signal: AbortSignal): Promise<SimulationOutcome> {
  signal.throwIfAborted();
  const child = fork(program, [String(seed)], {
    execArgv: [],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  endWithThisProcess(child);
  const endIt = () => child.kill('SIGKILL');
  signal.addEventListener('abort', endIt);
  // After its answer, which a process that has ended may still have under way.
  const closed = once(child, 'close').then(() => undefined);
  const answered = once(child, 'message').then(([message]) => message as SimulationOutcome);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), seedTimeoutMs);
  });
  try {
    const outcome = await Promise.race([answered, closed, late]);
    signal.throwIfAborted();
    if (outcome === undefined) throw new Error(`seed ${seed} did not come to an end`);
    return outcome;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', endIt);
    child.kill('SIGKILL');
    await closed;
  }
}

const violationsShownMax = 40;

/** An outcome that is not as it should be, in words. */
export function reportOf({ seed, violations, journal }: SimulationOutcome): string {
  return [
    `seed ${seed} (npm run simulate -- --seed ${seed} --seeds 1):`,
    ...violations.slice(0, violationsShownMax),
    `(${violations.length} in all)`,
    '',
    'what was done:',
    ...journal,
  ].join('\n');
}
