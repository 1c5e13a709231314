import type { ChildMessage } from './supervisor.ts';

/** A running part of Cellplane as its command sees it. */
export interface Running {
  /** The port that it listens on, if it does. */
  readonly port?: number | undefined;
  stop(): Promise<void>;
}

/** Thrown for what the user can mend: shown as one line, without a stack. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export function isSupervised(): boolean {
  return process.env['CELLPLANE_SUPERVISED'] === '1' && process.send !== undefined;
}

/**
 * Starts a long-running part, tells a supervising parent when it is ready, and stops it once on SIGTERM, on SIGINT
 * (unless a parent does the stopping: the terminal sends it to the whole group), or when the parent is gone. A second
 * signal ends the process at once; so does the first while the part still starts, after `cancelStart` has ended what
 * that began outside the process. A part that fails to stop ends its process too.
 */
export async function runUntilStopped(
  start: () => Promise<Running>,
  cancelStart: () => Promise<void> = async () => {},
): Promise<void> {
  const asked = new AbortController();
  const ask = () => {
    if (asked.signal.aborted) process.exit(1);
    asked.abort();
  };
  process.on('SIGTERM', ask);
  if (isSupervised()) {
    process.on('SIGINT', () => {});
    // Also told when this process itself leaves the channel, at its end.
    process.once('disconnect', () => asked.abort());
    // Gone before anybody listened.
    if (!process.connected) asked.abort();
  } else process.on('SIGINT', ask);
  try {
    const running = await startUnlessAsked(start, cancelStart, asked.signal);
    if (running === undefined) {
      process.removeListener('SIGTERM', ask);
      process.kill(process.pid, 'SIGTERM');
      return;
    }
    tellParent({ type: 'ready', port: running.port });
    await aborted(asked.signal);
    await running.stop();
  } finally {
    // An open channel that somebody listens to would keep the process.
    if (process.connected) process.disconnect?.();
  }
}

/** What runs now; undefined when the process was asked to end first, and what had begun has been ended. */
async function startUnlessAsked(
  start: () => Promise<Running>,
  cancelStart: () => Promise<void>,
  asked: AbortSignal,
): Promise<Running | undefined> {
  try {
    const starting = start();
    const running = await Promise.race([starting, aborted(asked)]);
    if (running !== undefined) return running;
    starting.catch(() => {});
    await cancelStart();
    return undefined;
  } catch (error) {
    tellParent({ type: 'failed', message: error instanceof Error ? error.message : String(error) });
    throw error;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function tellParent(message: ChildMessage): void {
  if (isSupervised() && process.connected) process.send?.(message);
}
