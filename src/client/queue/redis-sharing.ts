import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { type Clock, sleep } from '#apimachinery/clock.ts';
import type { Logger } from '../logger.ts';
import { BullQueue, type BullQueueConnection } from './bull-queue.ts';
import type { KeyQueue } from './key-queue.ts';
import { LaneKeeper } from './lane-keeper.ts';
import { laneCount, laneOf } from './lanes.ts';
import { openRedis, type RedisConnections, type RedisSettings } from './redis-connections.ts';
import type { SharingListener, WorkSharing } from './work-sharing.ts';

export interface RedisSharingOptions {
  readonly redis: RedisSettings;
  /** Begins all keys in Redis. */
  readonly prefix: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** After how long the work of a process that says nothing goes to others. Default 10,000. */
  readonly leaseMs?: number | undefined;
}

const defaultLeaseMs = 10_000;
const stopTimeoutMs = 5_000;

/**
 * Several processes at work at once, each on the lanes that it holds by leases in Redis, where what is ready waits as BullMQ
 * jobs. Without Redis nobody works; when it is back, with or without its data, all lanes are looked at again.
 */
export class RedisSharing implements WorkSharing {
  readonly isDivided = true;
  readonly #options: RedisSharingOptions;
  readonly #queues: BullQueue[] = [];
  /** Lanes that are being let go of: opened again only after that. */
  readonly #closing = new Map<number, Promise<unknown>>();
  #connections: RedisConnections | undefined;
  #keeper: LaneKeeper | undefined;
  #starting: Promise<void> | undefined;
  #stopped = false;

  constructor(options: RedisSharingOptions) {
    this.#options = options;
  }

  get share(): number {
    return (this.#keeper?.heldCount ?? 0) / laneCount;
  }

  owns = (owner: string): boolean => this.#keeper?.holds(laneOf(owner)) ?? false;

  queue(ownerOf: (key: string) => string): KeyQueue {
    const { clock, logger } = this.#options;
    const queue = new BullQueue({ clock, logger, laneOf: (key) => laneOf(ownerOf(key)) });
    this.#queues.push(queue);
    return queue;
  }

  start(scope: string, listener: SharingListener): void {
    this.#starting ??= this.#start(scope, listener).catch((error: unknown) => {
      this.#options.logger.error({ err: error }, 'the queue in Redis could not be set up');
    });
  }

  async #start(scope: string, listener: SharingListener): Promise<void> {
    const { redis, prefix, clock, logger, leaseMs = defaultLeaseMs } = this.#options;
    const [bullmq, connections] = await Promise.all([import('bullmq'), openRedis(redis, logger)]);
    if (this.#stopped) {
      connections.close();
      return;
    }
    this.#connections = connections;
    // The braces keep all of it in one slot of a cluster.
    const scopedPrefix = `${prefix}:{${scope}}`;
    const connection: BullQueueConnection = { ...connections, bullmq, prefix: scopedPrefix };
    this.#keeper = new LaneKeeper({
      redis: connections.prompt,
      lastError: connections.lastError,
      clock,
      logger,
      prefix: scopedPrefix,
      member: `${hostname()}_${randomUUID()}`,
      leaseMs,
      intervalMs: Math.floor(leaseMs / 10),
      onGained: (lanes) => this.#gain(lanes, connection, listener),
      onLost: (lanes) => {
        for (const lane of lanes) void this.#release(lane, true);
        listener.lost(among(lanes));
        logger.info({ lanes, share: this.share }, 'lanes of work were lost');
      },
      drain: async (lane) => {
        await this.#release(lane, false);
        listener.lost(among([lane]));
        logger.info({ lanes: [lane] }, 'lane of work goes to another scheduler');
      },
    });
    this.#keeper.start();
  }

  #gain(lanes: readonly number[], connection: BullQueueConnection, listener: SharingListener): void {
    this.#options.logger.info({ lanes, share: this.share }, 'lanes of work were taken');
    const open = (opened: readonly number[]): void => {
      const held = opened.filter((lane) => !this.#stopped && this.#keeper?.holds(lane) === true);
      for (const lane of held) for (const queue of this.#queues) queue.open(lane, connection);
      if (held.length > 0) listener.gained(among(held));
    };
    open(lanes.filter((lane) => !this.#closing.has(lane)));
    for (const lane of lanes) void this.#closing.get(lane)?.then(() => open([lane]));
  }

  #release(lane: number, abandon: boolean): Promise<unknown> {
    const closing = Promise.all(this.#queues.map((queue) => queue.release(lane, abandon))).finally(() => {
      if (this.#closing.get(lane) === closing) this.#closing.delete(lane);
    });
    this.#closing.set(lane, closing);
    return closing;
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    await this.#starting;
    for (let lane = 0; lane < laneCount; lane++)
      void this.#release(lane, this.#connections?.prompt.status !== 'ready');
    // A Redis that hangs must not hold the process: what is still held then ends with its lease.
    const ended = new AbortController();
    await Promise.race([
      Promise.all(this.#closing.values()),
      sleep(this.#options.clock, stopTimeoutMs, ended.signal).catch(() => {}),
    ]);
    ended.abort();
    await this.#keeper?.stop();
    this.#connections?.close();
  }
}

function among(lanes: readonly number[]): (owner: string) => boolean {
  const set = new Set(lanes);
  return (owner) => set.has(laneOf(owner));
}
