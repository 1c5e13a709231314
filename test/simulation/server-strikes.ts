import { downMsMax, type Hand, pauseMsMax } from './hand.ts';
import type { ServerStrike } from './strikes.ts';
import type { SimulatedServer } from './world/server.ts';

/** Longer than a request waits for the cache (3 s), so that some are answered late and some not at all. */
const lateMsMax = 9_000;
const cutMsMax = 14_000;
const lossMsMax = 4_000;
const lossRateMax = 0.7;
/** Of the servers' own controllers (apiserver/server/controllers.ts). */
const controllersLeaseMs = 10_000;

/** What is done to one of several API servers for what it and the others know of their store. */
export class ServerStrikes {
  readonly #hand: Hand;

  constructor(hand: Hand) {
    this.#hand = hand;
  }

  /** Returns whether there was anything to be done. */
  async strike(strike: ServerStrike): Promise<boolean> {
    const hand = this.#hand;
    const { random, world } = hand;
    const { servers } = world.federation;
    const server = random.pick(servers);
    const line = server.storeLine;
    switch (strike) {
      case 'store heard late': {
        const forMs = random.next() ** 2 * lateMsMax;
        hand.note(`${server.name} hears ${Math.round(forMs)} ms late what the store has to tell`);
        line.heldUntilMs = world.time.nowMs + forMs;
        return true;
      }
      case 'server cut off from its store': {
        const forMs = random.next() ** 2 * cutMsMax;
        hand.note(`${server.name} cut off from the store for ${Math.round(forMs)} ms`);
        line.isCut = true;
        hand.later(forMs, async () => {
          line.isCut = false;
        });
        return true;
      }
      case 'answers of the store lost': {
        const forMs = random.next() * lossMsMax;
        const rate = random.next() * lossRateMax;
        const share = `${Math.round(rate * 100)} % of its writes`;
        hand.note(`${server.name} is not told of ${share} for ${Math.round(forMs)} ms`);
        line.answerLossRate = rate;
        hand.later(forMs, async () => {
          line.answerLossRate = 0;
        });
        return true;
      }
      case 'history of the store gone': {
        const forMs = random.next() * lateMsMax;
        hand.note(`${server.name} hears nothing for ${Math.round(forMs)} ms, and then that it is compacted`);
        line.heldUntilMs = world.time.nowMs + forMs;
        hand.later(forMs, () => server.loseHistory());
        return true;
      }
      case 'all servers killed': {
        const forMs = random.next() ** 2 * downMsMax;
        hand.note(`all API servers killed, back after ${Math.round(forMs)} ms`);
        for (const one of servers) {
          one.kill();
          hand.later(forMs + random.next() * 1_000, () => one.start());
        }
        return true;
      }
      case 'servers started anew in turn':
        hand.note('the API servers are started anew, one after the other');
        hand.later(1, () => this.#startAnew(servers));
        return true;
      case 'server paused past its lease':
        return hand.pauseFor(
          server,
          controllersLeaseMs + random.next() * (pauseMsMax - controllersLeaseMs),
          '',
        );
      default:
        return strike satisfies never;
    }
  }

  async #startAnew(servers: readonly SimulatedServer[]): Promise<void> {
    for (const server of servers) {
      server.kill();
      await server.start();
    }
  }
}
