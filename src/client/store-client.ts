import type { KubeClient } from './client.ts';

/** The store that a client's calls are for. */
export interface ClientStore {
  readonly incarnationId: string;
  /** The server refused a call because its store is another one by now. May be called more than once. */
  readonly onOther: () => void;
}

/**
 * A client that becomes one for a single incarnation of the store as soon as that is known: whoever decides from what it remembers
 * can then not write it over a store that was put back meanwhile (decision 0201).
 */
export class StoreClient implements KubeClient {
  #target: KubeClient;
  #own: KubeClient | undefined;

  /** `base` stays its maker's to close. */
  constructor(base: KubeClient) {
    this.#target = base;
  }

  /** From now on all calls go through `own`, which is closed with this. */
  use(own: KubeClient): void {
    this.#target = own;
    this.#own = own;
  }

  get: KubeClient['get'] = (ref, options) => this.#target.get(ref, options);
  list: KubeClient['list'] = (collection, options) => this.#target.list(collection, options);
  watch: KubeClient['watch'] = (collection, options) => this.#target.watch(collection, options);
  create: KubeClient['create'] = (collection, object, options) =>
    this.#target.create(collection, object, options);
  update: KubeClient['update'] = (ref, object, options) => this.#target.update(ref, object, options);
  patch: KubeClient['patch'] = (ref, patch, options) => this.#target.patch(ref, patch, options);
  apply: KubeClient['apply'] = (ref, object, options) => this.#target.apply(ref, object, options);
  delete: KubeClient['delete'] = (ref, options) => this.#target.delete(ref, options);
  deleteCollection: KubeClient['deleteCollection'] = (collection, options) =>
    this.#target.deleteCollection(collection, options);
  raw: KubeClient['raw'] = (request, options) => this.#target.raw(request, options);

  async close(): Promise<void> {
    await this.#own?.close();
  }
}
