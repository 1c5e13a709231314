import type { Clock } from '#apimachinery/clock.ts';
import type { Logger } from '#client/logger.ts';
import type { CachedStorage, CacheEntry } from '#storage/cached-storage.ts';
import { parseObjectKey, rangePrefix } from '#storage/keys.ts';
import { objectOf } from '../registry/stored-object.ts';
import { follow } from '../workspace/follow.ts';
import {
  apiServiceGroup,
  apiServiceResource,
  leadsAlike,
  type RemoteApiService,
  remoteApiServiceOf,
} from './api-service.ts';

/** APIServices with a Service that one workspace may have in effect; further ones, by name, are not available. */
export const remoteServicesMax = 64;

interface Cluster {
  readonly byName: Map<string, RemoteApiService>;
  /** By `<group>/<version>`, those in effect; made when asked for. */
  byGroupVersion: ReadonlyMap<string, RemoteApiService> | undefined;
  /** Rises with every change. */
  generation: number;
}

const prefix = rangePrefix({ group: apiServiceGroup, resource: apiServiceResource });

/**
 * The APIServices of all workspaces that lead elsewhere (KUBERNETES.md O1), kept by one watch. A workspace without any
 * costs one look into a map.
 */
export class ApiServiceCatalog {
  readonly #storage: CachedStorage;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #clusters = new Map<string, Cluster>();
  readonly #listeners = new Set<(clusterId: string, name: string) => void>();
  #generation = 0;
  #following: { close(): void } | undefined;

  constructor(storage: CachedStorage, clock: Clock, logger: Logger) {
    this.#storage = storage;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Knows all of them when it returns. Throws StorageError. */
  start(): void {
    this.#following = follow(
      this.#storage,
      prefix,
      {
        reset: (entries) => this.#reset(entries),
        events: (events) => {
          for (const { key, entry } of events) this.#set(key, entry);
        },
      },
      this.#clock,
    );
  }

  stop(): void {
    this.#following?.close();
  }

  /** Told of each one that is there, has changed, or is gone, synchronously. */
  onChange(listener: (clusterId: string, name: string) => void): void {
    this.#listeners.add(listener);
  }

  has(clusterId: string): boolean {
    return this.#clusters.has(clusterId);
  }

  get(clusterId: string, name: string): RemoteApiService | undefined {
    return this.#clusters.get(clusterId)?.byName.get(name);
  }

  /** Those in effect, by `<group>/<version>`. */
  remotesOf(clusterId: string): ReadonlyMap<string, RemoteApiService> {
    const cluster = this.#clusters.get(clusterId);
    if (cluster === undefined) return none;
    cluster.byGroupVersion ??= new Map(
      [...cluster.byName.values()]
        .sort((a, b) => (a.name < b.name ? -1 : 1))
        .slice(0, remoteServicesMax)
        .map((one) => [`${one.group}/${one.version}`, one]),
    );
    return cluster.byGroupVersion;
  }

  /** 0 for a workspace without any; never the same for different content. */
  generationOf(clusterId: string): number {
    return this.#clusters.get(clusterId)?.generation ?? 0;
  }

  *all(): Generator<RemoteApiService> {
    for (const { byName } of this.#clusters.values()) yield* byName.values();
  }

  #reset(entries: Iterable<CacheEntry>): void {
    const before = [...this.all()];
    this.#clusters.clear();
    for (const entry of entries) this.#set(entry.key, entry);
    for (const { clusterId, name } of before) {
      if (this.get(clusterId, name) === undefined) this.#tell(clusterId, name);
    }
  }

  #set(key: string, entry: CacheEntry | undefined): void {
    const { clusterId, name } = parseObjectKey(key);
    const record = entry === undefined ? undefined : this.#parse(clusterId, entry);
    const cluster = this.#clusters.get(clusterId);
    const previous = cluster?.byName.get(name);
    if (record === undefined && previous === undefined) return;
    if (record === undefined) {
      cluster?.byName.delete(name);
      if (cluster?.byName.size === 0) this.#clusters.delete(clusterId);
      else if (cluster !== undefined) this.#touch(cluster);
      this.#tell(clusterId, name);
      return;
    }
    const present = cluster ?? { byName: new Map(), byGroupVersion: undefined, generation: 0 };
    this.#clusters.set(clusterId, present);
    present.byName.set(name, record);
    // A status that was written changes nothing here.
    const isSame =
      previous !== undefined &&
      leadsAlike(record, previous) &&
      record.groupPriority === previous.groupPriority &&
      record.versionPriority === previous.versionPriority;
    if (isSame) {
      present.byGroupVersion = undefined;
      return;
    }
    this.#touch(present);
    this.#tell(clusterId, name);
  }

  #touch(cluster: Cluster): void {
    cluster.byGroupVersion = undefined;
    cluster.generation = ++this.#generation;
  }

  #tell(clusterId: string, name: string): void {
    for (const listener of this.#listeners) listener(clusterId, name);
  }

  #parse(clusterId: string, entry: CacheEntry): RemoteApiService | undefined {
    try {
      return remoteApiServiceOf(clusterId, objectOf(entry));
    } catch (error) {
      this.#logger.error({ err: error, key: entry.key }, 'a stored APIService cannot be read');
      return undefined;
    }
  }
}

const none: ReadonlyMap<string, RemoteApiService> = new Map();
