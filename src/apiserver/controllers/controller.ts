import { setMaxListeners } from 'node:events';
import type { Clock } from '#apimachinery/clock.ts';
import type { KubeClient } from '#client/client.ts';
import type { Logger } from '#client/logger.ts';
import type { WorkQueueMetrics } from '#client/metrics/work-queue-metrics.ts';
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
  /** Where its queues are counted. */
  readonly queues?: WorkQueueMetrics | undefined;
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
  /** Begins to listen to what fills the queue; returns how to stop. */
  readonly listen: () => readonly (() => void)[];
  /** Fills the queue with all there is to look at: at the start. */
  readonly resync: () => void;
}

/** A queue of keys, what fills it, and the workers on it: all that a controller starts and stops. */
export class KeyedLoop {
  readonly queue: WorkQueue;
  readonly #options: KeyedLoopOptions;
  readonly #loop: ReconcileLoop;
  readonly #stopping = new AbortController();
  #unlisten: readonly (() => void)[] | undefined;

  constructor(options: KeyedLoopOptions) {
    const { name, context, concurrency, reconcile, backoffMaxMs = 30_000 } = options;
    this.#options = options;
    const figures = context.queues?.of(name);
    this.queue = new WorkQueue({ clock: context.clock, backoffMinMs: 20, backoffMaxMs, figures });
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

  /** Fires at the stop. */
  get signal(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Idempotent. */
  start(): void {
    if (this.#unlisten !== undefined) return;
    this.#unlisten = this.#options.listen();
    this.#loop.start();
    this.#options.resync();
  }

  /** Idempotent; resolves when what was under way has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const unlisten of this.#unlisten ?? []) unlisten();
    await this.#loop.stop();
  }
}
