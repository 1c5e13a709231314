import type { Redis } from 'ioredis';
import { type Clock, sleep } from '#apimachinery/clock.ts';
import type { Logger } from '../logger.ts';
import { askForLanes, type LaneAnswer, type LaneWish } from './lane-lease.ts';
import { divideLanes, laneCount } from './lanes.ts';

export interface LaneKeeperOptions {
  readonly redis: Redis;
  /** Why there is no connection, when that is known. */
  readonly lastError?: (() => Error | undefined) | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Of all keys in Redis. */
  readonly prefix: string;
  /** Unique among all processes that ever were. */
  readonly member: string;
  /** How long a lane whose holder says nothing stays its own. */
  readonly leaseMs: number;
  /** How often the holder says so; a small part of `leaseMs`. */
  readonly intervalMs: number;
  readonly onGained: (lanes: readonly number[]) => void;
  /** Another may be working on them already. */
  readonly onLost: (lanes: readonly number[]) => void;
  /** Ends the work on a lane that is to go to another member; resolves when none is under way. */
  readonly drain: (lane: number) => Promise<void>;
}

type LaneState = 'free' | 'held' | 'draining' | 'drained';

/**
 * Holds this process's part of the lanes by leases in Redis: every member takes the lanes that `divideLanes` gives it, as
 * they become free, and gives up those that it gives to another. Nobody is elected. What Redis forgets (a flush, a restart
 * without its data) is seen as leases that are no longer ours.
 */
export class LaneKeeper {
  readonly #options: LaneKeeperOptions;
  readonly #stopping = new AbortController();
  readonly #states: LaneState[] = Array.from({ length: laneCount }, () => 'free');
  #members: readonly string[] = [];
  #heldUntilMs = Number.NEGATIVE_INFINITY;
  /** The connection broke: Redis may have lost what it had not kept. */
  #suspect = false;
  /** What Redis failed with last; undefined while it answers. */
  #failing: string | undefined;
  #running: Promise<void> | undefined;

  constructor(options: LaneKeeperOptions) {
    this.#options = options;
  }

  /** Whether the lane is ours by our own clock. */
  holds(lane: number): boolean {
    return this.#states[lane] === 'held' && this.#options.clock.monotonic() < this.#heldUntilMs;
  }

  get heldCount(): number {
    return this.#states.filter((_, lane) => this.holds(lane)).length;
  }

  start(): void {
    if (this.#running !== undefined) return;
    this.#options.redis.on('close', this.#onClose);
    this.#running = this.#run();
  }

  /** Idempotent. Gives up all lanes; what they hold is expected to have come to rest. */
  async stop(): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort();
    await this.#running;
    const { redis, logger } = this.#options;
    redis.off('close', this.#onClose);
    const wishes = this.#states.map((state): LaneWish => (state === 'free' ? 'none' : 'release'));
    this.#states.fill('free');
    if (this.#running === undefined || redis.status !== 'ready') return;
    try {
      await this.#ask(wishes, true);
    } catch (error) {
      logger.debug({ err: error }, 'lanes were not given up');
    }
  }

  readonly #onClose = (): void => {
    this.#suspect = true;
  };

  async #run(): Promise<void> {
    const { clock, intervalMs } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const isFirst = this.#members.length === 0;
      await this.#step();
      // Whoever has just come knows the members now, and need not wait to take its part.
      if (isFirst && this.#members.length > 0) continue;
      await sleep(clock, intervalMs, signal).catch(() => {});
    }
  }

  async #step(): Promise<void> {
    const { clock, redis, logger, leaseMs, intervalMs } = this.#options;
    const askedMs = clock.monotonic();
    try {
      if (redis.status === 'wait') await redis.connect();
      const wishes = this.#wishes();
      const suspect = this.#suspect;
      this.#suspect = false;
      const answer = await this.#ask(wishes, false);
      if (this.#failing !== undefined) logger.info({}, 'Redis answers again');
      this.#failing = undefined;
      // Nothing was ours for a moment, though Redis kept it for us: what came meanwhile was turned away.
      const hasLapsed = clock.monotonic() >= this.#heldUntilMs;
      this.#heldUntilMs = askedMs + leaseMs - intervalMs;
      this.#take(wishes, answer, suspect || hasLapsed);
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      const why = this.#options.lastError?.() ?? error;
      const text = why instanceof Error ? why.message : String(why);
      if (this.#failing !== text)
        logger.warn({ err: why }, 'Redis does not answer: work stops until it does');
      this.#failing = text;
      this.#suspect = true;
      if (clock.monotonic() >= this.#heldUntilMs) this.#loseAll();
    }
  }

  #ask(wishes: readonly LaneWish[], leaves: boolean): Promise<LaneAnswer> {
    const { redis, prefix, member, leaseMs } = this.#options;
    return askForLanes(redis, prefix, { member, leaseMs, leaves }, wishes);
  }

  #wishes(): LaneWish[] {
    const division = divideLanes(this.#members);
    return this.#states.map((state, lane) => {
      const isMine = division.get(lane) === this.#options.member;
      if (state === 'free') return isMine ? 'take' : 'none';
      if (state === 'drained') return 'release';
      if (state === 'held' && !isMine) this.#drain(lane);
      return 'keep';
    });
  }

  #drain(lane: number): void {
    this.#states[lane] = 'draining';
    this.#options
      .drain(lane)
      .catch((error: unknown) => this.#options.logger.debug({ err: error, lane }, 'lane was not drained'))
      .finally(() => {
        if (this.#states[lane] === 'draining') this.#states[lane] = 'drained';
      });
  }

  #take(wishes: readonly LaneWish[], { held, members }: LaneAnswer, suspect: boolean): void {
    this.#members = members;
    const gained: number[] = [];
    const lost: number[] = [];
    for (const [lane, state] of this.#states.entries()) {
      const isHeld = held[lane] === true;
      if (wishes[lane] === 'take' && isHeld) {
        this.#states[lane] = 'held';
        gained.push(lane);
      } else if (wishes[lane] === 'release') {
        this.#states[lane] = 'free';
      } else if (wishes[lane] === 'keep' && !isHeld) {
        this.#states[lane] = 'free';
        lost.push(lane);
      } else if (state === 'held' && suspect) {
        lost.push(lane);
        gained.push(lane);
      }
    }
    const { onGained, onLost } = this.#options;
    if (lost.length > 0) onLost(lost);
    if (gained.length > 0) onGained(gained);
  }

  #loseAll(): void {
    const lost = [...this.#states.keys()].filter((lane) => this.#states[lane] !== 'free');
    this.#states.fill('free');
    if (lost.length > 0) this.#options.onLost(lost);
  }
}
