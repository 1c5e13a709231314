import { type ChildProcess, fork } from 'node:child_process';
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
 * The first three runs of a process take twice the time of later ones, which find their code compiled; its heap grows with each.
 * They are the seeds that follow one another, so that what a process ran before is the same every time.
 */
const seedsPerProcessMax = 36;
/**
 * A run is over before most of its code would have been found worth compiling: compiled at once it takes an eighth less. Nearly all
 * that it makes is dropped at once: with room for more of that, a tenth less again.
 */
const execArgv = ['--always-sparkplug', '--max-semi-space-size=32'];

/**
 * The outcomes of `seeds` as they come. A run is what its seed alone makes it, whatever its process ran before
 * (`VirtualTime` begins each with nothing that an earlier one left): what is found is found again by the seed alone.
 */
export async function* runSeeds(options: {
  readonly seeds: readonly number[];
  /** Ends it, as its caller's end does: no run goes on, the signal's reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}): AsyncGenerator<SimulationOutcome, void, undefined> {
  const waiting = [...options.seeds];
  const ending = new AbortController();
  const signal = AbortSignal.any([ending.signal, options.signal ?? ending.signal]);
  await using folder = await temporaryFolder();
  const program = await bundleScript(new URL('./seed-process.ts', import.meta.url), folder.path);
  const outcomes: SimulationOutcome[] = [];
  let wake: () => void = () => {};
  let failure: Error | undefined;
  const seedsPerProcess = Math.min(seedsPerProcessMax, Math.ceil(waiting.length / processesMax));
  let open = Math.min(processesMax, waiting.length);
  const run = async () => {
    while (waiting.length > 0 && failure === undefined) {
      await using process = new SeedProcess(program, signal);
      for (const seed of waiting.splice(0, seedsPerProcess)) {
        if (failure !== undefined) return;
        outcomes.push(await process.run(seed));
        wake();
      }
    }
  };
  const runs = Array.from({ length: open }, () =>
    run()
      .catch((error: Error) => {
        failure ??= error;
      })
      .finally(() => {
        open--;
        wake();
      }),
  );
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

/** A process that runs one seed after the other; it ends with the signal. */
class SeedProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #signal: AbortSignal;
  readonly #closed: Promise<undefined>;
  readonly #kill = () => void this.#child.kill('SIGKILL');

  constructor(program: string, signal: AbortSignal) {
    signal.throwIfAborted();
    this.#signal = signal;
    this.#child = fork(program, { execArgv, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    endWithThisProcess(this.#child);
    // After its last answer, which a process that has ended may still have under way.
    this.#closed = once(this.#child, 'close').then(() => undefined);
    signal.addEventListener('abort', this.#kill, { once: true });
  }

  async run(seed: number): Promise<SimulationOutcome> {
    const answered = once(this.#child, 'message').then(([message]) => message as SimulationOutcome);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(resolve, seedTimeoutMs, undefined);
    });
    try {
      this.#child.send(seed, () => {}); // one that has ended is seen below
      const outcome = await Promise.race([answered, this.#closed, late]);
      this.#signal.throwIfAborted();
      if (outcome === undefined) throw new Error(`seed ${seed} did not come to an end`);
      return outcome;
    } finally {
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal.removeEventListener('abort', this.#kill);
    this.#kill();
    await this.#closed;
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

/** `count` seeds from `first` on. */
export function seedsFrom(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}
