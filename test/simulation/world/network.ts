import type { UserInfo } from '#apiserver/request/user.ts';
import type { KubeClient } from '#client/client.ts';
import type { Random } from '../../harness/random.ts';
import { BalancedClient } from './balanced-client.ts';
import { ClientLine, type Connecting } from './client-line.ts';
import { NetworkClient } from './network-client.ts';
import type { Plane } from './plane.ts';
import type { SimulatedProcess } from './process.ts';
import { Traffic } from './traffic.ts';
import type { VirtualTime } from './virtual-time.ts';

/**
 * Every request and watch between simulated processes: late by chance, in any order, and for as long as faults are drawn
 * refused, unanswered although done, done twice, or answered with an error. For a while a link's calls and watches go as bytes,
 * through the code of the real transport on both sides, and are damaged there.
 */
export class SimulatedNetwork extends Traffic {
  readonly #time: VirtualTime;
  readonly #random: Random;

  constructor(time: VirtualTime, random: Random) {
    super(time, random);
    this.#time = time;
    this.#random = random;
  }

  /** A client of the servers of `plane` for a process. */
  connect(from: SimulatedProcess, plane: Plane, user: UserInfo, options: Connecting = {}): KubeClient {
    const [time, random] = [this.#time, this.#random];
    const ways = plane.servers.map((server) => ({
      server,
      client: new NetworkClient(new ClientLine({ time, random, traffic: this, from, server, user, options })),
    }));
    const [only] = ways;
    return only !== undefined && ways.length === 1 ? only.client : new BalancedClient(ways, random.fork());
  }
}
