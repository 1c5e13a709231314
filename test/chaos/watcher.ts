import { setTimeout } from 'node:timers/promises';
import { ApiError, isApiError } from '#apimachinery/api-error.ts';
import type { CollectionRef, KubeClient } from '#client/client.ts';
import type { Ledger } from './ledger.ts';

/** Follows one collection over all interruptions as an informer does, and checks every event (KUBERNETES.md W2, W3). */
export class Watcher {
  readonly #client: KubeClient;
  readonly #collection: CollectionRef;
  readonly #what: string;
  readonly #ledger: Ledger;
  readonly objects = new Map<string, string>();
  #last = 0n;
  resumed = 0;
  relisted = 0;

  constructor(client: KubeClient, collection: CollectionRef, what: string, ledger: Ledger) {
    this.#client = client;
    this.#collection = collection;
    this.#what = what;
    this.#ledger = ledger;
  }

  /** The newest revision that was seen. */
  get last(): bigint {
    return this.#last;
  }

  async run(signal: AbortSignal): Promise<void> {
    let listed = false;
    while (!signal.aborted) {
      try {
        if (!listed) await this.#list();
        listed = true;
        this.resumed++;
        await this.#watch(signal);
      } catch (error) {
        if (isApiError(error, 'Expired')) listed = false;
        else if (!(error instanceof ApiError)) throw error;
      }
      if (!signal.aborted) await setTimeout(50);
    }
  }

  async #list(): Promise<void> {
    const { items, metadata } = await this.#client.list(this.#collection);
    this.relisted++;
    const revision = BigInt(metadata.resourceVersion ?? '0');
    if (revision < this.#last)
      this.#ledger.violation(`${this.#what}: list at ${revision} after ${this.#last}`);
    this.#last = revision;
    this.objects.clear();
    for (const { metadata: own } of items) {
      this.objects.set(`${own.namespace}/${own.name}`, own.resourceVersion ?? '');
    }
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const options = { resourceVersion: String(this.#last), allowWatchBookmarks: true, signal };
    for await (const event of this.#client.watch(this.#collection, options)) {
      if (event.type === 'BOOKMARK') {
        this.#advance(event.resourceVersion, 'bookmark', true);
        continue;
      }
      const { namespace, name, resourceVersion = '' } = event.object.metadata;
      const key = `${namespace}/${name}`;
      this.#advance(resourceVersion, `${event.type} ${key}`, false);
      if ((event.type === 'ADDED') === this.objects.has(key)) {
        this.#ledger.violation(
          `${this.#what}: ${event.type} of ${key}, which ${event.type === 'ADDED' ? 'was' : 'was not'} there`,
        );
      }
      if (event.type === 'DELETED') this.objects.delete(key);
      else this.objects.set(key, resourceVersion);
    }
  }

  #advance(resourceVersion: string, what: string, maySame: boolean): void {
    const revision = BigInt(resourceVersion);
    if (revision < this.#last || (!maySame && revision === this.#last)) {
      this.#ledger.violation(`${this.#what}: ${what} at ${revision} after ${this.#last}`);
    }
    this.#last = revision;
  }
}
