import { setMaxListeners } from 'node:events';
import type { Clock } from '#apimachinery/clock.ts';
import type { KubeClient } from '#client/client.ts';
import type { Logger } from '#client/logger.ts';
import { ReconcileLoop, type ReconcileResult } from '#client/reconcile.ts';
import { WorkQueue } from '#client/workqueue.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import type { WorkspaceDirectory } from '../workspace/workspace-index.ts';
import type { StoreEvents } from './store-events.ts';

/** What every controller works with. */
export interface ControllerContext {
  readonly storage: CachedStorage;
  readonly events: StoreEvents;
  readonly index: WorkspaceDirectory;
  /** The loopback client: writes pass admission, as the server's own user. */
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** One for all workspaces. `start` and `stop` are idempotent; a stopped one is not started again. */
export interface Controller {
  readonly name: string;
  start(): void;
  stop(): Promise<void>;
}

export interface KeyedLoopOptions {
  readonly name: string;
  readonly context: ControllerContext;
  readonly concurrency: number;
  readonly reconcile: (key: string, signal: AbortSignal) => Promise<ReconcileResult>;
  /** Longest wait between tries of a key that keeps failing. Default 30,000. */
  readonly backoffMaxMs?: number | undefined;
}

/** A queue of keys and the workers on it. */
export class KeyedLoop {
  readonly queue: WorkQueue;
  readonly #loop: ReconcileLoop;

  constructor({ name, context, concurrency, reconcile, backoffMaxMs = 30_000 }: KeyedLoopOptions) {
    this.queue = new WorkQueue({ clock: context.clock, backoffMinMs: 20, backoffMaxMs });
    this.#loop = new ReconcileLoop({
      name,
      queue: this.queue,
      reconcile: (key, signal) => {
        // Every call under way listens to it: bounded by the concurrency, but by more than Node expects.
        setMaxListeners(0, signal);
        return reconcile(key, signal);
      },
      concurrency,
      logger: context.logger,
    });
  }

  start(): void {
    this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }
}
