import type { Hand } from './hand.ts';
import { downMsMax, jumpMsMax, partitionMsMax, pauseMsMax, writesMax } from './hand.ts';
import type { LeaseStrike, PairStrike, SharedStrike } from './strikes.ts';
import { leaseStrikes, pairStrikes } from './strikes.ts';
import { lanesName } from './world/lanes.ts';
import { leaseLine } from './world/leases.ts';

/** Of a scheduler that is not alone, so that its work is often another's when it goes on. */
const longPauseMsMin = 2_000;
/** So much of its time a lease stays over. */
const leaseOverShareMax = 0.5;
const lieMsMax = 6_000;
const lieRateMin = 0.2;
const lieRateMax = 0.9;

/** What is done to schedulers for what they know of one another by, and to edges where some lie. */
export class SchedulerStrikes {
  readonly #hand: Hand;

  constructor(hand: Hand) {
    this.#hand = hand;
  }

  /** Returns whether there was anything to be done. */
  strike(strike: PairStrike | LeaseStrike | SharedStrike): boolean | Promise<boolean> {
    if (strike in pairStrikes) return this.#strikePair(strike as PairStrike);
    if (strike in leaseStrikes) return this.#strikeLease(strike as LeaseStrike);
    return this.#strikeSharing(strike as SharedStrike);
  }

  #strikePair(strike: PairStrike): boolean {
    const hand = this.#hand;
    const { world, random } = hand;
    const part = world.part(random.pick(world.schedulers));
    switch (strike) {
      case 'scheduler killed': {
        const forMs = random.next() ** 2 * downMsMax;
        hand.note(`${part.name} killed, back after ${Math.round(forMs)} ms`);
        part.kill();
        hand.later(forMs, () => part.start());
        return true;
      }
      case 'scheduler paused':
        return hand.pauseFor(part, longPauseMsMin + random.next() * (pauseMsMax - longPauseMsMin), '');
      case 'scheduler paused before a write': {
        const nth = 1 + Math.floor(random.next() ** 2 * writesMax);
        const forMs = longPauseMsMin + random.next() * (pauseMsMax - longPauseMsMin);
        part.process?.aimAtWrite(nth, 'before', () => {
          if (hand.pauseFor(part, forMs, ' before a write')) hand.count(strike);
        });
        return false;
      }
      default:
        return strike satisfies never;
    }
  }

  async #strikeLease(strike: LeaseStrike): Promise<boolean> {
    const hand = this.#hand;
    const { world, random } = hand;
    const { network, leases } = world;
    const part = world.part(random.pick(world.schedulers));
    const federation = hand.federation();
    if (leases === undefined) return false;
    const overMs = leases.durationMs * (1 + random.next() * leaseOverShareMax);
    switch (strike) {
      case 'scheduler paused past its lease':
        return hand.pauseFor(part, overMs, '');
      case 'lease not renewed': {
        const line = leaseLine(part.name);
        hand.note(`${part.name} cannot renew its lease at ${federation.name} for ${Math.round(overMs)} ms`);
        network.cut(line, federation.name);
        hand.later(overMs, async () => network.heal(line, federation.name));
        return true;
      }
      case 'lease deleted':
      case 'lease taken by hand': {
        hand.note(`${strike} at ${federation.name}`);
        const how = strike === 'lease deleted' ? 'delete' : 'take';
        return leases.meddle(world.peopleAt(federation), federation, how);
      }
      case 'clock of a scheduler': {
        const byMs = Math.round((random.next() - 0.5) * 2 * jumpMsMax);
        hand.note(`clock of ${part.name} jumps by ${byMs} ms`);
        part.process?.jump(byMs);
        return part.process !== undefined;
      }
      default:
        return strike satisfies never;
    }
  }

  #strikeSharing(strike: SharedStrike): boolean {
    const hand = this.#hand;
    const { world, random } = hand;
    const { network, lanes, federators, edges } = world;
    const part = world.part(random.pick(world.schedulers));
    switch (strike) {
      case 'cut off from lanes': {
        const forMs = random.next() * partitionMsMax;
        hand.note(`${part.name} cut off from the lanes for ${Math.round(forMs)} ms`);
        network.cut(part.name, lanesName);
        hand.later(forMs, async () => network.heal(part.name, lanesName));
        return true;
      }
      case 'lanes forgotten': {
        const how = random.pick(['flush', 'restart'] as const);
        hand.note(`lanes forgotten by a ${how}`);
        lanes?.forget(how);
        return true;
      }
      case 'edge lies': {
        const federator = random.pick(federators);
        const cell = random.pick([...edges.keys()]);
        const rate = lieRateMin + random.next() * (lieRateMax - lieRateMin);
        const forMs = random.next() * lieMsMax;
        const share = `${Math.round(rate * 100)} % of what ${federator} is answered by ${cell}`;
        hand.note(`${share} are lies for ${Math.round(forMs)} ms`);
        network.lie(federator, cell, rate, forMs);
        // It was started anew, with an empty cache of events; and so it is when it is mended.
        network.breakStreams(federator, cell, 'expired');
        hand.later(forMs, () => network.forgetEvents(world.edge(cell)));
        return true;
      }
      default:
        return strike satisfies never;
    }
  }
}
