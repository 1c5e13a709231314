import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import type { Random } from '../../harness/random.ts';

/** What an edge that lies answers with 200. */
export const lies = [
  'another object told',
  'old revision told',
  'empty list told',
  'write told and not done',
] as const;

export type Lie = (typeof lies)[number];

/** No store's revision of anything that matters here. */
const oldRevision = '1';

/** A server that answers each call with a lie, where there is one to tell. `told`: one was. */
export class LyingClient implements KubeClient {
  readonly #truth: KubeClient;
  readonly #random: Random;
  readonly #told: (lie: Lie) => void;

  constructor(truth: KubeClient, random: Random, told: (lie: Lie) => void) {
    this.#truth = truth;
    this.#random = random;
    this.#told = told;
  }

  get: KubeClient['get'] = async (ref, options) => {
    const { signal, metadataOnly } = options ?? {};
    if (this.#random.next() < 0.5) {
      const { items } = await this.#truth.list(ref, { signal, metadataOnly });
      const others = items.filter(({ metadata }) => metadata.name !== ref.name);
      if (others.length > 0) {
        this.#told('another object told');
        return this.#random.pick(others);
      }
    }
    return this.#old(await this.#truth.get(ref, options));
  };

  list: KubeClient['list'] = async (collection, options) => {
    const list = await this.#truth.list(collection, options);
    if (this.#random.next() < 0.5) {
      if (list.items.length > 0) this.#told('empty list told');
      const { resourceVersion } = list.metadata;
      return { ...list, metadata: { resourceVersion }, items: [] };
    }
    this.#told('old revision told');
    return { ...list, metadata: { ...list.metadata, resourceVersion: oldRevision } };
  };

  create: KubeClient['create'] = (collection, object, options) =>
    this.#undone(this.#truth.create(collection, object, { ...options, dryRun: true }));

  update: KubeClient['update'] = (ref, object, options) =>
    this.#undone(this.#truth.update(ref, object, { ...options, dryRun: true }));

  patch: KubeClient['patch'] = (ref, patch, options) =>
    this.#undone(this.#truth.patch(ref, patch, { ...options, dryRun: true }));

  apply: KubeClient['apply'] = (ref, object, options) =>
    this.#undone(this.#truth.apply(ref, object, { ...options, dryRun: true }));

  delete: KubeClient['delete'] = (ref, options) =>
    this.#undone(this.#truth.delete(ref, { ...options, dryRun: true }));

  deleteCollection: KubeClient['deleteCollection'] = (collection, options) =>
    this.#undone(this.#truth.deleteCollection(collection, { ...options, dryRun: true }));

  watch: KubeClient['watch'] = (collection, options) => this.#truth.watch(collection, options);

  raw: KubeClient['raw'] = (request, options) => this.#truth.raw(request, options);

  close(): Promise<void> {
    return Promise.resolve(); // not ours to close
  }

  #old(object: KubeObject): KubeObject {
    this.#told('old revision told');
    return { ...object, metadata: { ...object.metadata, resourceVersion: oldRevision } };
  }

  async #undone<T>(answer: Promise<T>): Promise<T> {
    const value = await answer;
    this.#told('write told and not done');
    return value;
  }
}
