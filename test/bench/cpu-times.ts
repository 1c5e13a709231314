import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { told } from './progress.ts';

/** CPU time in milliseconds of processes, all threads, by the name that they are given. */
type CpuTimes = ReadonlyMap<string, number>;

let tickMs: number | undefined;

async function cpuTimesOf(processes: ReadonlyMap<string, number>): Promise<CpuTimes> {
  tickMs ??= 1_000 / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  const times = new Map<string, number>();
  for (const [name, pid] of processes) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch((cause: unknown) => {
      throw new Error(`${name}, process ${pid}, has ended`, { cause });
    });
    // User and system time: fields 14 and 15 of proc(5), counted from behind the name, which may hold spaces.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    times.set(name, (Number(fields[11]) + Number(fields[12])) * tickMs);
  }
  return times;
}

const lookMs = 500;
const looksOfWindow = 6;
const restLimitMs = 120_000;
/** Of one processor. */
const restShare = 0.1;

/**
 * Resolves when the processes together use less than a tenth of a processor, so that nothing queues up in them any more; or
 * when they do not use less and less, over three seconds and the three before: on a busy machine what little is always done
 * takes longer. After two minutes in any case; both are told on standard error.
 */
export async function atRest(processes: ReadonlyMap<string, number>): Promise<void> {
  const total = async () => [...(await cpuTimesOf(processes)).values()].reduce((sum, ms) => sum + ms, 0);
  const shares: number[] = [];
  const startedMs = performance.now();
  for (;;) {
    const beforeMs = await total();
    const lookedMs = performance.now();
    await setTimeout(lookMs);
    const share = ((await total()) - beforeMs) / (performance.now() - lookedMs);
    if (share < restShare) return;
    shares.push(share);
    const last = Math.min(...shares.slice(-looksOfWindow));
    const before = shares.slice(-2 * looksOfWindow, -looksOfWindow);
    const isSteady = before.length === looksOfWindow && last >= 0.9 * Math.min(...before);
    if (!isSteady && performance.now() - startedMs < restLimitMs) continue;
    told(`the processes do not come to rest: ${share.toFixed(2)} of a processor`);
    return;
  }
}
