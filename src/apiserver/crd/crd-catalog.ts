import { crdGroup, crdResource } from '#api/apiextensions/crd.ts';
import { type Clock, systemClock } from '#apimachinery/clock.ts';
import { onAborted } from '#apimachinery/lifecycle.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import { type Logger, silentLogger } from '#client/logger.ts';
import type { CachedStorage, CacheEntry, CacheEvent } from '#storage/cached-storage.ts';
import { objectKey, parseObjectKey, rangePrefix } from '#storage/keys.ts';
import type { Revision } from '#storage/storage.ts';
import { bodyOf as storedBodyOf } from '../registry/stored-body.ts';
import { objectOf as storedObjectOf } from '../registry/stored-object.ts';
import { follow } from '../workspace/follow.ts';
import { type CrdRecord, crdRecordOf } from './crd-record.ts';
import { SharedSpecs } from './shared-specs.ts';

export interface CrdCatalogOptions {
  readonly storage: CachedStorage;
  /** Parses a stored entry into an object of the caller's own. */
  readonly objectOf: (entry: CacheEntry) => KubeObject;
  /**
   * The JSON text of a stored entry, compact. With it equal specs are parsed once, else each CRD is parsed as a whole.
   * Default: the registry's, when `objectOf` is the registry's.
   */
  readonly bodyOf?: ((entry: CacheEntry) => Buffer) | undefined;
  readonly clock?: Clock | undefined;
  readonly logger?: Logger | undefined;
}

interface Slot {
  readonly revision: Revision;
  /** Undefined until somebody asks, or the background gets there; null when it cannot be read. */
  record: CrdRecord | null | undefined;
}

interface ClusterCrds {
  readonly slots: Map<string, Slot>;
  generation: number;
  definitions: readonly ResourceDefinition[] | undefined;
}

/** Told of every CRD that was written or is gone (`record` undefined), and of each one found at start. */
export type CrdListener = (
  clusterId: string,
  name: string,
  record: CrdRecord | undefined,
  previous: CrdRecord | undefined,
) => void;

const prefix = rangePrefix({ group: crdGroup, resource: crdResource });
const none: readonly ResourceDefinition[] = Object.freeze([]);
/** How long the background reads at a stretch, before other work gets its turn. */
const sliceMs = 5;

/**
 * The CRDs of all workspaces, kept by one watch, and what the established ones define. A workspace without CRDs costs
 * nothing; a CRD is parsed when its workspace is asked for, when it is written, or in the background after start.
 * Answers are as new as the cache: on an embedded store that is every acknowledged write.
 */
export class CrdCatalog {
  readonly #storage: CachedStorage;
  readonly #objectOf: (entry: CacheEntry) => KubeObject;
  readonly #bodyOf: ((entry: CacheEntry) => Buffer) | undefined;
  readonly #specs = new SharedSpecs();
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #clusters = new Map<string, ClusterCrds>();
  readonly #changeListeners = new Set<(clusterId: string) => void>();
  readonly #crdListeners = new Set<CrdListener>();
  /** One counter for all workspaces: a workspace whose last CRD went never shows an old number again. */
  #generation = 0;
  /** What the background has still to read; undefined when it rests. */
  #unreadPlaces: Iterator<{ readonly clusterId: string; readonly name: string }> | undefined;
  #signal: AbortSignal | undefined;

  constructor({ storage, objectOf, bodyOf, clock = systemClock, logger = silentLogger }: CrdCatalogOptions) {
    this.#storage = storage;
    this.#objectOf = objectOf;
    this.#bodyOf = bodyOf ?? (objectOf === storedObjectOf ? storedBodyOf : undefined);
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Knows all CRDs when it returns, and follows the store until the signal fires. Throws StorageError. Once only. */
  start(signal: AbortSignal): void {
    if (this.#signal !== undefined || signal.aborted) return;
    this.#signal = signal;
    const following = follow(
      this.#storage,
      prefix,
      { reset: (entries) => this.#reset(entries), events: (events) => this.#apply(events) },
      this.#clock,
    );
    onAborted(signal, () => following.close());
  }

  /** What a workspace's established CRDs define; empty when there are none. */
  definitionsOf(clusterId: string): readonly ResourceDefinition[] {
    const cluster = this.#clusters.get(clusterId);
    if (cluster === undefined) return none;
    if (cluster.definitions === undefined) {
      const definitions: ResourceDefinition[] = [];
      for (const [name, slot] of cluster.slots) {
        const record = this.#recordIn(clusterId, name, slot);
        if (record?.definition !== undefined) definitions.push(record.definition);
      }
      cluster.definitions = definitions.length === 0 ? none : definitions;
    }
    return cluster.definitions;
  }

  /** Rises whenever the definitions of a workspace change; 0 for one without CRDs. */
  generationOf(clusterId: string): number {
    return this.#clusters.get(clusterId)?.generation ?? 0;
  }

  /** The definitions of all workspaces, each once. Parses what was not parsed yet. */
  *allDefinitions(): Generator<ResourceDefinition> {
    const seen = new Set<ResourceDefinition>();
    for (const clusterId of this.#clusters.keys()) {
      for (const definition of this.definitionsOf(clusterId)) {
        if (seen.has(definition)) continue;
        seen.add(definition);
        yield definition;
      }
    }
  }

  /** All CRDs of a workspace, established or not. */
  *recordsOf(clusterId: string): Generator<CrdRecord> {
    const cluster = this.#clusters.get(clusterId);
    if (cluster === undefined) return;
    for (const [name, slot] of cluster.slots) {
      const record = this.#recordIn(clusterId, name, slot);
      if (record !== null) yield record;
    }
  }

  recordOf(clusterId: string, name: string): CrdRecord | undefined {
    const slot = this.#clusters.get(clusterId)?.slots.get(name);
    return slot === undefined ? undefined : (this.#recordIn(clusterId, name, slot) ?? undefined);
  }

  /** Calls back, synchronously, when what a workspace's CRDs define has changed. Returns how to stop that. */
  onChange(listener: (clusterId: string) => void): () => void {
    this.#changeListeners.add(listener);
    return () => this.#changeListeners.delete(listener);
  }

  /** Calls back for every CRD: those there are (spread over time) and every change. Returns how to stop that. */
  onCrd(listener: CrdListener): () => void {
    this.#crdListeners.add(listener);
    for (const [clusterId, { slots }] of this.#clusters) {
      for (const [name, slot] of slots) if (slot.record) listener(clusterId, name, slot.record, undefined);
    }
    return () => this.#crdListeners.delete(listener);
  }

  /** The whole state: at start, and again after the watch was broken. What kept its revision keeps its record. */
  #reset(entries: Iterable<CacheEntry>): void {
    const before = new Map(this.#clusters);
    const changed = new Set<string>();
    this.#clusters.clear();
    for (const entry of entries) {
      const { clusterId, name } = parseObjectKey(entry.key);
      const old = before.get(clusterId)?.slots.get(name);
      const slot = old?.revision === entry.revision ? old : { revision: entry.revision, record: undefined };
      if (slot !== old) changed.add(clusterId);
      this.#clusterFor(clusterId).slots.set(name, slot);
    }
    for (const [clusterId, { slots, generation, definitions }] of before) {
      const now = this.#clusters.get(clusterId);
      const lost = [...slots].filter(([name]) => now?.slots.has(name) !== true);
      if (lost.length > 0) changed.add(clusterId);
      if (now !== undefined && !changed.has(clusterId)) {
        now.generation = generation;
        now.definitions = definitions;
      }
      for (const [name, slot] of lost) this.#tell(clusterId, name, undefined, slot.record ?? undefined);
    }
    for (const clusterId of changed) this.#changed(clusterId);
    this.#warm();
  }

  #apply(events: readonly CacheEvent[]): void {
    for (const { key, entry } of events) {
      const { clusterId, name } = parseObjectKey(key);
      const old = this.#clusters.get(clusterId)?.slots.get(name);
      const previous = old?.record ?? undefined;
      if (entry === undefined) {
        this.#remove(clusterId, name);
        if (old !== undefined && (old.record === undefined || previous?.definition !== undefined)) {
          this.#changed(clusterId);
        }
        this.#tell(clusterId, name, undefined, previous);
        continue;
      }
      const record = this.#parse(entry);
      this.#clusterFor(clusterId).slots.set(name, { revision: entry.revision, record });
      const isUnread = old !== undefined && old.record === undefined;
      if (isUnread || record?.definition !== previous?.definition) this.#changed(clusterId);
      this.#tell(clusterId, name, record ?? undefined, previous);
    }
  }

  #clusterFor(clusterId: string): ClusterCrds {
    let cluster = this.#clusters.get(clusterId);
    if (cluster === undefined) {
      cluster = { slots: new Map(), generation: ++this.#generation, definitions: undefined };
      this.#clusters.set(clusterId, cluster);
    }
    return cluster;
  }

  #remove(clusterId: string, name: string): void {
    const cluster = this.#clusters.get(clusterId);
    cluster?.slots.delete(name);
    if (cluster?.slots.size === 0) this.#clusters.delete(clusterId);
  }

  #changed(clusterId: string): void {
    const cluster = this.#clusters.get(clusterId);
    if (cluster !== undefined) {
      cluster.definitions = undefined;
      cluster.generation = ++this.#generation;
    }
    for (const listener of this.#changeListeners) listener(clusterId);
  }

  #tell(
    clusterId: string,
    name: string,
    record: CrdRecord | undefined,
    previous: CrdRecord | undefined,
  ): void {
    for (const listener of this.#crdListeners) listener(clusterId, name, record, previous);
  }

  #recordIn(clusterId: string, name: string, slot: Slot): CrdRecord | null {
    if (slot.record === undefined) {
      const key = objectKey({ group: crdGroup, resource: crdResource, clusterId, namespace: '', name });
      const entry = this.#storage.peek(key);
      // Gone or written meanwhile: the event is on its way, and will say so.
      slot.record = entry === undefined ? null : this.#parse(entry);
    }
    return slot.record;
  }

  #parse(entry: CacheEntry): CrdRecord | null {
    try {
      if (this.#bodyOf === undefined) return crdRecordOf(this.#objectOf(entry));
      return crdRecordOf(this.#specs.parse(this.#bodyOf(entry)), true);
    } catch (error) {
      this.#logger.error({ err: error, key: entry.key }, 'a stored CustomResourceDefinition cannot be read');
      return null;
    }
  }

  /** Parses what nobody has asked for yet, a little at a time; begins anew when it is called while at it. */
  #warm(): void {
    const isResting = this.#unreadPlaces === undefined;
    this.#unreadPlaces = this.#places();
    if (isResting) setImmediate(() => this.#warmSlice());
  }

  #warmSlice(): void {
    const untilMs = this.#clock.monotonic() + sliceMs;
    while (this.#signal?.aborted !== true) {
      const next = this.#unreadPlaces?.next();
      if (next === undefined || next.done === true) {
        this.#unreadPlaces = undefined;
        return;
      }
      const { clusterId, name } = next.value;
      const record = this.recordOf(clusterId, name);
      if (record !== undefined) this.#tell(clusterId, name, record, undefined);
      if (this.#clock.monotonic() >= untilMs) {
        setImmediate(() => this.#warmSlice());
        return;
      }
    }
  }

  *#places(): Generator<{ readonly clusterId: string; readonly name: string }> {
    for (const [clusterId, cluster] of [...this.#clusters]) {
      for (const name of [...cluster.slots.keys()]) yield { clusterId, name };
    }
  }
}
