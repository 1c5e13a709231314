import type { KubeClient } from '#client/client.ts';
import type { KeyValue } from '#storage/storage.ts';
import type { Plane } from './plane.ts';
import { SimulatedServer, type SimulatedServerOptions } from './server.ts';
import { SimulatedStore, type StoreObserver } from './store.ts';

/** Several API servers on one store, behind one name. */
export class ServerGroup implements Plane {
  readonly name: string;
  readonly servers: readonly SimulatedServer[];
  readonly #store = new SimulatedStore();

  constructor({ name, random, ...options }: SimulatedServerOptions, count: number) {
    this.name = name;
    const shared = { plane: name, store: this.#store };
    this.servers = Array.from(
      { length: count },
      (_, i) => new SimulatedServer({ ...options, name: `${name}-${i + 1}`, random: random.fork(), shared }),
    );
  }

  get incarnationId(): string {
    return this.#store.incarnationId;
  }

  /** Of one that nothing is done to, if there is any. */
  get admin(): KubeClient {
    const [up] = this.servers.filter(({ isUp }) => isUp).sort((a, b) => Number(b.isWell) - Number(a.isWell));
    if (up === undefined) throw new Error(`${this.name} is down`);
    return up.admin;
  }

  async start(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.start()));
  }

  kill(): void {
    for (const server of this.servers) server.kill();
  }

  backUp(): Promise<readonly KeyValue[]> {
    return this.#store.backUp();
  }

  async restore(backup: readonly KeyValue[]): Promise<void> {
    this.kill();
    await this.#store.restore(backup);
  }

  observe(observer: StoreObserver): Promise<void> {
    return this.#store.observe(observer);
  }
}
