import { ApiError } from '#apimachinery/api-error.ts';
import type { KubeList, KubeObject } from '#apimachinery/object.ts';
import type { CollectionRef, KubeClient, ListOptions, WatchEvent, WatchOptions } from '../client.ts';

type Step = WatchEvent | { readonly type: 'FAIL'; readonly error: Error } | { readonly type: 'END' };

/** A KubeClient of which list and watch do what a test tells them; all other calls refuse. */
export class ScriptedClient {
  /** Served by list, in pages of the size asked for. */
  items: KubeObject[] = [];
  resourceVersion = '1';
  readonly lists: ListOptions[] = [];
  readonly watches: WatchOptions[] = [];
  readonly #steps: Step[] = [];
  #wake: () => void = () => {};

  push(...steps: Step[]): void {
    this.#steps.push(...steps);
    this.#wake();
  }

  get client(): KubeClient {
    const refuse = () => Promise.reject(new ApiError('MethodNotAllowed', 'not scripted'));
    return {
      list: (collection, options) => this.#list(collection, options),
      watch: (collection, options) => this.#watch(collection, options),
      get: refuse,
      create: refuse,
      update: refuse,
      patch: refuse,
      apply: refuse,
      delete: refuse,
      deleteCollection: refuse,
      raw: refuse,
      close: () => Promise.resolve(),
    };
  }

  async #list(_collection: CollectionRef, options: ListOptions = {}): Promise<KubeList> {
    this.lists.push(options);
    const start = options.continue === undefined ? 0 : Number(options.continue);
    const end = start + (options.limit ?? this.items.length);
    const metadata: KubeList['metadata'] = { resourceVersion: this.resourceVersion };
    if (end < this.items.length) metadata.continue = String(end);
    return { apiVersion: 'v1', kind: 'List', metadata, items: structuredClone(this.items.slice(start, end)) };
  }

  async *#watch(_collection: CollectionRef, options: WatchOptions = {}): AsyncGenerator<WatchEvent> {
    this.watches.push(options);
    for (;;) {
      const step = this.#steps.shift();
      if (step !== undefined) {
        if (step.type === 'FAIL') throw step.error;
        if (step.type === 'END') return;
        yield step;
        continue;
      }
      if (options.signal?.aborted === true) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        options.signal?.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }
}
