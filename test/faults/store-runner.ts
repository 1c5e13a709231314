import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { LoadReport } from './store-load.ts';
import type { StoreProcessLine, StoreProcessOptions } from './store-process.ts';

export interface StoreRun {
  readonly child: ChildProcess;
  /** Resolves when it writes; rejects never. */
  readonly ready: Promise<void>;
  /** Writes that it has reported as acknowledged. */
  acknowledged(): number;
  /** Resolves when it has ended and all its output was read. */
  readonly ended: Promise<{
    readonly signal: NodeJS.Signals | null;
    readonly failure: Extract<StoreProcessLine, { type: 'failed' }> | undefined;
    readonly isClosed: boolean;
    readonly errors: string;
  }>;
}

/** Starts a store-process and hands what it says to `report`. */
export function startStore(
  script: string,
  options: StoreProcessOptions,
  env: NodeJS.ProcessEnv,
  report: LoadReport,
): StoreRun {
  const child = spawn(process.execPath, [script, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], UV_USE_IO_URING: '0', ...env },
  });
  const killIt = () => child.kill('SIGKILL');
  process.once('exit', killIt);
  child.once('exit', () => process.off('exit', killIt));
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-20_000);
  });
  let acknowledged = 0;
  let failure: Extract<StoreProcessLine, { type: 'failed' }> | undefined;
  let isClosed = false;
  let isReady = () => {};
  const ready = new Promise<void>((resolve) => {
    isReady = resolve;
  });
  const take = (line: StoreProcessLine): void => {
    switch (line.type) {
      case 'ready':
        isReady();
        break;
      case 'acknowledged':
        acknowledged++;
        report.acknowledged(line.written, line.revision);
        break;
      case 'unknown':
        report.unknown(line.written);
        break;
      case 'refused':
        report.refused(line.written);
        break;
      case 'seen':
        report.seen(line.revision);
        break;
      case 'closed':
        isClosed = true;
        break;
      case 'failed':
        failure = line;
        break;
    }
  };
  const exited = once(child, 'exit');
  const read = async (): Promise<void> => {
    for await (const text of createInterface({ input: child.stdout })) {
      // The last line of a killed process may be cut.
      if (text.endsWith('}')) take(JSON.parse(text) as StoreProcessLine);
    }
  };
  const ended = (async () => {
    try {
      await read();
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
    await exited;
    isReady();
    return { signal: child.signalCode, failure, isClosed, errors };
  })();
  // Whoever awaits it gets it; nobody does while the process is being waited for.
  ended.catch(() => isReady());
  return { child, ready, acknowledged: () => acknowledged, ended };
}
