import { type Cell, cellDefinition, projectMayUse } from '#api/federation/cell.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import { ownBytes } from '#apimachinery/own-bytes.ts';
import type {
  CachedStorage,
  CacheEntry,
  CacheEvent,
  CacheSnapshot,
  CacheWatchHandler,
} from '#storage/cached-storage.ts';
import { StorageError } from '#storage/errors.ts';
import { objectKey, parseObjectKey, rangePrefix } from '#storage/keys.ts';
import type { Revision, StorageKey, Subscription, WatchHandler, WatchOptions } from '#storage/storage.ts';
import { encodeStored } from '../registry/encode-stored.ts';
import { objectOf } from '../registry/stored-object.ts';
import { cacheEventOf, ReadOnlyView } from './read-only-view.ts';
import type { WorkspaceDirectory } from './workspace-index.ts';

const { storedAs } = cellDefinition;

interface Shown {
  /** Whom it is shown to. */
  readonly for: Pick<Cell, 'spec'>;
  /** Encoded, without what is not for projects. */
  readonly value: Buffer;
}

/**
 * The Cells that a project may use, shown in its workspace: where they are and how they fare, without endpoints,
 * credentials, other projects' names and how they are run (DESIGN: Kinds).
 */
export class ProjectCellView extends ReadOnlyView {
  readonly #index: WorkspaceDirectory;
  /** What is shown of a Cell is the same for all projects: it is made once a revision, and lives as long as that. */
  readonly #shown = new WeakMap<CacheEntry, Shown>();

  constructor(storage: CachedStorage, index: WorkspaceDirectory) {
    super(storage);
    this.#index = index;
  }

  override peek(key: StorageKey): CacheEntry | undefined {
    const { clusterId, name } = parseObjectKey(key);
    const cells = this.#index.find(cellsWorkspacePath);
    if (cells === undefined) return undefined;
    const entry = this.storage.peek(objectKey({ ...storedAs, clusterId: cells.id, namespace: '', name }));
    return this.#showTo(clusterId, entry);
  }

  snapshot(prefix: string, atRevision?: Revision): CacheSnapshot {
    const { projectId, source } = this.#placeOf(prefix);
    const snapshot = this.storage.snapshot(source, atRevision);
    const showTo = (entry: CacheEntry) => this.#showTo(projectId, entry);
    const sourceKey = (key: StorageKey | undefined) =>
      key === undefined ? undefined : (`${source}/${parseObjectKey(key).name}` as StorageKey);
    function* entries(startAfter?: StorageKey): Generator<CacheEntry, undefined> {
      for (const entry of snapshot.entries(sourceKey(startAfter))) {
        const shown = showTo(entry);
        if (shown !== undefined) yield shown;
      }
    }
    return {
      revision: snapshot.revision,
      entries,
      count: (startAfter) => {
        let count = 0;
        for (const _ of entries(startAfter)) count++;
        return count;
      },
    };
  }

  watchCache(prefix: string, afterRevision: Revision, handler: CacheWatchHandler): { close(): void } {
    const { projectId, source } = this.#placeOf(prefix);
    return this.storage.watchCache(source, afterRevision, {
      events: (events) => {
        const shown = events.flatMap((event) => this.#eventFor(projectId, event) ?? []);
        if (shown.length > 0) handler.events(shown);
      },
      end: (error) => handler.end(error),
    });
  }

  watch({ prefix, afterRevision }: WatchOptions, handler: WatchHandler): Promise<Subscription> {
    const { projectId, source } = this.#placeOf(prefix);
    return this.storage.watch(
      { prefix: source, afterRevision },
      {
        events: (events) => {
          const shown = events.flatMap((event) => this.#eventFor(projectId, cacheEventOf(event)) ?? []);
          if (shown.length > 0) handler.events(shown);
        },
        end: (error) => handler.end(error),
      },
    );
  }

  /** The project that a prefix names, and the prefix of the Cells themselves. */
  #placeOf(prefix: string): { readonly projectId: string; readonly source: string } {
    const projectId = prefix.split('/')[3] ?? '';
    const cells = this.#index.find(cellsWorkspacePath);
    if (projectId === '' || cells === undefined) {
      throw new StorageError('unavailable', 'cells are shown to one project at a time');
    }
    return { projectId, source: rangePrefix(storedAs, cells.id) };
  }

  #eventFor(projectId: string, event: CacheEvent): CacheEvent | undefined {
    const entry = this.#showTo(projectId, event.entry);
    const previous = this.#showTo(projectId, event.previous);
    // What changed may be nothing that is shown.
    if (entry !== undefined && previous !== undefined && entry.value.equals(previous.value)) return undefined;
    if (entry === undefined && previous === undefined) return undefined;
    return {
      type: entry === undefined ? 'delete' : 'put',
      key: keyFor(projectId, event.key),
      revision: event.revision,
      value: entry?.value,
      entry,
      previous,
      memo: undefined,
    };
  }

  #showTo(projectId: string, entry: CacheEntry | undefined): CacheEntry | undefined {
    if (entry === undefined) return undefined;
    const path = this.#index.recordOf(projectId)?.path;
    if (path === undefined) return undefined;
    let shown = this.#shown.get(entry);
    if (shown === undefined) {
      const cell = objectOf(entry) as Cell;
      const value = ownBytes(encodeStored(redacted(cell), cellDefinition));
      shown = { for: { spec: { projects: cell.spec?.projects } }, value };
      this.#shown.set(entry, shown);
    }
    if (!projectMayUse(shown.for, path)) return undefined;
    const key = keyFor(projectId, entry.key);
    return { key, value: shown.value, revision: entry.revision, memo: undefined };
  }
}

function keyFor(clusterId: string, key: StorageKey): StorageKey {
  return objectKey({ ...storedAs, clusterId, namespace: '', name: parseObjectKey(key).name });
}

/** What is named here is shown; a field that is added to Cell is not, until it is named. */
function redacted({ apiVersion, kind, metadata, spec = {}, status = {} }: Cell): Cell {
  const { name, uid, creationTimestamp, deletionTimestamp, labels } = metadata;
  const { provider, region, zones, taints, pop, dataCenter, weight, cost, capacity, allow, apis } = spec;
  const { location, timeZone, maintenanceWindows } = spec;
  return withoutUndefined({
    apiVersion,
    kind,
    metadata: withoutUndefined({ name, uid, creationTimestamp, deletionTimestamp, labels }),
    spec: withoutUndefined({
      provider,
      region,
      zones,
      taints,
      pop,
      dataCenter,
      weight,
      cost,
      capacity,
      allow,
      apis,
      location,
      timeZone,
      maintenanceWindows,
    }),
    status: withoutUndefined({
      conditions: status.conditions?.map(({ message: _, ...condition }) => condition),
      kubernetesVersion: status.kubernetesVersion,
      apiEnablements: status.apiEnablements,
      capacity: status.capacity,
      allocatable: status.allocatable,
      allocated: status.allocated,
      nodeRoom: status.nodeRoom,
      nodeKinds: status.nodeKinds,
    }),
  }) as Cell;
}

function withoutUndefined<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}
