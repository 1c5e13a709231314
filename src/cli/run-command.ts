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
 * signal ends the process at once.
 */
export async function runUntilStopped(start: () => Promise<Running>): Promise<void> {
  let running: Running;
  try {
    running = await start();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    tellParent({ type: 'failed', message });
    throw error;
  }
  const stopped = new Promise<void>((resolve, reject) => {
    let signals = 0;
    const stop = () => {
      signals++;
      if (signals > 1) process.exit(1);
      running.stop().then(resolve, reject);
    };
    process.on('SIGTERM', stop);
    if (isSupervised()) {
      process.on('SIGINT', () => {});
      // Also told when this process itself leaves the channel, at its end.
      process.once('disconnect', () => {
        if (signals === 0) stop();
      });
    } else process.on('SIGINT', stop);
  });
  tellParent({ type: 'ready', port: running.port });
  await stopped;
  if (isSupervised()) process.disconnect?.();
}

function tellParent(message: ChildMessage): void {
  if (isSupervised()) process.send?.(message);
}
