import { randomUUID } from 'node:crypto';
import type { Job, Queue, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { type Clock, sleep } from '#apimachinery/clock.ts';
import type { Logger } from '../logger.ts';
import type { Priority } from './key-queue.ts';
import { retire } from './redis-connections.ts';

export interface BullLaneOptions {
  readonly bullmq: typeof import('bullmq');
  readonly prompt: Redis;
  readonly patient: Redis;
  /** See RedisConnections. */
  readonly duplicates: Set<Redis>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Of all keys in Redis; holds a hash tag, so that a lane lies in one slot of a cluster. */
  readonly prefix: string;
  readonly lane: number;
  /** Jobs that are fetched before they are worked on, at most. */
  readonly fetchedMax: number;
  /** A job is to be worked on; resolves when that is done. */
  readonly work: (key: string, priority: Priority, lane: number) => Promise<void>;
}

/** How long a job whose worker says nothing stays with it: then it waits again, for any worker. */
const lockMs = 10_000;
const stalledIntervalMs = 2_000;
const batchMax = 500;
const retryMinMs = 100;
const retryMaxMs = 5_000;
const backgroundPriority = 10;
/** BullMQ's stream of events, which nobody here reads. */
const eventsMax = 100;

/**
 * One lane's jobs in Redis, added and worked on by the process that holds the lane, in a queue of their own for as long as it
 * does: one that has lost the lane and does not know it yet would take jobs of its successor, who waits for them
 * ([decision 209](../../../docs/decisions/0209-a-queue-for-each-holding.md)). A job's name is its key, which is also
 * what duplicates are told by: one that waits absorbs them, and one that is being worked on is followed by another
 * (`keepLastIfActive`). Jobs are removed when they are done, so that Redis holds no more than one for each key, and one that
 * follows it; what is still to be sent is bounded by the distinct keys too.
 */
export class BullLane {
  readonly #options: BullLaneOptions;
  readonly #name: string;
  readonly #queue: Queue;
  readonly #worker: Worker;
  readonly #ownConnections: Redis[];
  readonly #closing = new AbortController();
  /** Keys that Redis has not confirmed yet. */
  readonly #outbox = new Map<string, Priority>();
  #sending: Promise<void> | undefined;
  readonly #succeeding: Promise<void>;
  /** Keys that were added and have not come back to be worked on. */
  readonly #waiting = new Map<string, Priority>();
  /** Of these, keys that were background at first. */
  readonly #raised = new Set<string>();

  constructor(options: BullLaneOptions) {
    this.#options = options;
    const { bullmq, patient, prefix, lane, fetchedMax, logger, work } = options;
    const name = `objects-${lane}-${randomUUID()}`;
    this.#name = name;
    this.#queue = this.#open(name);
    const others = new Set(options.duplicates);
    this.#worker = new bullmq.Worker(
      name,
      async (job: Job) => {
        const priority = this.#waiting.get(job.name) ?? (job.priority > 0 ? 'background' : 'normal');
        if (!this.#outbox.has(job.name)) {
          this.#waiting.delete(job.name);
          this.#raised.delete(job.name);
        }
        await work(job.name, priority, lane);
      },
      {
        prefix,
        connection: patient,
        concurrency: fetchedMax,
        lockDuration: lockMs,
        stalledInterval: stalledIntervalMs,
        // A job is never given up: its key is looked at until it is as it should be.
        maxStalledCount: Number.MAX_SAFE_INTEGER,
        runRetryDelay: 1_000,
        removeOnComplete: { count: 0 },
        removeOnFail: { count: 0 },
        skipVersionCheck: true,
      },
    );
    this.#ownConnections = [...options.duplicates].filter((one) => !others.has(one));
    const onError = (error: Error): void => {
      if (!this.#closing.signal.aborted) logger.debug({ err: error, lane }, 'queue in Redis');
    };
    this.#queue.on('error', onError);
    this.#worker.on('error', onError);
    this.#succeeding = this.#succeed();
  }

  /** Keys added that have not come back. */
  get waitingCount(): number {
    return this.#waiting.size;
  }

  add(key: string, priority: Priority): void {
    if (this.#closing.signal.aborted) return;
    const present = this.#waiting.get(key);
    if (present === 'normal' || present === priority) return;
    if (present === 'background') this.#raised.add(key);
    this.#waiting.set(key, priority);
    this.#outbox.set(key, priority);
    this.#sending ??= this.#send();
  }

  /**
   * Ends the work on the lane: no job is fetched any more, and what waits is forgotten, in Redis too. `abandon`: another
   * process may be working on it already, and Redis may be away; else resolves when what was fetched is done.
   */
  async close(abandon: boolean): Promise<void> {
    const { prompt } = this.#options;
    this.#closing.abort();
    this.#outbox.clear();
    this.#waiting.clear();
    this.#raised.clear();
    // Whoever waits on it is let go, though Redis be away.
    if (abandon) this.#retire();
    // BullMQ would wait for ever for such a one to end.
    for (const one of this.#ownConnections) if (one.status === 'reconnecting') retire(one);
    try {
      await this.#worker.close(abandon);
      this.#retire();
      await this.#sending;
      await this.#succeeding;
      if (prompt.status === 'ready') await this.#queue.obliterate({ force: true });
      await this.#queue.close();
    } catch (error) {
      this.#options.logger.debug({ err: error, lane: this.#options.lane }, 'queue in Redis was not closed');
    }
  }

  /** `leaves`: what it tells of the queue is not written there again, as that is to go. */
  #open(name: string, leaves = false): Queue {
    const { bullmq, prompt, prefix } = this.#options;
    return new bullmq.Queue(name, {
      prefix,
      connection: prompt,
      skipVersionCheck: true,
      skipMetasUpdate: leaves,
      streams: { events: { maxLen: eventsMax } },
    });
  }

  /** What a holder that was killed has left in Redis goes: whoever takes a lane looks at all of it. */
  async #succeed(): Promise<void> {
    const { prompt, prefix, lane, logger } = this.#options;
    try {
      const former = await prompt.getset(`${prefix}:queue:${lane}`, this.#name);
      if (former === null) return;
      const left = this.#open(former, true);
      left.on('error', () => {}); // told below
      await left.obliterate({ force: true });
      await left.close();
    } catch (error) {
      logger.debug({ err: error, lane }, 'what the former holder left in Redis stays there');
    }
  }

  #retire(): void {
    for (const connection of this.#ownConnections.splice(0)) {
      retire(connection);
      this.#options.duplicates.delete(connection);
    }
  }

  /** Whatever is added meanwhile goes with the next batch. */
  async #send(): Promise<void> {
    const { clock, logger, lane } = this.#options;
    const { signal } = this.#closing;
    let retryMs = retryMinMs;
    // All that is added in one go goes in one batch.
    await Promise.resolve();
    while (this.#outbox.size > 0 && !signal.aborted) {
      const batch = this.#takeBatch();
      try {
        await this.#sendBatch(batch);
        retryMs = retryMinMs;
      } catch (error) {
        if (signal.aborted) break;
        logger.debug({ err: error, lane, keys: batch.length }, 'keys could not be queued in Redis yet');
        for (const [key, priority] of batch) if (!this.#outbox.has(key)) this.#outbox.set(key, priority);
        await sleep(clock, retryMs, signal).catch(() => {});
        retryMs = Math.min(retryMaxMs, retryMs * 2);
      }
    }
    this.#sending = undefined;
  }

  #takeBatch(): [string, Priority][] {
    const batch: [string, Priority][] = [];
    for (const entry of this.#outbox) {
      if (batch.length >= batchMax) break;
      batch.push(entry);
    }
    for (const [key] of batch) this.#outbox.delete(key);
    return batch;
  }

  async #sendBatch(batch: readonly (readonly [string, Priority])[]): Promise<void> {
    const jobs = await this.#queue.addBulk(
      batch.map(([key, priority]) => ({
        name: key,
        data: null,
        opts: {
          ...(priority === 'background' ? { priority: backgroundPriority } : {}),
          deduplication: { id: key, keepLastIfActive: true },
        },
      })),
    );
    // The add of one that waited as background was absorbed: what it was absorbed by is moved up.
    await Promise.all(
      batch.map(async ([key], at) => {
        if (!this.#raised.delete(key)) return;
        await jobs[at]?.changePriority({ priority: 0 }).catch(() => {}); // under way or done by now
      }),
    );
  }
}
