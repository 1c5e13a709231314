import { projectDefinitions } from '#api/policy/definitions.ts';
import type { AcceptedConnection } from '#apiserver/http/server.ts';
import type { ServerPki } from '#apiserver/pki/pki.ts';
import type { UserInfo } from '#apiserver/request/user.ts';
import type { ApiServer } from '#apiserver/server/options.ts';
import { startServer } from '#apiserver/server.ts';
import type { KubeClient } from '#client/client.ts';
import type { Logger } from '#client/logger.ts';
import { openCachedStorage } from '#storage/cache/caching-storage.ts';
import { StorageError } from '#storage/errors.ts';
import type { KeyValue, Storage, StorageEvent, WatchHandler } from '#storage/storage.ts';
import type { Random } from '../../harness/random.ts';
import type { Plane } from './plane.ts';
import { SimulatedProcess } from './process.ts';
import type { Reachable } from './reachable.ts';
import { newStoreLine, SharedStoreAccess } from './shared-store-access.ts';
import { SimulatedStore, type StoreObserver } from './store.ts';
import type { VirtualTime } from './virtual-time.ts';

export interface SimulatedServerOptions {
  readonly name: string;
  readonly mode: 'federation' | 'edge';
  readonly pki: ServerPki;
  readonly time: VirtualTime;
  readonly random: Random;
  readonly logger: Logger;
  /** That of several servers, with the name that these go by together. Default: it has one of its own. */
  readonly shared?: { readonly plane: string; readonly store: SimulatedStore } | undefined;
}

const fsyncMsMax = 2;
/** As whoever sees to a server starts it again that could not start. */
const startAgainMs = 500;

interface Run {
  readonly process: SimulatedProcess;
  readonly server: ApiServer;
  readonly clients: Map<string, KubeClient>;
}

/** An API server without sockets on a store in memory that outlives it: killed, paused, started again, restored. */
export class SimulatedServer implements Reachable, Plane {
  readonly name: string;
  readonly plane: string;
  readonly servers: readonly SimulatedServer[] = [this];
  /** To its store; where that is its own, writes alone are refused. */
  readonly storeLine = newStoreLine();
  readonly #options: SimulatedServerOptions;
  readonly #store: SimulatedStore;
  readonly #atDown = new Set<() => void>();
  #run: Run | undefined;
  #starting: SimulatedProcess | undefined;
  #access: SharedStoreAccess | undefined;

  constructor(options: SimulatedServerOptions) {
    this.name = options.name;
    this.plane = options.shared?.plane ?? options.name;
    this.#options = options;
    this.#store = options.shared?.store ?? new SimulatedStore();
  }

  /** Of its store. */
  get incarnationId(): string {
    return this.#store.incarnationId;
  }

  get isEdge(): boolean {
    return this.#options.mode === 'edge';
  }

  get isUp(): boolean {
    return this.#run !== undefined;
  }

  /** Up, and neither paused nor kept from its store. */
  get isWell(): boolean {
    const { isCut, heldUntilMs } = this.storeLine;
    return this.isUp && this.process?.isPaused === false && !isCut && heldUntilMs <= this.#options.time.nowMs;
  }

  get process(): SimulatedProcess | undefined {
    return this.#run?.process;
  }

  /** The server's own user, past the network. Throws while it is down. */
  get admin(): KubeClient {
    if (this.#run === undefined) throw new Error(`${this.name} is down`);
    return this.#run.server.loopbackClient;
  }

  /** Resolves when it serves, or was killed meanwhile. */
  async start(): Promise<void> {
    if (this.#run !== undefined || this.#starting !== undefined) return;
    const process = new SimulatedProcess(this.name, this.#options.time);
    this.#starting = process;
    const killed = new Promise<undefined>((resolve) => process.onDeath(() => resolve(undefined)));
    const serving = this.#options.shared === undefined ? this.#serve(process) : this.#servePatiently(process);
    const server = await Promise.race([serving, killed]);
    if (server === undefined || !process.isAlive) return;
    this.#starting = undefined;
    this.#run = { process, server, clients: new Map() };
  }

  /** A store that is reached over a network may be away for a while. */
  async #servePatiently(process: SimulatedProcess): Promise<ApiServer> {
    for (;;) {
      try {
        return await this.#serve(process);
      } catch (error) {
        this.#options.logger.warn({ err: error }, 'the server did not start');
        await process.sleep(startAgainMs);
      }
    }
  }

  async #serve(process: SimulatedProcess): Promise<ApiServer> {
    const { name, mode, pki, logger } = this.#options;
    const storage = await openCachedStorage(this.#storageOf(process), { logger });
    return startServer({
      mode,
      storage,
      pki,
      bindAddress: '127.0.0.1',
      port: 443,
      listens: false,
      externalHost: `${name}.example`,
      projectDefinitions: projectDefinitions(),
      version: 'simulated',
      clock: process.clock,
      logger,
    });
  }

  /** As SIGKILL: what was committed stays, nothing else. */
  kill(): void {
    const run = this.#run;
    this.#run = undefined;
    this.#starting?.kill();
    this.#starting = undefined;
    run?.process.kill();
    for (const callback of [...this.#atDown]) callback();
  }

  backUp(): Promise<readonly KeyValue[]> {
    return this.#store.backUp();
  }

  /** Kills it, and puts the store back to a backup; to be started again. */
  async restore(backup: readonly KeyValue[]): Promise<void> {
    this.kill();
    await this.#store.restore(backup);
  }

  /** Likewise, as an edge's etcd is: its revisions begin again where they were in the backup. */
  async rewind(backup: readonly KeyValue[]): Promise<void> {
    this.kill();
    await this.#store.rewind(backup);
  }

  currentRevision(): Promise<number> {
    return this.#store.currentRevision();
  }

  /** From now on, past the network and all servers. */
  observe(observer: StoreObserver): Promise<void> {
    return this.#store.observe(observer);
  }

  /** Resolves when it answers, where that has to be waited for; never, once it is dead. */
  awake(): Promise<void> | undefined {
    return this.#options.shared === undefined ? undefined : this.#run?.process.awake();
  }

  /** What its store has not told it yet is compacted there. */
  async loseHistory(): Promise<void> {
    await this.#store.forgetHistory();
    this.#access?.loseWatches();
  }

  clientAs(user: UserInfo): KubeClient | undefined {
    const run = this.#run;
    if (run === undefined) return undefined;
    let client = run.clients.get(user.name);
    if (client === undefined) {
      client = run.server.clientAs(user);
      run.clients.set(user.name, client);
    }
    return client;
  }

  accept(connection: AcceptedConnection): boolean {
    this.#run?.server.accept(connection);
    return this.#run !== undefined;
  }

  onDown(callback: () => void): () => void {
    this.#atDown.add(callback);
    return () => void this.#atDown.delete(callback);
  }

  /** The store as one process sees it: nothing gets through to it when it is dead, late when it is paused. */
  #storageOf(process: SimulatedProcess): Storage {
    const inner = this.#store.open();
    const { time, random, shared } = this.#options;
    if (shared !== undefined) {
      this.#access = new SharedStoreAccess({ inner, line: this.storeLine, process, time, random });
      return this.#access;
    }
    const asleep = (): Promise<void> | undefined =>
      process.isAlive && !process.isPaused ? undefined : process.awake();
    const transact: Storage['transact'] = async (transaction) => {
      await time.sleep(random.next() ** 2 * fsyncMsMax);
      await asleep();
      await process.atWrite('before');
      const { refusalRate } = this.storeLine;
      if (refusalRate > 0 && random.next() < refusalRate) {
        throw new StorageError('unavailable', 'injected: the store takes no writes now');
      }
      const result = await inner.transact(transaction);
      await process.atWrite('after');
      return result;
    };
    const watch: Storage['watch'] = async (options, handler) => {
      await asleep();
      return inner.watch(options, new GatedHandler(process, handler));
    };
    return new Proxy(inner, {
      get: (target, property) => {
        if (property === 'transact') return transact;
        if (property === 'watch') return watch;
        const value: unknown = Reflect.get(target, property);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }
}

/** Events of the store in their order, for as long as the process lives, and none while it is paused. */
class GatedHandler implements WatchHandler {
  readonly #process: SimulatedProcess;
  readonly #handler: WatchHandler;
  #waiting: (readonly StorageEvent[])[] = [];

  constructor(process: SimulatedProcess, handler: WatchHandler) {
    this.#process = process;
    this.#handler = handler;
  }

  events(events: readonly StorageEvent[]): void {
    const { isAlive, isPaused } = this.#process;
    if (!isAlive) return;
    if (!isPaused && this.#waiting.length === 0) {
      this.#handler.events(events);
      return;
    }
    this.#waiting.push(events);
    if (this.#waiting.length === 1) void this.#process.awake().then(() => this.#flush());
  }

  end(error: Error): void {
    if (this.#process.isAlive) this.#handler.end(error);
  }

  #flush(): void {
    for (const events of this.#waiting.splice(0)) this.#handler.events(events);
  }
}
