import { isApiError } from '#apimachinery/api-error.ts';
import type { CollectionRef, KubeClient, WatchEvent, WatchOptions } from '#client/client.ts';
import type { Random } from '../../harness/random.ts';
import type { SimulatedServer } from './server.ts';

/** A client's way to one of the servers behind a name. */
export interface Way {
  readonly server: SimulatedServer;
  readonly client: KubeClient;
}

/**
 * A client of a name behind which several servers are: of one connection, which stays with a server until that is down or does not
 * serve it; or of many, so that each request and each watch may come to another one. What is down is not connected to while
 * another one is up.
 */
export class BalancedClient implements KubeClient {
  readonly #ways: readonly Way[];
  readonly #random: Random;
  readonly #isScattered: boolean;
  #at: number;

  constructor(ways: readonly Way[], random: Random) {
    this.#ways = ways;
    this.#random = random;
    this.#isScattered = random.next() < 0.5;
    this.#at = random.between(0, ways.length - 1);
  }

  get: KubeClient['get'] = (ref, options) => this.#call((to) => to.get(ref, options));
  list: KubeClient['list'] = (collection, options) => this.#call((to) => to.list(collection, options));
  create: KubeClient['create'] = (collection, object, options) =>
    this.#call((to) => to.create(collection, object, options));
  update: KubeClient['update'] = (ref, object, options) =>
    this.#call((to) => to.update(ref, object, options));
  patch: KubeClient['patch'] = (ref, patch, options) => this.#call((to) => to.patch(ref, patch, options));
  apply: KubeClient['apply'] = (ref, object, options) => this.#call((to) => to.apply(ref, object, options));
  delete: KubeClient['delete'] = (ref, options) => this.#call((to) => to.delete(ref, options));
  deleteCollection: KubeClient['deleteCollection'] = (collection, options) =>
    this.#call((to) => to.deleteCollection(collection, options));
  raw: KubeClient['raw'] = (request, options) => this.#call((to) => to.raw(request, options));

  watch(collection: CollectionRef, options?: WatchOptions): AsyncIterable<WatchEvent> {
    return { [Symbol.asyncIterator]: () => this.#watch(collection, options) };
  }

  async close(): Promise<void> {
    await Promise.all(this.#ways.map(({ client }) => client.close()));
  }

  async #call<T>(perform: (to: KubeClient) => Promise<T>): Promise<T> {
    const way = this.#choose();
    try {
      return await perform(way.client);
    } catch (error) {
      this.#turnFrom(way, error);
      throw error;
    }
  }

  async *#watch(
    collection: CollectionRef,
    options: WatchOptions | undefined,
  ): AsyncGenerator<WatchEvent, void, undefined> {
    const way = this.#choose();
    try {
      yield* way.client.watch(collection, options);
    } catch (error) {
      this.#turnFrom(way, error);
      throw error;
    }
  }

  #choose(): Way {
    const up = this.#ways.filter(({ server }) => server.isUp);
    const choices = up.length === 0 ? this.#ways : up;
    if (this.#isScattered) return this.#random.pick(choices);
    const present = this.#ways[this.#at] as Way;
    if (!choices.includes(present)) this.#at = this.#ways.indexOf(this.#random.pick(choices));
    return this.#ways[this.#at] as Way;
  }

  #turnFrom(way: Way, error: unknown): void {
    if (!isApiError(error, 'ServiceUnavailable', 'Timeout') || this.#ways[this.#at] !== way) return;
    this.#at = (this.#at + 1) % this.#ways.length;
  }
}
