import { otherStoreError } from '#api/federation/store-incarnation.ts';
import { ApiError } from '#apimachinery/api-error.ts';
import type { UserInfo } from '#apiserver/request/user.ts';
import type { KubeClient } from '#client/client.ts';
import { RemoteClient } from '#client/remote/remote-client.ts';
import type { ClientStore } from '#client/store-client.ts';
import type { Random } from '../../harness/random.ts';
import type { Link } from './link.ts';
import type { SimulatedProcess } from './process.ts';
import type { Reachable } from './reachable.ts';
import type { Traffic } from './traffic.ts';
import type { VirtualTime } from './virtual-time.ts';
import { openWire } from './wire.ts';

export interface Connecting {
  /** As RemoteClient's. */
  readonly batches?: boolean | undefined;
  /** Whether the server accepts, at this moment, the credentials that the client has. */
  readonly isAccepted?: (() => boolean) | undefined;
  /** As RemoteClient's. */
  readonly store?: ClientStore | undefined;
  /** A connection of its own, that is cut by itself too, for what rests on nothing that the process has read over others. */
  readonly line?: string | undefined;
  /** For callers who tell of each answer what it meant: no proxy repeats a call, or refuses one in the server's name. Default false. */
  readonly isLiteral?: boolean | undefined;
}

export interface LineOptions {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly traffic: Traffic;
  readonly from: SimulatedProcess;
  readonly server: Reachable;
  readonly user: UserInfo;
  readonly options: Connecting;
}

const latencyMinMs = 0.2;
const latencyMaxMs = 6;

/** What one client of a process has between itself and its server. */
export class ClientLine {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly traffic: Traffic;
  readonly from: SimulatedProcess;
  readonly server: Reachable;
  /** Of the process, whatever else it has to say there. */
  readonly link: Link;
  readonly #user: UserInfo;
  readonly #options: Connecting;
  #remote: RemoteClient | undefined;

  constructor({ time, random, traffic, from, server, user, options }: LineOptions) {
    this.time = time;
    this.random = random;
    this.traffic = traffic;
    this.from = from;
    this.server = server;
    this.link = traffic.link(from.name, server.name);
    this.#user = user;
    this.#options = options;
  }

  /** What is asked rests on what the process has read of this server before. */
  get restsOnReads(): boolean {
    return this.#options.line === undefined;
  }

  get isLiteral(): boolean {
    return this.#options.isLiteral === true;
  }

  get isCut(): boolean {
    const { line } = this.#options;
    return this.link.isCut || (line !== undefined && this.traffic.link(line, this.server.name).isCut);
  }

  get goesAsBytes(): boolean {
    return this.link.bytesUntilMs > this.time.nowMs;
  }

  /** The server's own client for this user; undefined while it is down. */
  get direct(): KubeClient | undefined {
    return this.server.clientAs(this.#user);
  }

  /** The client as it is in a program, on connections whose other end is the server's HTTP. */
  get overBytes(): KubeClient {
    this.#remote ??= this.#connectRemote();
    return this.#remote;
  }

  latency(): Promise<void> {
    const spreadMs = latencyMaxMs - latencyMinMs;
    return this.time.sleep(latencyMinMs + this.random.next() ** 3 * spreadMs);
  }

  /** A partition that ends before anybody noticed only delays. */
  async passable(): Promise<void> {
    while (this.isCut) await this.time.sleep(100);
  }

  authenticate(): void {
    if (this.#options.isAccepted?.() !== false) return;
    this.traffic.refusals++;
    throw new ApiError('Unauthorized', 'Unauthorized');
  }

  /** What the server’s HTTP does with the header that RemoteClient sends. */
  compareStore(): void {
    const { store } = this.#options;
    if (store === undefined || store.incarnationId === this.server.incarnationId) return;
    store.onOther();
    throw otherStoreError();
  }

  close(): Promise<void> {
    return this.#remote?.close() ?? Promise.resolve();
  }

  #connectRemote(): RemoteClient {
    const { name } = this.server;
    const { batches, store } = this.#options;
    const connector = () =>
      openWire({
        random: this.random,
        user: this.#user,
        accept: (connection) => this.server.accept(connection),
        delay: async (to) => {
          await this.latency();
          await this.passable();
          if (to === 'client') await this.from.awake();
        },
        onBreak: (callback) => {
          const onStream = (error: ApiError) => {
            if (error.reason !== 'Expired') callback();
          };
          this.link.streams.add(onStream);
          const endings = [this.server.onDown(callback), this.from.onDeath(callback)];
          return () => {
            this.link.streams.delete(onStream);
            for (const end of endings) end();
          };
        },
        faultRate: () => (this.goesAsBytes ? this.link.byteFaultRate : 0),
        struck: (fault) => this.traffic.countFault(fault),
      });
    // The name by which fields are owned is the same as of calls that do not go as bytes.
    const options = { userAgent: 'cellplane', batches, connector, store };
    return new RemoteClient({ server: `http://${name}.example` }, options);
  }
}
