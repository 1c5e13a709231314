import type { KeyValue } from '#storage/storage.ts';
import type { Random } from '../harness/random.ts';
import { downMsMax, type Hand, jumpMsMax, partitionMsMax, pauseMsMax, writesMax } from './hand.ts';
import { SchedulerStrikes } from './scheduler-strikes.ts';
import { ServerStrikes } from './server-strikes.ts';
import {
  type LeaseStrike,
  leaseStrikes,
  type PairStrike,
  pairStrikes,
  type ServerStrike,
  type SharedStrike,
  type Strike,
  serverStrikes,
  sharedStrikes,
  strikes,
} from './strikes.ts';
import type { Plane } from './world/plane.ts';
import type { AroundWrite } from './world/process.ts';

import { mend } from './world/shared-store-access.ts';
import type { Part, World } from './world/world.ts';

export interface StrikerOptions {
  readonly world: World;
  readonly random: Random;
  /** That server's store was put back to a backup, and it has not begun to answer again. */
  readonly onPutBack: (server: string) => void;
  /** It answers again. */
  readonly onRestored: (server: string) => Promise<void>;
}

type AnyStrike = Strike | PairStrike | LeaseStrike | SharedStrike | ServerStrike;

const gapMsMax = 2_500;
const pauseGapMs = 20_000;
const holdMsMax = 8_000;
const stormMsMax = 4_000;
const stormRateMax = 0.6;
const bytesMsMax = 8_000;
const bytesRateMin = 0.1;
const bytesRateMax = 0.6;
/** Between a backup that is made for a restore and that restore. */
const backupAgeMsMax = 6_000;

/** Does to a world what chance says, until the end of its time; then everything is as it should be again. */
export class Striker implements Hand {
  readonly journal: string[] = [];
  /** How often each was done. */
  readonly struck: { [strike: string]: number } = {};
  readonly world: World;
  readonly random: Random;
  readonly #onPutBack: (server: string) => void;
  readonly #onRestored: (server: string) => Promise<void>;
  readonly #backups = new Map<string, readonly KeyValue[]>();
  readonly #pausedAtMs = new Map<string, number>();
  readonly #onSchedulers = new SchedulerStrikes(this);
  readonly #onServers = new ServerStrikes(this);
  readonly #repairs = new Set<Promise<void>>();
  /** To be done when it is time, and nothing else is being done. */
  #restores: {
    readonly server: Plane;
    readonly backup: readonly KeyValue[];
    readonly atMs: number;
  }[] = [];

  constructor({ world, random, onPutBack, onRestored }: StrikerOptions) {
    this.world = world;
    this.random = random;
    this.#onPutBack = onPutBack;
    this.#onRestored = onRestored;
  }

  async run(forMs: number): Promise<void> {
    const { time } = this.world;
    const endMs = time.nowMs + forMs;
    while (time.nowMs < endMs) {
      await time.sleep(this.random.next() * gapMsMax);
      await this.#restoreUntil(time.nowMs);
      const strike = this.#draw();
      if (await this.#strikeAny(strike)) this.count(strike);
    }
    await this.#restoreUntil(Number.POSITIVE_INFINITY);
    this.note('all is mended');
    this.world.network.healAll();
    for (const { servers } of this.world.federations) for (const { storeLine } of servers) mend(storeLine);
    for (const { process } of this.world.parts) {
      process?.forgetAim();
      process?.wake();
    }
    await Promise.all(this.#repairs);
    for (const part of this.world.parts) await part.start();
  }

  /** An ending was done. */
  ended(ending: string): void {
    this.note(ending);
    this.struck[ending] = 1;
  }

  #draw(): AnyStrike {
    const { lanes, schedulers, federation } = this.world;
    const random = this.random;
    const always = federation.servers.length > 1 ? { ...strikes, ...serverStrikes } : strikes;
    if (lanes !== undefined) return random.weighted({ ...always, ...pairStrikes, ...sharedStrikes });
    if (schedulers.length > 1) return random.weighted({ ...always, ...pairStrikes, ...leaseStrikes });
    return random.weighted({ ...always, ...leaseStrikes });
  }

  async #strikeAny(strike: AnyStrike): Promise<boolean> {
    if (strike in strikes) return this.#strike(strike as Strike);
    if (strike in serverStrikes) return this.#onServers.strike(strike as ServerStrike);
    return this.#onSchedulers.strike(strike as PairStrike | LeaseStrike | SharedStrike);
  }

  /** Returns whether there was anything to be done. */
  async #strike(strike: Strike): Promise<boolean> {
    const { network, edges, federations, time } = this.world;
    const random = this.random;
    switch (strike) {
      case 'kill': {
        const part = random.pick(this.world.parts);
        const forMs = random.next() ** 2 * downMsMax;
        this.note(`${part.name} killed, back after ${Math.round(forMs)} ms`);
        part.kill();
        this.later(forMs, () => part.start());
        return true;
      }
      case 'kill before a write':
        return this.#aim('before', strike);
      case 'kill after a write':
        return this.#aim('after', strike);
      case 'pause': {
        const part = random.pick(this.world.parts);
        const { process } = part;
        const lastMs = this.#pausedAtMs.get(part.name) ?? Number.NEGATIVE_INFINITY;
        if (process === undefined || time.nowMs - lastMs < pauseMsMax + pauseGapMs) return false;
        this.#pausedAtMs.set(part.name, time.nowMs);
        const forMs = random.next() ** 2 * pauseMsMax;
        this.note(`${part.name} paused for ${Math.round(forMs)} ms`);
        process.pause();
        this.later(forMs, async () => process.wake());
        return true;
      }
      case 'clock': {
        const part = random.pick(this.world.parts);
        const byMs = Math.round((random.next() - 0.5) * 2 * jumpMsMax);
        this.note(`clock of ${part.name} jumps by ${byMs} ms`);
        part.process?.jump(byMs);
        return true;
      }
      case 'partition': {
        const [from, to] = this.#link();
        const forMs = random.next() ** 2 * partitionMsMax;
        this.note(`${from} cut off from ${to} for ${Math.round(forMs)} ms`);
        network.cut(from, to);
        this.later(forMs, async () => network.heal(from, to));
        return true;
      }
      case 'reset':
      case 'expire': {
        const [from, to] = this.#link();
        this.note(`watches of ${from} at ${to}: ${strike}`);
        network.breakStreams(from, to, strike === 'reset' ? 'reset' : 'expired');
        return true;
      }
      case 'stale': {
        const [from, to] = this.#link();
        const forMs = random.next() * holdMsMax;
        this.note(`watches of ${from} at ${to} stale for ${Math.round(forMs)} ms`);
        network.hold(from, to, forMs);
        return true;
      }
      case 'storm': {
        const rate = random.next() * stormRateMax;
        const forMs = random.next() * stormMsMax;
        this.note(`${Math.round(rate * 100)} % of all calls fail for ${Math.round(forMs)} ms`);
        network.faultRate = rate;
        this.later(forMs, async () => {
          network.faultRate = 0;
        });
        return true;
      }
      case 'bytes': {
        const [from, to] = this.#link();
        const rate = bytesRateMin + random.next() * (bytesRateMax - bytesRateMin);
        const forMs = random.next() * bytesMsMax;
        const share = `${Math.round(rate * 100)} % of what ${from} is answered by ${to}`;
        this.note(`${share} comes damaged for ${Math.round(forMs)} ms`);
        network.damage(from, to, rate, forMs);
        return true;
      }
      case 'store refuses': {
        const server = random.pick([...federations.flatMap(({ servers }) => servers), ...edges.values()]);
        const forMs = random.next() * stormMsMax;
        this.note(`the store of ${server.name} refuses half of the writes for ${Math.round(forMs)} ms`);
        server.storeLine.refusalRate = 0.5;
        this.later(forMs, async () => {
          server.storeLine.refusalRate = 0;
        });
        return true;
      }
      case 'edge backup':
      case 'federation backup': {
        const server = strike === 'edge backup' ? random.pick([...edges.values()]) : this.federation();
        this.#backups.set(server.name, await server.backUp());
        this.note(`${server.name} backed up at ${Math.round(time.nowMs)} ms`);
        return true;
      }
      case 'edge restore':
      case 'federation restore': {
        const server = strike === 'edge restore' ? random.pick([...edges.values()]) : this.federation();
        const backup = this.#backups.get(server.name);
        if (backup !== undefined) await this.#restore(server, backup);
        else {
          const present = await server.backUp();
          this.note(`${server.name} backed up`);
          this.#restores.push({ server, backup: present, atMs: time.nowMs + random.next() * backupAgeMsMax });
        }
        return true;
      }
      default:
        return strike satisfies never;
    }
  }

  pauseFor(part: Part, forMs: number, when: string): boolean {
    const { process } = part;
    if (process === undefined || process.isPaused) return false;
    this.#pausedAtMs.set(part.name, this.world.time.nowMs);
    this.note(`${part.name} paused${when} for ${Math.round(forMs)} ms`);
    process.pause();
    this.later(forMs, async () => process.wake());
    return true;
  }

  /** Kills around a write that is yet to come: it counts when it has come. */
  #aim(when: AroundWrite, strike: Strike): false {
    const random = this.random;
    const part = random.pick(this.world.parts);
    const nth = 1 + Math.floor(random.next() ** 2 * writesMax);
    const forMs = random.next() ** 2 * downMsMax;
    part.process?.aimAtWrite(nth, when, () => {
      this.note(`${part.name} killed ${when} a write, back after ${Math.round(forMs)} ms`);
      part.kill();
      this.later(forMs, () => part.start());
      this.count(strike);
    });
    return false;
  }

  /** Something was done, under this name. */
  count(strike: string): void {
    this.struck[strike] = (this.struck[strike] ?? 0) + 1;
  }

  async #restoreUntil(nowMs: number): Promise<void> {
    const due = this.#restores.filter(({ atMs }) => atMs <= nowMs);
    this.#restores = this.#restores.filter(({ atMs }) => atMs > nowMs);
    for (const { server, backup } of due) await this.#restore(server, backup);
  }

  async #restore(server: Plane, backup: readonly KeyValue[]): Promise<void> {
    this.note(`${server.name} restored from its backup`);
    await server.restore(backup);
    this.#onPutBack(server.name);
    await server.start();
    await this.#onRestored(server.name);
  }

  federation(): Plane {
    const { federations, federation } = this.world;
    return federations.length === 1 ? federation : this.random.pick(federations);
  }

  /** Some client and a server that it speaks to. */
  #link(): [from: string, to: string] {
    const { parts, edges, neighbour } = this.world;
    const components = parts.filter(({ name }) => /^(federator|scheduler)/.test(name));
    const from: Part = this.random.pick(components);
    const isFederator = from.name.startsWith('federator');
    const cells = neighbour === undefined ? [...edges.keys()] : [...edges.keys(), neighbour.cell];
    const plane = this.federation();
    const isOne = plane.servers.length === 1;
    const federation = isOne ? plane.name : this.random.pick([plane, ...plane.servers]).name;
    return [from.name, isFederator ? this.random.pick([federation, ...cells]) : federation];
  }

  later(afterMs: number, repair: () => Promise<void>): void {
    const repaired = this.world.time.sleep(afterMs).then(repair);
    this.#repairs.add(repaired);
    void repaired.then(() => this.#repairs.delete(repaired));
  }

  note(what: string): void {
    this.journal.push(`${(this.world.time.nowMs / 1_000).toFixed(3)} s: ${what}`);
  }
}
