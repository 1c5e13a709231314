import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { until } from '../harness/until.ts';

export interface SettledMemory extends AsyncDisposable {
  /** For the server's environment. */
  readonly env: NodeJS.ProcessEnv;
  /** What the server keeps: bytes resident, and of them on the JavaScript heap, once its garbage is collected. */
  measure(pid: number): Promise<{ readonly rssBytes: number; readonly heapBytes: number }>;
}

/** Resident memory grows with whatever has not been collected yet: this has a server collect before it is measured. */
export async function settledMemory(): Promise<SettledMemory> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'cellplane-memory-'));
  const file = path.join(folder, 'memory.json');
  const hook = pathToFileURL(path.resolve('test/bench/collect-garbage.mjs')).href;
  return {
    env: { NODE_OPTIONS: `--import=${hook}`, BENCH_MEMORY_FILE: file },
    measure: async (pid) => {
      await rm(file, { force: true });
      process.kill(pid, 'SIGUSR2');
      const told = await until('the server has told its memory', () => read(file), { timeoutMs: 60_000 });
      return { rssBytes: told.rss, heapBytes: told.heapUsed };
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

async function read(file: string): Promise<NodeJS.MemoryUsage | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as NodeJS.MemoryUsage;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
