import { readFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { temporaryFolder } from '../harness/processes.ts';
import { startApiServer } from './api-server.ts';
import { type Row, row } from './table.ts';

export async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
}

/** From an empty folder to ready, and what an idle server holds. */
export async function benchStartUp(): Promise<Row[]> {
  const times: number[] = [];
  let idleBytes = 0;
  for (let run = 0; run < 5; run++) {
    await using folder = await temporaryFolder();
    await using server = await startApiServer(folder.path);
    times.push(server.readyAfterMs);
    if (run === 4) {
      await setTimeout(3_000);
      idleBytes = await residentBytes(server.pid);
    }
  }
  times.sort((a, b) => a - b);
  return [
    row(
      'cold start of cellplane apiserver on an empty folder',
      times[2] ?? Number.NaN,
      'ms',
      `median of 5 (${times.map((ms) => ms.toFixed(0)).join(', ')}); goal 1,000`,
    ),
    row('resident memory when idle', idleBytes / 1_048_576, 'MB', 'goal 150'),
  ];
}
