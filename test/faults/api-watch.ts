import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { CollectionRef, KubeClient } from '#client/client.ts';
import { until } from '../harness/until.ts';

/**
 * One list, then a watch from there, taken up again wherever it breaks: what it has added up is the state. Every event
 * is held against that: nothing is added twice, nothing modified or deleted that is not there, no revision goes back.
 */
export class ApiWatch {
  readonly #client: KubeClient;
  readonly #collection: CollectionRef;
  readonly #stopping = new AbortController();
  #objects = new Map<string, KubeObject>();
  #resourceVersion = 0;
  #running: Promise<void> | undefined;
  #failure: Error | undefined;
  /** Delays each event by so many milliseconds. */
  slowMs = 0;
  /** Times that the server could not go on from where the watch had been, so that it had to list again. */
  expired = 0;
  /** Times that the watch was taken up. */
  connections = 0;
  events = 0;
  /** Of all events. */
  readonly revisions = new Set<number>();

  private constructor(client: KubeClient, collection: CollectionRef) {
    this.#client = client;
    this.#collection = collection;
  }

  /** From a list of now, or of the state at an earlier `resourceVersion`. */
  static async start(
    client: KubeClient,
    collection: CollectionRef,
    resourceVersion?: string,
  ): Promise<ApiWatch> {
    const watch = new ApiWatch(client, collection);
    await watch.#list(resourceVersion);
    watch.#running = watch.#run();
    return watch;
  }

  get resourceVersion(): number {
    return this.#resourceVersion;
  }

  /** Breaks the connection; it is taken up again. */
  disturb: () => void = () => {};

  /** Waits until the watch has told everything, then holds what it added up against a list. */
  async assertAgrees(client: KubeClient): Promise<void> {
    // A server that is not over its last misfortune is asked again.
    const { items } = await until('the server lists', () => client.list(this.#collection));
    const newest = Math.max(0, ...items.map(({ metadata }) => Number(metadata.resourceVersion)));
    const expected = items.map(describe).sort();
    await until('the watch has told everything', () => {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#resourceVersion < newest) return false;
      assert.deepEqual([...this.#objects.values()].map(describe).sort(), expected);
      return true;
    });
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #list(resourceVersion?: string): Promise<void> {
    const { items, metadata } = await this.#client.list(
      this.#collection,
      resourceVersion === undefined ? {} : { resourceVersion, resourceVersionMatch: 'Exact' },
    );
    assert.ok(Number(metadata.resourceVersion) >= this.#resourceVersion, 'a list went back');
    this.#resourceVersion = Number(metadata.resourceVersion);
    this.#objects = new Map(items.map((item) => [item.metadata.name ?? '', item]));
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    for (let listNow = false; !signal.aborted; ) {
      const connection = new AbortController();
      this.disturb = () => connection.abort();
      try {
        if (listNow) await this.#list();
        listNow = false;
        this.connections++;
        const events = this.#client.watch(this.#collection, {
          resourceVersion: String(this.#resourceVersion),
          allowWatchBookmarks: true,
          signal: AbortSignal.any([signal, connection.signal]),
        });
        for await (const event of events) {
          if (event.type === 'BOOKMARK') this.#reach(Number(event.resourceVersion), 'bookmark');
          else this.#take(event.type, event.object);
          if (this.slowMs > 0) await pause(this.slowMs);
        }
      } catch (error) {
        if (error instanceof assert.AssertionError) {
          this.#failure = error;
          return;
        }
        if (isApiError(error, 'Expired')) {
          this.expired++;
          listNow = true;
        }
      }
      await pause(10, undefined, { ref: false });
    }
  }

  #take(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: KubeObject): void {
    const name = object.metadata.name ?? '';
    const before = this.#objects.get(name);
    const revision = Number(object.metadata.resourceVersion);
    this.events++;
    this.revisions.add(revision);
    assert.ok(
      revision > this.#resourceVersion,
      `${type} ${name} at ${revision} after ${this.#resourceVersion}`,
    );
    this.#reach(revision, name);
    if (type === 'ADDED') assert.equal(before, undefined, `${name} was added twice`);
    else assert.ok(before !== undefined, `${type} ${name}, which was not there`);
    if (type === 'DELETED') this.#objects.delete(name);
    else this.#objects.set(name, object);
  }

  #reach(revision: number, what: string): void {
    assert.ok(revision >= this.#resourceVersion, `${what}: ${revision} after ${this.#resourceVersion}`);
    this.#resourceVersion = revision;
  }
}

function describe({ metadata, data }: KubeObject): string {
  return `${metadata.name} ${metadata.resourceVersion} ${metadata.uid} ${JSON.stringify(data).slice(0, 200)}`;
}
