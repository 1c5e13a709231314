import type { Clock } from '#apimachinery/clock.ts';
import type { KubeClient } from '#client/client.ts';
import type { Logger } from '#client/logger.ts';
import type { WorkSharing } from '#client/queue/work-sharing.ts';
import type { ClientStore } from '#client/store-client.ts';
import type { EvictionRates } from './failover/eviction-limiter.ts';
import type { QueueLength } from './queues.ts';

/**
 * Enough that API server and scheduler have something to do while others are on their way to the disk. What is under way is kept in
 * memory: rendered copies, requests, pages of what was read (decision 221).
 */
export const defaultConcurrency = 256;

export interface SchedulerOptions {
  readonly client: KubeClient;
  /** Makes a client of which the calls are for one store alone. Absent: what is decided may meet a store that was put back. */
  readonly clientOf?: ((store: ClientStore) => KubeClient) | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Objects worked on at once. Default 256. */
  readonly concurrency?: number | undefined;
  /** How long a mapped namespace must be empty before it goes. */
  readonly emptyNamespaceMs?: number | undefined;
  /** How long to wait before asking again for a kind that a policy names and nobody serves. */
  readonly discoveryRetryMs?: number | undefined;
  /**
   * At most one gathering of an object's status in this time, after the first (two, where the kind has a status), and one
   * writing of how far a policy's rollouts are. Default 1,000.
   */
  readonly gatherIntervalMs?: number | undefined;
  /** How soon estimators are asked again for what has no room by their word: they tell of no change. Default 30,000. */
  readonly estimateAgainMs?: number | undefined;
  /** How long replicas count as under way in a cell whose pods are watched, once they are there. Default 10,000. */
  readonly landedMs?: number | undefined;
  /** How fast failover takes objects from cells. */
  readonly eviction?: EvictionRates | undefined;
  /** How the work is divided among several schedulers; asked again for every new beginning. Default: this one is the only one. */
  readonly sharing?: (() => WorkSharing) | undefined;
  /** Cuts the hash in mapped names: for tests that must see collisions. */
  readonly hashBits?: number | undefined;
}

export interface Scheduler {
  /** Resolves when all caches are complete and work has begun; rejects when `signal` fires before. */
  start(signal: AbortSignal): Promise<void>;
  /** Idempotent; resolves when nothing runs any more. */
  stop(): Promise<void>;
  /** True from the end of `start` on, while the watches are connected. */
  readonly ready: boolean;
  /** Nothing waits to be worked on now: for tests, and for an ordered shutdown. */
  readonly idle: boolean;
  /** How much waits, queue by queue. */
  queueLengths(): readonly QueueLength[];
}
