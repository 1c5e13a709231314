import {
  inactiveAnnotation,
  kindAnnotation,
  type LogicalClusterObject,
  logicalClusterDefinition,
  logicalClusterName,
  pathAnnotation,
  typeAnnotation,
} from '#api/core-kcp/logical-cluster.ts';
import { tenancyGroup, type WorkspaceObject, workspaceDefinition } from '#api/tenancy/workspace.ts';
import { ApiError, notFound } from '#apimachinery/api-error.ts';
import { type Clock, systemClock } from '#apimachinery/clock.ts';
import type { Scheme } from '#apimachinery/scheme.ts';
import type { CachedStorage, CacheEntry, CacheEvent } from '#storage/cached-storage.ts';
import { objectKey, rangePrefix } from '#storage/keys.ts';
import type { StorageKey } from '#storage/storage.ts';
import { clusterOf } from '../registry/key-parts.ts';
import { hasDeletionTimestamp, objectOf } from '../registry/stored-object.ts';
import { checkClusterRef } from './cluster-ref.ts';
import { follow } from './follow.ts';
import type { SchemeCatalog } from './scheme-catalog.ts';
import type {
  ClusterId,
  ResolveOptions,
  Workspace,
  WorkspaceKind,
  WorkspacePhase,
  WorkspaceResolver,
} from './workspace.ts';

/** All that is kept of a workspace; the rest is read from its LogicalCluster when asked for. */
export interface WorkspaceRecord {
  readonly id: ClusterId;
  readonly path: string;
  readonly kind: WorkspaceKind;
  readonly phase: WorkspacePhase;
  /** `root:universal`: path and name of its WorkspaceType. */
  readonly typeName: string;
}

export type WorkspaceChange = 'added' | 'changed' | 'removed';

/** What the server's controllers know the workspaces by. */
export interface WorkspaceDirectory {
  byId(id: ClusterId): Workspace | undefined;
  /** The record of a path, an id, or an id followed by names of children. */
  find(clusterRef: string): WorkspaceRecord | undefined;
  recordOf(id: string): WorkspaceRecord | undefined;
  records(): IterableIterator<WorkspaceRecord>;
  /** Called synchronously, before the write that caused it is acknowledged. Must not throw. */
  onChange(listener: (record: WorkspaceRecord, change: WorkspaceChange) => void): () => void;
}

export function logicalClusterKey(clusterId: string): StorageKey {
  return objectKey({
    ...logicalClusterDefinition.storedAs,
    clusterId,
    namespace: '',
    name: logicalClusterName,
  });
}

/**
 * Path to id, id to workspace: an index over the LogicalClusters, kept by one watch. About 300 bytes a workspace.
 * Because events come before a write is acknowledged, a workspace answers as soon as its creation was.
 */
export class WorkspaceIndex implements WorkspaceResolver, WorkspaceDirectory {
  readonly #storage: CachedStorage;
  readonly #schemes: SchemeCatalog;
  readonly #byId = new Map<string, WorkspaceRecord>();
  readonly #byPath = new Map<string, WorkspaceRecord>();
  readonly #listeners = new Set<(record: WorkspaceRecord, change: WorkspaceChange) => void>();
  /** One string for each type, however many workspaces are of it. */
  readonly #typeNames = new Map<string, string>();
  /** Clusters whose Workspace is being deleted: they close at once, before anything is written inside. */
  readonly #closing = new Set<string>();
  readonly #following: readonly { close(): void }[];

  constructor(options: {
    readonly storage: CachedStorage;
    readonly schemes: SchemeCatalog;
    readonly clock?: Clock | undefined;
  }) {
    this.#storage = options.storage;
    this.#schemes = options.schemes;
    const { storage, clock = systemClock } = options;
    this.#following = [
      follow(
        storage,
        rangePrefix(workspaceDefinition.storedAs),
        {
          reset: (entries) => {
            this.#closing.clear();
            for (const entry of entries) this.#noteClosing(entry);
          },
          events: (events) => {
            for (const { entry } of events) if (entry !== undefined) this.#noteClosing(entry);
          },
        },
        clock,
      ),
      follow(
        storage,
        rangePrefix(logicalClusterDefinition.storedAs),
        {
          reset: (entries) => this.#reset(entries),
          events: (events) => this.#apply(events),
        },
        clock,
      ),
    ];
  }

  get size(): number {
    return this.#byId.size;
  }

  resolve(clusterRef: string, options: ResolveOptions = {}): Workspace {
    const record = this.find(clusterRef);
    if (record === undefined) {
      checkClusterRef(clusterRef);
      throw notFound({ group: tenancyGroup, resource: 'workspaces' }, clusterRef);
    }
    refuseClosed(record, options);
    return this.#workspaceOf(record);
  }

  async resolveFresh(clusterRef: string, options: ResolveOptions = {}): Promise<Workspace> {
    checkClusterRef(clusterRef);
    await this.#storage.awaitFresh();
    return this.resolve(clusterRef, options);
  }

  awaitFresh(): Promise<void> | undefined {
    return this.#storage.awaitSettled === undefined ? this.#storage.awaitFresh() : undefined;
  }

  byId(id: ClusterId): Workspace | undefined {
    const record = this.#byId.get(id);
    return record === undefined ? undefined : this.#workspaceOf(record);
  }

  wildcardScheme(): Scheme {
    return this.#schemes.wildcardScheme();
  }

  find(clusterRef: string): WorkspaceRecord | undefined {
    const record = this.#byPath.get(clusterRef) ?? this.#byId.get(clusterRef);
    if (record !== undefined) return record;
    const colon = clusterRef.indexOf(':');
    if (colon < 0) return undefined;
    const ancestor = this.#byId.get(clusterRef.slice(0, colon));
    return ancestor === undefined ? undefined : this.#byPath.get(ancestor.path + clusterRef.slice(colon));
  }

  recordOf(id: string): WorkspaceRecord | undefined {
    return this.#byId.get(id);
  }

  records(): IterableIterator<WorkspaceRecord> {
    return this.#byId.values();
  }

  onChange(listener: (record: WorkspaceRecord, change: WorkspaceChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    for (const one of this.#following) one.close();
  }

  #workspaceOf({ id, path, kind, phase }: WorkspaceRecord): Workspace {
    const scheme = this.#schemes.schemeOf(kind, id);
    return { id, path, type: kind, phase, scheme, inert: kind === 'cell' };
  }

  #reset(entries: Iterable<CacheEntry>): void {
    const gone = new Map(this.#byId);
    for (const entry of entries) {
      const record = this.#put(entry);
      if (record !== undefined) gone.delete(record.id);
    }
    for (const record of gone.values()) this.#remove(record.id);
  }

  #apply(events: readonly CacheEvent[]): void {
    for (const event of events) {
      if (event.entry === undefined) this.#remove(clusterOf(event.key));
      else this.#put(event.entry);
    }
  }

  #put(entry: CacheEntry): WorkspaceRecord | undefined {
    const id = clusterOf(entry.key);
    const object = objectOf(entry) as LogicalClusterObject;
    const record = recordFrom(id as ClusterId, object, this.#closing.has(id), (name) => this.#intern(name));
    const before = this.#byId.get(id);
    if (before !== undefined && before.path !== record.path) this.#byPath.delete(before.path);
    this.#byId.set(id, record);
    this.#byPath.set(record.path, record);
    this.#tell(record, before === undefined ? 'added' : 'changed');
    return record;
  }

  #noteClosing(workspace: CacheEntry): void {
    if (!hasDeletionTimestamp(workspace)) return;
    const id = (objectOf(workspace) as WorkspaceObject).spec?.cluster;
    if (id === undefined || this.#closing.has(id)) return;
    this.#closing.add(id);
    const cluster = this.#storage.peek(logicalClusterKey(id));
    if (cluster !== undefined && this.#byId.has(id)) this.#put(cluster);
  }

  #remove(id: string): void {
    this.#closing.delete(id);
    const record = this.#byId.get(id);
    if (record === undefined) return;
    this.#byId.delete(id);
    // A workspace of the same path may have been created since.
    if (this.#byPath.get(record.path)?.id === id) this.#byPath.delete(record.path);
    this.#schemes.forget(record.id);
    this.#tell(record, 'removed');
  }

  #tell(record: WorkspaceRecord, change: WorkspaceChange): void {
    for (const listener of this.#listeners) listener(record, change);
  }

  #intern(text: string): string {
    const present = this.#typeNames.get(text);
    if (present !== undefined) return present;
    this.#typeNames.set(text, text);
    return text;
  }
}

const kinds: ReadonlySet<string> = new Set<WorkspaceKind>([
  'root',
  'organization',
  'universal',
  'project',
  'cells',
  'cell',
  'edge',
]);

function recordFrom(
  id: ClusterId,
  { metadata, status }: LogicalClusterObject,
  closing: boolean,
  intern: (text: string) => string,
): WorkspaceRecord {
  const { annotations = {} } = metadata;
  const kind = annotations[kindAnnotation] ?? '';
  return {
    id,
    path: annotations[pathAnnotation] ?? id,
    kind: intern(kinds.has(kind) ? kind : 'universal') as WorkspaceKind,
    phase: intern(
      phaseOf(closing || metadata.deletionTimestamp !== undefined, annotations, status?.phase),
    ) as WorkspacePhase,
    typeName: intern(annotations[typeAnnotation] ?? 'root:universal'),
  };
}

function phaseOf(
  closing: boolean,
  annotations: { readonly [key: string]: string },
  phase: WorkspacePhase = 'Scheduling',
): WorkspacePhase {
  if (closing) return phase === 'Deleting' ? phase : 'Terminating';
  return annotations[inactiveAnnotation] === 'true' ? 'Inactive' : phase;
}

function refuseClosed({ phase, path }: WorkspaceRecord, { allowInactive = false }: ResolveOptions): void {
  if (phase === 'Unavailable') {
    throw new ApiError('ServiceUnavailable', `workspace ${path} is unavailable`, {
      details: { retryAfterSeconds: 1 },
    });
  }
  if (phase === 'Inactive' && !allowInactive) {
    throw new ApiError('Forbidden', `workspace ${path} is marked inactive`);
  }
}
