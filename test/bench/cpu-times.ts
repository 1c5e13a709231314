import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { until } from '../harness/until.ts';

/** CPU time in milliseconds of processes, all threads, by the name that they are given. */
export type CpuTimes = ReadonlyMap<string, number>;

let tickMs: number | undefined;

export async function cpuTimesOf(processes: ReadonlyMap<string, number>): Promise<CpuTimes> {
  tickMs ??= 1_000 / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  const times = new Map<string, number>();
  for (const [name, pid] of processes) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // User and system time: fields 14 and 15 of proc(5), counted from behind the name, which may hold spaces.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    times.set(name, (Number(fields[11]) + Number(fields[12])) * tickMs);
  }
  return times;
}

/** Resolves when the processes together use less than a tenth of a processor: nothing queues up in them any more. */
export async function atRest(processes: ReadonlyMap<string, number>): Promise<void> {
  const lookMs = 500;
  const total = async () => [...(await cpuTimesOf(processes)).values()].reduce((sum, ms) => sum + ms, 0);
  const isAtRest = async () => {
    const before = await total();
    await setTimeout(lookMs);
    return (await total()) - before < lookMs / 10;
  };
  await until('the processes are at rest', isAtRest, { timeoutMs: 120_000 });
}
