import type { Logger } from '../logger.ts';
import { BullLane, type BullLaneOptions } from './bull-lane.ts';
import type { KeyQueue, Priority } from './key-queue.ts';
import { RankedKeys, rankOf } from './ranked-keys.ts';
import { TimedQueue, type TimedQueueOptions } from './timed-queue.ts';

export interface BullQueueOptions extends TimedQueueOptions {
  readonly logger: Logger;
  readonly laneOf: (key: string) => number;
}

/** What `open` needs to reach Redis. */
export type BullQueueConnection = Pick<
  BullLaneOptions,
  'bullmq' | 'prompt' | 'patient' | 'duplicates' | 'prefix'
>;

interface Fetched {
  readonly lane: number;
  readonly finished: Promise<void>;
  readonly finish: () => void;
}

/** Jobs of one lane that lie fetched in this process: enough to keep all workers busy when one lane has all the work. */
const fetchedPerLaneMax = 64;

/**
 * The KeyQueue on Redis: what is ready waits there, in the lanes that this process holds; keys of other lanes are not taken
 * in, as their holders see the same events. What is due later and how often a key failed is known in this process alone, as
 * losing it costs no more than looking sooner. Keys are ordered by their numbers among those that lie fetched here.
 */
export class BullQueue extends TimedQueue implements KeyQueue {
  readonly #options: BullQueueOptions;
  readonly #lanes = new Map<number, BullLane>();
  readonly #ready = new RankedKeys();
  /** Of keys that were added with a number and have not been taken; in Redis they wait as normal ones. */
  readonly #ranks = new Map<string, number>();
  /** Fetched from Redis, and not done: ready to be taken, or taken. */
  readonly #fetched = new Map<string, Fetched>();
  readonly #taken = new Set<string>();
  readonly #waiting: Array<(key: string | undefined) => void> = [];
  #closed = false;

  constructor(options: BullQueueOptions) {
    super(options);
    this.#options = options;
  }

  get size(): number {
    return this.#waitingInRedis() + this.#fetched.size + this.delays.size;
  }

  get ready(): number {
    return this.#ready.size;
  }

  get idle(): boolean {
    return this.#fetched.size === 0 && this.#waitingInRedis() === 0;
  }

  #waitingInRedis(): number {
    let count = 0;
    for (const lane of this.#lanes.values()) count += lane.waitingCount;
    return count;
  }

  /** Takes a lane's keys in from now on. What waited in it with a former holder is not known here. */
  open(lane: number, connection: BullQueueConnection): void {
    if (this.#closed || this.#lanes.has(lane)) return;
    const { clock, logger } = this.#options;
    this.#lanes.set(
      lane,
      new BullLane({
        ...connection,
        clock,
        logger,
        lane,
        fetchedMax: fetchedPerLaneMax,
        work: (key, priority) => this.#work(key, priority, lane),
      }),
    );
  }

  /** Forgets a lane. `abandon` as in BullLane; else resolves when none of its keys is being worked on. */
  async release(lane: number, abandon: boolean): Promise<void> {
    const open = this.#lanes.get(lane);
    this.#lanes.delete(lane);
    for (const key of [...this.delays.keys()]) {
      if (this.#options.laneOf(key) === lane) this.delays.delete(key);
    }
    for (const key of [...this.#ranks.keys()])
      if (this.#options.laneOf(key) === lane) this.#ranks.delete(key);
    // Whoever has the lane next looks at all of it.
    for (const [key, fetched] of this.#fetched) {
      if (fetched.lane !== lane || this.#taken.has(key)) continue;
      this.#ready.delete(key);
      this.#fetched.delete(key);
      fetched.finish();
    }
    await open?.close(abandon);
  }

  protected takesIn(key: string): boolean {
    return !this.#closed && this.#lanes.has(this.#options.laneOf(key));
  }

  add(key: string, priority: Priority = 'normal'): void {
    if (this.#closed) return;
    this.delays.delete(key);
    if (this.#fetched.has(key) && !this.#taken.has(key)) {
      this.#ready.push(key, rankOf(priority));
      return;
    }
    const lane = this.#lanes.get(this.#options.laneOf(key));
    if (typeof priority === 'number' && lane !== undefined) {
      const before = this.#ranks.get(key);
      if (before === undefined || priority > before) this.#ranks.set(key, priority);
    }
    lane?.add(key, priority === 'background' ? 'background' : 'normal');
  }

  take(): Promise<string | undefined> {
    if (this.#closed) return Promise.resolve(undefined);
    const key = this.#ready.shift();
    if (key === undefined) return new Promise((resolve) => this.#waiting.push(resolve));
    this.#taken.add(key);
    return Promise.resolve(key);
  }

  done(key: string): void {
    if (!this.#taken.delete(key)) return;
    const fetched = this.#fetched.get(key);
    this.#fetched.delete(key);
    fetched?.finish();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.delays.clear();
    this.#ready.clear();
    this.#ranks.clear();
    for (const [key, { finish }] of this.#fetched) {
      if (this.#taken.has(key)) continue;
      this.#fetched.delete(key);
      finish();
    }
    for (const resolve of this.#waiting.splice(0)) resolve(undefined);
  }

  /** Offers a fetched key to those who take; resolves when it is done. */
  async #work(key: string, priority: Priority, lane: number): Promise<void> {
    // Fetched once more while it is being worked on: its lock was lost, as when this process hung.
    for (let former = this.#fetched.get(key); former !== undefined; former = this.#fetched.get(key)) {
      await former.finished;
    }
    if (this.#closed || !this.#lanes.has(lane)) return;
    let finish = (): void => {};
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    this.#fetched.set(key, { lane, finished, finish });
    const rank = this.#ranks.get(key) ?? rankOf(priority);
    this.#ranks.delete(key);
    const taker = this.#waiting.shift();
    if (taker === undefined) this.#ready.push(key, rank);
    else {
      this.#taken.add(key);
      taker(key);
    }
    await finished;
  }
}
