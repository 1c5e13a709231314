import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import type { Random } from '../harness/random.ts';
import type { StartedConstellation } from '../harness/started.ts';

const waitMinMs = 1_200;
const waitMaxMs = 3_500;
const pauseMinMs = 500;
const pauseMaxMs = 4_000;

/** How often each process is struck, relative to the others. */
const targets = {
  apiserver: 2,
  scheduler: 2,
  'federator-a': 2,
  'federator-b': 1,
  'edge-pop-a-cell-a': 1,
  'edge-pop-b-cell-b': 1,
} as const;

/** Kills and pauses processes of a constellation at random until the signal fires; returns what it did, in words. */
export async function runFaults(
  constellation: StartedConstellation,
  random: Random,
  signal: AbortSignal,
): Promise<string[]> {
  const startedMs = Date.now();
  const done: string[] = [];
  const pauses: Promise<void>[] = [];
  const apiserverDiesAt = random.between(1, 6);
  let count = 0;
  while (!signal.aborted) {
    await setTimeout(random.between(waitMinMs, waitMaxMs));
    if (signal.aborted) break;
    // Whatever chance says, the API server dies at least once.
    const isDue = count++ === apiserverDiesAt;
    const name = isDue ? 'apiserver' : random.weighted(targets);
    const how = isDue ? 'kill' : random.weighted({ kill: 3, pause: 2 });
    const pauseMs = random.between(pauseMinMs, pauseMaxMs);
    const pid = (await constellation.processIds())[name];
    const at = `${((Date.now() - startedMs) / 1_000).toFixed(1)} s`;
    if (pid === undefined || !belongsTo(pid, constellation.folder)) {
      done.push(`${at}: ${name} is not running`);
    } else if (how === 'kill') {
      send(pid, 'SIGKILL');
      done.push(`${at}: ${name} killed`);
    } else {
      send(pid, 'SIGSTOP');
      done.push(`${at}: ${name} paused for ${pauseMs} ms`);
      pauses.push(setTimeout(pauseMs).then(() => send(pid, 'SIGCONT')));
    }
  }
  await Promise.all(pauses);
  return done;
}

/** Whether the process is still the one that was meant: ids are given again. */
function belongsTo(pid: number, folder: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(folder);
  } catch {
    return false;
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone meanwhile.
  }
}
