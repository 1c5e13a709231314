import { type Copy, type CopyTarget, copiesGvr } from '#api/federation/copy.ts';
import {
  copyAnnotations,
  copyLabels,
  edgeFinalizer,
  syncAnnotations,
} from '#api/federation/copy-contract.ts';
import type { Clock } from '#apimachinery/clock.ts';
import { equalJson } from '#apimachinery/json.ts';
import type { KubeObject, ObjectMeta } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { Informer } from '#client/informer.ts';
import type { Logger } from '#client/logger.ts';
import { RecentObjects } from '#client/recent-objects.ts';
import { interned } from '../interned.ts';
import { originKeyOf } from '../origin.ts';
import { type CopyKey, copyKeyOf, placeOf } from './copy-keys.ts';

/** What is kept of a copy's metadata: what a syncer decides by. */
const keptLabels = [copyLabels.originControlPlane, copyLabels.originCluster];
const keptAnnotations = [
  copyAnnotations.originGroup,
  copyAnnotations.originResource,
  copyAnnotations.originNamespace,
  copyAnnotations.originName,
  copyAnnotations.contentHash,
  copyAnnotations.suspend,
  copyAnnotations.deletionPolicy,
  copyAnnotations.propagationPolicy,
  copyAnnotations.wantedAgain,
  syncAnnotations.syncedHash,
  syncAnnotations.syncedFields,
  syncAnnotations.syncError,
];

/** Of whole copies that wait for their turn; a longer backlog reads them. */
const recentBytesMax = 4 * 1024 * 1024;
/** A process that was held up that long asks what stands now. */
const recentAgeMaxMs = 5_000;

/** Many copies have the same. */
const sharedTexts = new Set<string>([
  copyLabels.originControlPlane,
  copyLabels.originCluster,
  copyAnnotations.originGroup,
  copyAnnotations.originResource,
  copyAnnotations.originNamespace,
  syncAnnotations.syncedFields,
]);
const edgeFinalizerAlone: string[] = [edgeFinalizer];
Object.freeze(edgeFinalizerAlone);

export interface CellCopiesOptions {
  readonly federationClient: KubeClient;
  readonly workspace: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Copies that are kept; further ones are counted and left alone. */
  readonly copiesMax: number;
  /** A copy came, changed or went; not told is what nothing is decided by: a status, or our own note of a failure. */
  readonly onChange: (key: CopyKey, copy: KubeObject | undefined) => void;
}

/** The metadata of all copies in a cell's workspace, by one list and one watch. */
export class CellCopies {
  readonly #options: CellCopiesOptions;
  readonly #informer: Informer;
  readonly #copies = new Map<CopyKey, KubeObject>();
  /**
   * Went without having been marked for deletion, our finalizer on: with their workspace, or because something else was
   * written over them, not by a withdrawal. The value is their origin.
   */
  readonly #vanished = new Map<CopyKey, string>();
  /** uids of those that are kept, counted as they are read: a list is read whole before its objects are put. */
  readonly #admitted = new Set<string>();
  readonly #beyondMax = new Set<string>();
  readonly #recent: RecentObjects;

  constructor(options: CellCopiesOptions) {
    const { federationClient, workspace, clock, logger } = options;
    this.#options = options;
    this.#recent = new RecentObjects({ clock, bytesMax: recentBytesMax, ageMaxMs: recentAgeMaxMs });
    this.#informer = new Informer({
      client: federationClient,
      clock,
      logger,
      collection: { cluster: workspace, gvr: copiesGvr },
      transform: (copy) => this.#slim(copy),
    });
    this.#informer.addHandler({
      onAdd: (copy) => this.#put(copy),
      onUpdate: (copy) => this.#put(copy),
      onDelete: (old, last) => this.#remove(old, last),
    });
  }

  /** Resolves after the first complete list; rejects when stopped before. */
  get synced(): Promise<void> {
    return this.#informer.synced;
  }

  get hasSynced(): boolean {
    return this.#informer.hasSynced;
  }

  /** Why they cannot be listed or watched now. */
  get lastError(): unknown {
    return this.#informer.lastError;
  }

  get size(): number {
    return this.#copies.size;
  }

  /** How many are not synced because there are too many. */
  get beyondMax(): number {
    return this.#beyondMax.size;
  }

  keys(): IterableIterator<CopyKey> {
    return this.#copies.keys();
  }

  get(key: CopyKey): KubeObject | undefined {
    return this.#copies.get(key);
  }

  /** The whole copy, if its event told it a moment ago and nothing newer has come; it is given once. */
  takeWhole(key: CopyKey): KubeObject | undefined {
    return this.#recent.take(key, this.#copies.get(key)?.metadata.resourceVersion);
  }

  /** Whether a copy of that origin (originKeyOf) was seen to go without having been withdrawn. */
  hasVanished(key: CopyKey, origin: string): boolean {
    return this.#vanished.get(key) === origin;
  }

  /** Nothing of it is left at the edge: how it went does not matter any more. */
  forget(key: CopyKey): void {
    this.#vanished.delete(key);
  }

  start(): void {
    this.#informer.start();
  }

  stop(): Promise<void> {
    return this.#informer.stop();
  }

  #slim(copy: KubeObject): KubeObject | undefined {
    const { metadata } = copy;
    const { uid = '' } = metadata;
    if (!this.#admitted.has(uid)) {
      if (this.#admitted.size >= this.#options.copiesMax) {
        this.#beyondMax.add(uid);
        return undefined;
      }
      this.#admitted.add(uid);
      this.#beyondMax.delete(uid);
    }
    const { object } = copy as Copy;
    if (object !== undefined) this.#recent.put(copyKeyOf(placeOf(copy)), object);
    else if (this.#recent.bytes > 0) this.#recent.delete(copyKeyOf(placeOf(copy)));
    return {
      apiVersion: interned(copy.apiVersion),
      kind: interned(copy.kind),
      metadata: Object.assign(pick(metadata), {
        labels: kept(metadata.labels, keptLabels),
        annotations: keptOf(metadata.annotations),
      }),
      target: slimTarget((copy as Copy).target),
    };
  }

  #put(copy: KubeObject): void {
    const key = copyKeyOf(placeOf(copy));
    const old = this.#copies.get(key);
    const origin = originKeyOf(copy.metadata) ?? '';
    const before = old === undefined ? origin : (originKeyOf(old.metadata) ?? '');
    if (before !== origin) this.#vanished.set(key, before);
    else if (this.#vanished.get(key) === origin) this.#vanished.delete(key);
    this.#copies.set(key, copy);
    if (old === undefined || !isSameToSyncer(old, copy)) this.#options.onChange(key, copy);
  }

  #remove(old: KubeObject, last: KubeObject | undefined): void {
    const key = copyKeyOf(placeOf(old));
    this.#copies.delete(key);
    this.#recent.delete(key);
    this.#admitted.delete(old.metadata.uid ?? '');
    const { finalizers = [], deletionTimestamp } = (last ?? old).metadata;
    // A deletion that was missed is looked into when it is to be carried out; here only what was seen counts.
    if (last !== undefined && deletionTimestamp === undefined && finalizers.includes(edgeFinalizer)) {
      this.#vanished.set(key, originKeyOf(old.metadata) ?? '');
    }
    this.#options.onChange(key, undefined);
  }
}

/**
 * Whether two states of a copy differ in nothing that a syncer decides by. Who notes a failure must not be woken by the note:
 * a failure of which each is worded differently would be tried again and again without a pause.
 */
function isSameToSyncer({ metadata: old }: KubeObject, { metadata }: KubeObject): boolean {
  return (
    old.uid === metadata.uid &&
    old.generation === metadata.generation &&
    old.deletionTimestamp === metadata.deletionTimestamp &&
    (old.finalizers === metadata.finalizers || equalJson(old.finalizers, metadata.finalizers)) &&
    keptLabels.every((name) => old.labels?.[name] === metadata.labels?.[name]) &&
    keptAnnotations.every(
      (name) =>
        name === syncAnnotations.syncError || old.annotations?.[name] === metadata.annotations?.[name],
    )
  );
}

function slimTarget({ group, version, resource, kind, namespace, name }: CopyTarget): CopyTarget {
  return {
    group: interned(group),
    version: interned(version),
    resource: interned(resource),
    kind: interned(kind),
    ...(namespace === undefined ? {} : { namespace: interned(namespace) }),
    name,
  };
}

function pick({
  name,
  namespace,
  uid,
  resourceVersion,
  generation,
  deletionTimestamp,
  finalizers,
}: ObjectMeta): ObjectMeta {
  const slim: ObjectMeta = { name, uid, resourceVersion };
  if (namespace !== undefined) slim.namespace = namespace;
  if (generation !== undefined) slim.generation = generation;
  if (deletionTimestamp !== undefined) slim.deletionTimestamp = deletionTimestamp;
  if (finalizers !== undefined) {
    const isEdgeAlone = finalizers.length === 1 && finalizers[0] === edgeFinalizer;
    slim.finalizers = isEdgeAlone ? edgeFinalizerAlone : finalizers;
  }
  return slim;
}

function keptOf(values: ObjectMeta['annotations']): { [key: string]: string } {
  const annotations = kept(values, keptAnnotations);
  const contentHash = annotations[copyAnnotations.contentHash];
  // Of most copies one text is enough.
  if (contentHash !== undefined && annotations[syncAnnotations.syncedHash] === contentHash) {
    annotations[syncAnnotations.syncedHash] = contentHash;
  }
  return annotations;
}

function kept(
  values: { readonly [key: string]: string } | undefined,
  keys: readonly string[],
): { [key: string]: string } {
  const slim: { [key: string]: string } = {};
  for (const key of keys) {
    const value = values?.[key];
    if (value !== undefined) slim[key] = sharedTexts.has(key) ? interned(value) : value;
  }
  return slim;
}
