import { clusterAnnotation, clusterOf } from '#api/core-kcp/cluster-annotation.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { Clock } from '#apimachinery/clock.ts';
import { formatApiVersion } from '#apimachinery/gvk.ts';
import { cloneJson } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { Informer } from '#client/informer.ts';
import type { Logger } from '#client/logger.ts';
import { RecentObjects } from '#client/recent-objects.ts';
import type { WatchedResource } from '../copies/copy-index.ts';
import { type KeyParts, keyOf, watchedKeyOf } from '../object-key.ts';
import { slimMetadata } from './slim-metadata.ts';

/** Called for every object of a watched resource, in whichever workspace; `object` is undefined when it is gone. */
export type ResourceListener = (
  resource: WatchedResource,
  object: KubeObject | undefined,
  old: KubeObject | undefined,
) => void;

export interface ResourceWatchesOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly listener: ResourceListener;
  /** Called after each complete list of a resource, once what differs was told; with the list's revision. */
  readonly onListed: (resource: WatchedResource, resourceVersion: string) => void;
  /** Whether objects of a resource (`<resource>.<group>`) are placed from a workspace: new ones are then kept whole for a moment. */
  readonly isPlaced: (cluster: string, resourceName: string) => boolean;
}

/** About as many bytes of new objects are kept whole; what is not among them is read. */
const recentBytesMax = 8 * 1024 * 1024;
/** A decision that comes later than this after its object reads it. */
const recentAgeMaxMs = 5_000;

const clusterIndex = 'cluster';

/**
 * One wildcard watch of metadata per group and resource, over projects and cell workspaces alike, while something needs
 * it (DESIGN.md, Scheduler).
 */
export class ResourceWatches {
  readonly #options: ResourceWatchesOptions;
  readonly #informers = new Map<string, { resource: WatchedResource; informer: Informer }>();
  /** Objects that were told whole when they were new, by their key. */
  readonly #recent: RecentObjects;

  constructor(options: ResourceWatchesOptions) {
    this.#options = options;
    const { clock } = options;
    this.#recent = new RecentObjects({ clock, bytesMax: recentBytesMax, ageMaxMs: recentAgeMaxMs });
  }

  /**
   * Starts the watch when there is none; resolves when its cache is complete. A resource that no workspace serves has no
   * objects: then nothing is watched, and it is for the caller to come again when it is served.
   */
  async ensure(resource: WatchedResource): Promise<void> {
    const informer = this.#start(resource);
    if (informer.hasSynced || (await this.#isServed(resource, informer))) {
      await informer.synced;
      return;
    }
    await this.release(watchName(resource));
  }

  async #isServed(resource: WatchedResource, informer: Informer): Promise<boolean> {
    const { client } = this.#options;
    try {
      await client.list(
        { cluster: '*', gvr: resource },
        { limit: 1, metadataOnly: true, resourceVersion: '0' },
      );
      return true;
    } catch (error) {
      // Any other failure is the informer's to repeat until it is over.
      return informer.hasSynced || !isApiError(error, 'NotFound');
    }
  }

  #start(resource: WatchedResource): Informer {
    const name = watchName(resource);
    let watched = this.#informers.get(name);
    if (watched === undefined) {
      const { client, clock, logger, listener, onListed } = this.#options;
      const informer = new Informer({
        client,
        clock,
        logger,
        collection: { cluster: '*', gvr: resource },
        metadataOnly: true,
        newWhole: true,
        transform: (object) => {
          if (object.kind !== 'PartialObjectMetadata') this.#keepWhole(resource, object);
          return slimMetadata(object);
        },
        indexers: { [clusterIndex]: (object) => [clusterOf(object)] },
      });
      watched = { resource, informer };
      this.#informers.set(name, watched);
      informer.addHandler({
        onAdd: (object) => listener(resource, object, undefined),
        onUpdate: (object, old) => listener(resource, object, old),
        onDelete: (old) => listener(resource, undefined, old),
        onListed: (resourceVersion) => onListed(resource, resourceVersion),
      });
      informer.start();
    }
    return watched.informer;
  }

  /** The object's metadata as last seen; undefined too when the resource is not watched. */
  get(resourceName: string, cluster: string, namespace: string, name: string): KubeObject | undefined {
    return this.#informers.get(resourceName)?.informer.get(`${cluster}|${namespace}/${name}`);
  }

  /** Likewise, of a project object. */
  ofKey(key: KeyParts): KubeObject | undefined {
    return this.#informers.get(watchName(key))?.informer.get(watchedKeyOf(key));
  }

  /**
   * The object as it was told whole, if it is of this version, just new, and nothing newer was told of it since; once, and the
   * caller's own. Else it is to be read.
   */
  takeWhole(key: KeyParts, { group, version }: WatchedResource): KubeObject | undefined {
    const told = this.#recent.bytes === 0 ? undefined : this.ofKey(key);
    if (told === undefined) return undefined;
    const object = this.#recent.take(keyOf(key), told.metadata.resourceVersion);
    return object?.apiVersion === formatApiVersion({ group, version }) ? object : undefined;
  }

  #keepWhole({ group, resource }: WatchedResource, object: KubeObject): void {
    const { namespace = '', name = '', annotations } = object.metadata;
    const cluster = annotations?.[clusterAnnotation] ?? '';
    if (!this.#options.isPlaced(cluster, watchName({ group, resource }))) return;
    // What the watch keeps of it is shared, and this is to be its taker's own.
    const metadata = cloneJson(object.metadata);
    this.#recent.put(keyOf({ group, resource, cluster, namespace, name }), { ...object, metadata });
  }

  /** All objects of a resource in one workspace. */
  *inCluster(resourceName: string, cluster: string): IterableIterator<KubeObject> {
    const watched = this.#informers.get(resourceName);
    if (watched !== undefined) yield* watched.informer.byIndex(clusterIndex, cluster);
  }

  /** Whether an object of this name is seen in any workspace. */
  hasNamed(resourceName: string, name: string): boolean {
    const watched = this.#informers.get(resourceName);
    for (const { metadata } of watched?.informer.values() ?? []) if (metadata.name === name) return true;
    return false;
  }

  /** The watched resources, `<resource>.<group>` first. */
  *resources(): IterableIterator<readonly [name: string, resource: WatchedResource]> {
    for (const [name, { resource }] of this.#informers) yield [name, resource];
  }

  isWatched(resourceName: string): boolean {
    return this.#informers.has(resourceName);
  }

  /** Resolves when all caches are complete. */
  async synced(): Promise<void> {
    await Promise.all(Array.from(this.#informers.values(), ({ informer }) => informer.synced));
  }

  get connected(): boolean {
    for (const { informer } of this.#informers.values()) if (!informer.connected) return false;
    return true;
  }

  /** Ends one watch and forgets its objects; they are not told as deleted. */
  async release(resourceName: string): Promise<void> {
    const watched = this.#informers.get(resourceName);
    this.#informers.delete(resourceName);
    await watched?.informer.stop();
  }

  async stop(): Promise<void> {
    await Promise.all(Array.from(this.#informers.values(), ({ informer }) => informer.stop()));
  }
}

/** `<resource>.<group>`, with the dot also for the core group. */
export function watchName({
  group,
  resource,
}: {
  readonly group: string;
  readonly resource: string;
}): string {
  return `${resource}.${group}`;
}
