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

export interface KeyedControllerOptions {
  readonly name: string;
  /** Keys that are looked at at the same time. */
  readonly concurrency: number;
  /** Longest wait between tries of a key that keeps failing. Default 30,000. */
  readonly backoffMaxMs?: number | undefined;
}

/** A controller with a queue of keys, what fills it, and the workers on it. `Key` is what it puts there. */
export abstract class KeyedController<Key extends string = string> implements Controller {
  readonly name: string;
  protected readonly context: ControllerContext;
  protected readonly queue: WorkQueue;
  readonly #loop: ReconcileLoop;
  readonly #stopping = new AbortController();
  #unlisten: readonly (() => void)[] | undefined;

  constructor(
    context: ControllerContext,
    { name, concurrency, backoffMaxMs = 30_000 }: KeyedControllerOptions,
  ) {
    this.name = name;
    this.context = context;
    const figures = context.queues?.of(name);
    this.queue = new WorkQueue({ clock: context.clock, backoffMinMs: 20, backoffMaxMs, figures });
    this.#loop = new ReconcileLoop({
      name,
      queue: this.queue,
      reconcile: (key, signal) => {
        // Every call under way listens to it: bounded by the concurrency, but by more than Node expects.
        setMaxListeners(0, signal);
        return this.reconcile(key as Key, signal);
      },
      concurrency,
      logger: context.logger,
    });
  }

  /** Begins to listen to what fills the queue; returns how to stop. */
  protected abstract listen(): readonly (() => void)[];

  /** Fills the queue with all there is to look at: at the start. */
  protected abstract resync(): void;

  protected abstract reconcile(key: Key, signal: AbortSignal): Promise<ReconcileResult>;

  /** Fires at the stop. */
  protected get signal(): AbortSignal {
    return this.#stopping.signal;
  }

  start(): void {
    if (this.#unlisten !== undefined) return;
    this.#unlisten = this.listen();
    this.#loop.start();
    this.resync();
  }

  /** Resolves when what was under way has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const unlisten of this.#unlisten ?? []) unlisten();
    await this.#loop.stop();
  }
}
