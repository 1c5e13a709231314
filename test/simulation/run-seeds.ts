import { fork } from 'node:child_process';
import { once } from 'node:events';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import type { SimulationOutcome } from './simulate.ts';

/** Simulations at once: each is a process that computes without a pause. */
const processesMax = Math.min(4, os.availableParallelism());
/** A run that takes longer does not come to an end. */
const seedTimeoutMs = 300_000;

/**
 * The outcomes of seeds from `first` on, as they come. Processes of their own run them, a share of the seeds each, so that
 * what one leaves behind is no other's.
 */
export async function* runSeeds(options: {
  readonly first: number;
  readonly count: number;
}): AsyncGenerator<SimulationOutcome, void, undefined> {
  const { first, count } = options;
  const outcomes: SimulationOutcome[] = [];
  let wake: () => void = () => {};
  let failure: Error | undefined;
  let next = 0;
  let open = 0;
  const program = fileURLToPath(new URL('./seed-process.ts', import.meta.url));
  const run = async () => {
    const child = fork(program, {
      execArgv: ['--import', 'tsx'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const exited = once(child, 'exit').then(() => undefined);
    try {
      while (next < count && failure === undefined) {
        const seed = first + next++;
        child.send({ seed });
        const answered = once(child, 'message').then(([message]) => message as SimulationOutcome);
        let timer: NodeJS.Timeout | undefined;
        const late = new Promise<undefined>((resolve) => {
          timer = setTimeout(() => resolve(undefined), seedTimeoutMs);
        });
        const outcome = await Promise.race([answered, exited, late]);
        clearTimeout(timer);
        if (outcome === undefined) throw new Error(`seed ${seed} did not come to an end`);
        outcomes.push(outcome);
        wake();
      }
    } finally {
      child.kill();
      await exited;
    }
  };
  for (let at = 0; at < Math.min(processesMax, count); at++) {
    open++;
    run()
      .catch((error: Error) => {
        failure ??= error;
      })
      .finally(() => {
        open--;
        wake();
      });
  }
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
