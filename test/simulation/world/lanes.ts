import type { Redis } from 'ioredis';
import type { Logger } from '#client/logger.ts';
import type { KeyQueue } from '#client/queue/key-queue.ts';
import { LaneKeeper } from '#client/queue/lane-keeper.ts';
import { laneCount, laneOf } from '#client/queue/lanes.ts';
import type { SharingListener, WorkSharing } from '#client/queue/work-sharing.ts';
import { WorkQueue } from '#client/workqueue.ts';
import type { Random } from '../../harness/random.ts';
import type { SimulatedNetwork } from './network.ts';
import type { SimulatedProcess } from './process.ts';
import type { VirtualTime } from './virtual-time.ts';

/** The other end of the links over which schedulers ask for lanes. */
export const lanesName = 'lanes';

/** Short, so that many a pause outlives it. */
const leaseMs = 3_000;
const latencyMsMax = 4;
/** As of the connections to Redis. */
const commandTimeoutMs = 5_000;

interface Lease {
  readonly member: string;
  readonly untilMs: number;
}

/** What Redis keeps for one control plane. */
interface LaneTable {
  readonly members: Map<string, number>;
  readonly leases: Map<string, Lease>;
}

/** The schedulers' Redis, as far as they divide lanes by it (client/queue/lane-lease.ts): their queues are in their own memory. */
export class SimulatedLanes {
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #network: SimulatedNetwork;
  readonly #tables = new Map<string, LaneTable>();
  readonly #atClose = new Set<() => void>();
  #members = 0;

  constructor(time: VirtualTime, random: Random, network: SimulatedNetwork) {
    this.#time = time;
    this.#random = random;
    this.#network = network;
  }

  /** All is lost, as by a flush; or by a restart, which breaks connections. */
  forget(how: 'flush' | 'restart'): void {
    this.#tables.clear();
    if (how === 'restart') for (const callback of [...this.#atClose]) callback();
  }

  sharingOf(process: SimulatedProcess, logger: Logger): WorkSharing {
    const member = `${process.name}-${++this.#members}`;
    return new LanesOfOne({ process, logger, member, redis: this.#connect(process) });
  }

  /** What LaneKeeper uses of a connection. */
  #connect(process: SimulatedProcess): Redis {
    const connection = {
      status: 'ready',
      on: (_event: string, callback: () => void) => this.#atClose.add(callback),
      off: (_event: string, callback: () => void) => this.#atClose.delete(callback),
      eval: (_script: string, keyCount: number, ...rest: readonly (string | number)[]) =>
        this.#eval(process, rest.slice(0, keyCount).map(String), rest.slice(keyCount).map(String)),
    };
    return connection as unknown as Redis;
  }

  async #eval(
    process: SimulatedProcess,
    keys: readonly string[],
    asked: readonly string[],
  ): Promise<unknown> {
    const link = this.#network.link(process.name, lanesName);
    await process.awake();
    await this.#latency();
    const answer = link.isCut ? undefined : this.#step(keys, asked);
    await this.#latency();
    if (answer === undefined || link.isCut) {
      await this.#time.sleep(commandTimeoutMs);
      await process.awake();
      throw new Error('Command timed out');
    }
    await process.awake();
    return answer;
  }

  #latency(): Promise<void> {
    return this.#time.sleep(this.#random.next() ** 2 * latencyMsMax);
  }

  /** The script of `lane-lease.ts`. */
  #step([membersKey = '', ...laneKeys]: readonly string[], asked: readonly string[]): unknown {
    const [me = '', lease = '', leaves = '', wishes = ''] = asked;
    const nowMs = this.#time.nowMs;
    const untilMs = nowMs + Number(lease);
    const table = this.#tables.get(membersKey) ?? { members: new Map(), leases: new Map() };
    this.#tables.set(membersKey, table);
    if (leaves === '1') table.members.set(me, untilMs);
    else table.members.delete(me);
    for (const [member, endMs] of table.members) if (endMs <= nowMs) table.members.delete(member);
    let held = '';
    for (const [at, key] of laneKeys.entries()) {
      const wish = wishes[at];
      const present = table.leases.get(key);
      const holder = present !== undefined && present.untilMs > nowMs ? present.member : undefined;
      const isMine = (holder === me && wish === 'k') || (holder === me && wish === 't');
      if (isMine || (holder === undefined && wish === 't')) {
        table.leases.set(key, { member: me, untilMs });
        held += '1';
      } else {
        if (holder === me && wish === 'r') table.leases.delete(key);
        held += '0';
      }
    }
    return [held, [...table.members.keys()]];
  }
}

/** Keys of lanes, and which of them are being worked on. */
class LaneQueue extends WorkQueue {
  readonly #laneOf: (key: string) => number;
  readonly #active = new Map<number, number>();
  readonly #waiting: { readonly lane: number; readonly resolve: () => void }[] = [];

  constructor(process: SimulatedProcess, laneOfKey: (key: string) => number) {
    super({ clock: process.clock });
    this.#laneOf = laneOfKey;
  }

  override async take(): Promise<string | undefined> {
    const key = await super.take();
    if (key !== undefined) this.#count(key, 1);
    return key;
  }

  override done(key: string): void {
    super.done(key);
    this.#count(key, -1);
  }

  /** Resolves when nothing of the lane is under way. */
  rest(lane: number): Promise<void> {
    if ((this.#active.get(lane) ?? 0) === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ lane, resolve }));
  }

  #count(key: string, change: number): void {
    const lane = this.#laneOf(key);
    const active = (this.#active.get(lane) ?? 0) + change;
    this.#active.set(lane, active);
    if (active > 0) return;
    for (const waiting of this.#waiting.filter((one) => one.lane === lane)) {
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      waiting.resolve();
    }
  }
}

interface MemberOptions {
  readonly process: SimulatedProcess;
  readonly logger: Logger;
  readonly member: string;
  readonly redis: Redis;
}

/** As RedisSharing, without queues in Redis. */
class LanesOfOne implements WorkSharing {
  readonly isDivided = true;
  readonly #options: MemberOptions;
  readonly #queues: LaneQueue[] = [];
  #keeper: LaneKeeper | undefined;

  constructor(options: MemberOptions) {
    this.#options = options;
  }

  get share(): number {
    return (this.#keeper?.heldCount ?? 0) / laneCount;
  }

  owns = (owner: string): boolean => this.#keeper?.holds(laneOf(owner)) ?? false;

  queue(ownerOf: (key: string) => string): KeyQueue {
    const queue = new LaneQueue(this.#options.process, (key) => laneOf(ownerOf(key)));
    this.#queues.push(queue);
    return queue;
  }

  start(scope: string, listener: SharingListener): void {
    const { process, logger, member, redis } = this.#options;
    this.#keeper = new LaneKeeper({
      redis,
      clock: process.clock,
      logger,
      prefix: scope,
      member,
      leaseMs,
      intervalMs: leaseMs / 10,
      onGained: (lanes) => listener.gained(among(lanes)),
      onLost: (lanes) => listener.lost(among(lanes)),
      drain: async (lane) => {
        await Promise.all(this.#queues.map((queue) => queue.rest(lane)));
        listener.lost(among([lane]));
      },
    });
    this.#keeper.start();
  }

  async stop(): Promise<void> {
    await this.#keeper?.stop();
  }
}

function among(lanes: readonly number[]): (owner: string) => boolean {
  const set = new Set(lanes);
  return (owner) => set.has(laneOf(owner));
}
