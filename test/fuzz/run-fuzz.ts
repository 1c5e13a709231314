import { fork } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

export interface FuzzResult {
  readonly runs: number;
  readonly grownBytes: number;
  /** In words, with the seed that shows each again. */
  readonly failures: readonly string[];
}

type Message =
  | { readonly type: 'progress'; readonly target: string; readonly runs: number }
  | { readonly type: 'failure'; readonly target: string; readonly seed: number; readonly report: string }
  | { readonly type: 'done'; readonly runs: number; readonly failures: number; readonly grownBytes: number };

/** Fifty inputs take some milliseconds: a process that says nothing for so long hangs, however busy the machine is. */
const silenceMsMax = 120_000;
/** Until it has begun: its modules are compiled first. */
const startMsMax = 300_000;
const heapMiBMax = 1_500;

/** Runs a fuzzing process for about `ms`; `words` choose among the decoders. Resolves when it has ended. */
export async function runFuzz(options: {
  readonly seed: number;
  readonly ms: number;
  readonly words?: readonly string[] | undefined;
  readonly onProgress?: ((runs: number, target: string) => void) | undefined;
}): Promise<FuzzResult> {
  const journal = path.join(os.tmpdir(), `cellplane-fuzz-${process.pid}-${options.seed}`);
  const args = [String(options.seed), String(options.ms), journal, ...(options.words ?? [])];
  const child = fork(path.resolve('test/fuzz/fuzz-process.ts'), args, {
    execArgv: ['--no-warnings', '--import', 'tsx', '--expose-gc', `--max-old-space-size=${heapMiBMax}`],
  });
  const failures: string[] = [];
  let runs = 0;
  let grownBytes = 0;
  let isDone = false;
  let silence: NodeJS.Timeout | undefined;
  const watch = (ms: number): void => {
    clearTimeout(silence);
    silence = setTimeout(() => child.kill('SIGKILL'), ms);
  };
  watch(startMsMax);
  child.on('message', (message: Message) => {
    watch(silenceMsMax);
    if (message.type === 'failure')
      failures.push(`${message.target}, seed ${message.seed}:\n${message.report}`);
    else {
      runs = message.runs;
      if (message.type === 'progress') options.onProgress?.(runs, message.target);
      else {
        isDone = true;
        grownBytes = message.grownBytes;
      }
    }
  });
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) => {
    child.once('exit', (...end) => resolve(end));
  });
  clearTimeout(silence);
  if (!isDone) {
    const [input = ''] = (await readFile(journal, 'utf8').catch(() => '')).split('\u0000');
    failures.push(
      `the process ended with ${signal ?? code}, or was ended after ${silenceMsMax} ms without a word, at:\n${input}`,
    );
  }
  await rm(journal, { force: true });
  return { runs, grownBytes, failures };
}
