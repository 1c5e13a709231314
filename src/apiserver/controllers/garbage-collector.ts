import { bindingName } from '#api/work/binding-name.ts';
import { clusterResourceBindingsGvr, resourceBindingsGvr } from '#api/work/group.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import { parseApiVersion } from '#apimachinery/gvk.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { OwnerReference } from '#apimachinery/object.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import type { Scheme } from '#apimachinery/scheme.ts';
import type { ObjectRef } from '#client/client.ts';
import type { ReconcileResult } from '#client/reconcile.ts';
import type { CacheEntry, CacheEvent } from '#storage/cached-storage.ts';
import { objectKey, parseObjectKey } from '#storage/keys.ts';
import type { StorageKey } from '#storage/storage.ts';
import { foregroundFinalizer, orphanFinalizer } from '../registry/deletion.ts';
import { clusterOf, internalPrefix, placeOf } from '../registry/key-parts.ts';
import { hasDeletionTimestamp, hasOwnerReferences, headerOf } from '../registry/stored-object.ts';
import type { ClusterId } from '../workspace/workspace.ts';
import { type ControllerContext, KeyedController } from './controller.ts';
import { OwnerIndex } from './owner-index.ts';
import { lookAtEntries } from './store-events.ts';

/** Looks again at an object whose owner is of a kind that is not served. */
const unknownKindRecheckMs = 60_000;

/** What the queue's keys begin with: what is to be done about the object. */
const dependentMark = 'd';
const ownerMark = 'o';

type OwnerState =
  | 'solid'
  /** Surely absent, or another object of the same name. */
  | 'absent'
  /** Being deleted in the foreground: it waits for its dependents. */
  | 'waiting'
  /** Nobody can say: its kind is not served, or it could not be looked for. */
  | 'unknown';

/**
 * Deletes what has lost its owners (KUBERNETES.md X4), in all workspaces but those whose content is inert. The index
 * says whom an event may concern; what is done is decided from the stored state, and an owner's absence is confirmed by
 * a consistent read before anything is deleted.
 */
export class GarbageCollector extends KeyedController {
  readonly #index = new OwnerIndex();
  /** `<cluster>/<uid>` of owners that wait for their dependents → their key. */
  readonly #foreground = new Map<string, StorageKey>();
  /** Binding of an object that waits for the edges → the object, and the other way round. */
  readonly #bound = new Map<StorageKey, StorageKey>();
  readonly #bindings = new Map<StorageKey, StorageKey>();

  constructor(context: ControllerContext) {
    super(context, { name: 'garbage-collector', concurrency: 16 });
  }

  protected listen(): (() => void)[] {
    return [
      this.context.events.listen(undefined, {
        event: (event) => this.#notice(event),
        reset: () => this.resync(),
      }),
    ];
  }

  /** For tests and metrics. */
  get dependents(): number {
    return this.#index.size;
  }

  protected resync(): void {
    this.#index.clear();
    lookAtEntries(
      this.context,
      '/',
      this.signal,
      (entry) => {
        if (!entry.key.startsWith(internalPrefix)) this.#noticeEntry(entry);
      },
      () => this.context.logger.debug({ dependents: this.#index.size }, 'ownership read'),
    );
  }

  #notice({ key, entry, previous }: CacheEvent): void {
    if (key.startsWith(internalPrefix)) return;
    if (entry !== undefined) this.#noticeEntry(entry);
    else this.#index.delete(key);
    if (previous === undefined) return;
    // An owner that waits for this one is told when it goes, and when it no longer names that owner.
    if (this.#foreground.size > 0 && hasOwnerReferences(previous)) this.#tellWaiting(previous);
    if (entry !== undefined) return;
    if (this.#bound.size > 0) this.#onBoundGone(key);
    const clusterId = clusterOf(key);
    if (!this.#index.hasCluster(clusterId)) return;
    const { uid } = headerOf(previous);
    this.#foreground.delete(`${clusterId}/${uid}`);
    for (const dependent of this.#index.dependentsOf(clusterId, uid)) this.#add(dependentMark, dependent);
  }

  /** A binding that an object waits for is gone, or the object itself is, for somebody took its finalizer off. */
  #onBoundGone(key: StorageKey): void {
    const binding = this.#bindings.get(key);
    if (binding !== undefined) this.#forgetBound(key, binding);
    const owner = this.#bound.get(key);
    if (owner === undefined) return;
    this.#forgetBound(owner, key);
    this.#add(ownerMark, owner);
  }

  #forgetBound(owner: StorageKey, binding: StorageKey): void {
    this.#bindings.delete(owner);
    this.#bound.delete(binding);
  }

  #noticeEntry(entry: CacheEntry): void {
    const { key } = entry;
    const hasOwners = hasOwnerReferences(entry);
    const isDying = hasDeletionTimestamp(entry);
    if (!hasOwners && this.#index.has(key)) this.#index.delete(key);
    if (!hasOwners && !isDying) return;
    const clusterId = clusterOf(key);
    if (this.#isInert(clusterId)) return;
    const header = headerOf(entry);
    if (hasOwners) {
      this.#index.set(key, clusterId, header.ownerReferences);
      if (!isDying && header.ownerReferences.some((owner) => !this.#isPresent(clusterId, key, owner))) {
        this.#add(dependentMark, key);
      }
    }
    if (isDying && header.finalizers.some((one) => one === orphanFinalizer || one === foregroundFinalizer)) {
      this.#add(ownerMark, key);
    }
  }

  #tellWaiting(previous: CacheEntry): void {
    const clusterId = clusterOf(previous.key);
    for (const { uid } of headerOf(previous).ownerReferences) {
      const owner = this.#foreground.get(`${clusterId}/${uid}`);
      if (owner !== undefined) this.#add(ownerMark, owner);
    }
  }

  #add(mark: string, key: StorageKey): void {
    this.queue.add(mark + key);
  }

  #isInert(clusterId: string): boolean {
    return this.context.index.recordOf(clusterId)?.kind === 'cell';
  }

  /** A cheap look that may say no where a thorough one says yes. */
  #isPresent(clusterId: string, key: StorageKey, owner: OwnerReference): boolean {
    const scheme = this.#schemeOf(clusterId);
    const place = scheme === undefined ? undefined : ownerPlace(scheme, key, owner);
    if (place === undefined) return false;
    const entry = this.context.storage.peek(place.key);
    return entry !== undefined && headerOf(entry).uid === owner.uid && !isWaiting(entry);
  }

  #schemeOf(clusterId: string): Scheme | undefined {
    return this.context.index.byId(clusterId as ClusterId)?.scheme;
  }

  protected async reconcile(marked: string, signal: AbortSignal): Promise<ReconcileResult> {
    const key = marked.slice(1) as StorageKey;
    const clusterId = clusterOf(key);
    const record = this.context.index.recordOf(clusterId);
    // A workspace that goes needs no collector; its deletion sees to all of it.
    if (record === undefined || record.phase === 'Terminating' || record.phase === 'Deleting')
      return undefined;
    const entry = this.context.storage.peek(key);
    if (entry === undefined || record.kind === 'cell') return undefined;
    return marked.startsWith(ownerMark)
      ? this.#releaseOwner(clusterId, entry, signal)
      : this.#collect(clusterId, entry, signal);
  }

  /** Decides about an object that has owners. */
  async #collect(clusterId: string, entry: CacheEntry, signal: AbortSignal): Promise<ReconcileResult> {
    const header = headerOf(entry);
    const owners = header.ownerReferences;
    if (owners.length === 0 || header.deletionTimestamp !== undefined) return undefined;
    const states = await Promise.all(
      owners.map((owner) => this.#stateOf(clusterId, entry.key, owner, signal)),
    );
    const left = owners.filter((_, at) => states[at] === 'solid' || states[at] === 'unknown');
    if (left.length > 0) {
      const ref = this.#refOf(clusterId, entry);
      if (left.length < owners.length && states.includes('solid') && ref !== undefined) {
        await this.#putOwners(ref, entry, left, signal);
      }
      return states.includes('unknown') ? { requeueAfterMs: unknownKindRecheckMs } : undefined;
    }
    const ref = this.#refOf(clusterId, entry);
    if (ref === undefined) return { requeueAfterMs: unknownKindRecheckMs };
    if (states.includes('waiting') && this.#dependentsOf(clusterId, entry).length > 0) {
      await this.#breakCircle(clusterId, entry, signal);
      await this.#delete(ref, entry, 'Foreground', signal);
      return undefined;
    }
    const policy = header.finalizers.includes(orphanFinalizer)
      ? 'Orphan'
      : header.finalizers.includes(foregroundFinalizer)
        ? 'Foreground'
        : 'Background';
    await this.#delete(ref, entry, policy, signal);
    return undefined;
  }

  async #stateOf(
    clusterId: string,
    key: StorageKey,
    owner: OwnerReference,
    signal: AbortSignal,
  ): Promise<OwnerState> {
    const scheme = this.#schemeOf(clusterId);
    const place = scheme === undefined ? undefined : ownerPlace(scheme, key, owner);
    if (place === undefined) return 'unknown';
    const entry = this.context.storage.peek(place.key);
    if (entry !== undefined && headerOf(entry).uid === owner.uid)
      return isWaiting(entry) ? 'waiting' : 'solid';
    const ref = refAt(clusterId, place.definition, place.namespace, owner.name);
    if (ref === undefined) return 'unknown';
    try {
      const object = await this.context.client.get(ref, { metadataOnly: true, signal });
      if (object.metadata.uid !== owner.uid) return 'absent';
      const { deletionTimestamp, finalizers } = object.metadata;
      return deletionTimestamp !== undefined && finalizers?.includes(foregroundFinalizer) === true
        ? 'waiting'
        : 'solid';
    } catch (error) {
      if (isApiError(error, 'NotFound')) return 'absent';
      throw error;
    }
  }

  /** Does what a dying owner's finalizers ask for, then takes them off. */
  async #releaseOwner(clusterId: string, entry: CacheEntry, signal: AbortSignal): Promise<ReconcileResult> {
    const header = headerOf(entry);
    if (header.deletionTimestamp === undefined) return undefined;
    const ref = this.#refOf(clusterId, entry);
    if (ref === undefined) return { requeueAfterMs: unknownKindRecheckMs };
    if (await this.#isAtEdges(entry)) return undefined;
    if (header.finalizers.includes(orphanFinalizer)) {
      await this.context.storage.awaitFresh();
      for (const dependent of this.#dependentsOf(clusterId, entry)) {
        const owners = headerOf(dependent).ownerReferences.filter(({ uid }) => uid !== header.uid);
        const dependentRef = this.#refOf(clusterId, dependent);
        if (dependentRef !== undefined) await this.#putOwners(dependentRef, dependent, owners, signal);
      }
      await this.#dropFinalizer(ref, entry, orphanFinalizer, signal);
      return undefined;
    }
    if (!header.finalizers.includes(foregroundFinalizer)) return undefined;
    // Listening before looking: a dependent that goes meanwhile is noticed.
    this.#foreground.set(`${clusterId}/${header.uid}`, entry.key);
    await this.context.storage.awaitFresh();
    const blocking = this.#dependentsOf(clusterId, entry).filter((dependent) =>
      headerOf(dependent).ownerReferences.some(
        ({ uid, blockOwnerDeletion }) => uid === header.uid && blockOwnerDeletion === true,
      ),
    );
    if (blocking.length === 0) {
      await this.#dropFinalizer(ref, entry, foregroundFinalizer, signal);
      this.#foreground.delete(`${clusterId}/${header.uid}`);
      return undefined;
    }
    for (const dependent of blocking) {
      if (!hasDeletionTimestamp(dependent)) this.#add(dependentMark, dependent.key);
    }
    return undefined;
  }

  /**
   * What is federated has dependents where it lies: the edges' controllers made them. It waits for its binding, which stands until
   * the scheduler has done at the edges what this deletion asks for (docs/copies.md), and is looked at again when that goes.
   */
  async #isAtEdges({ key }: CacheEntry): Promise<boolean> {
    const { group, resource } = parseObjectKey(key);
    // Its counterparts are taken away by what is in them, as it is itself.
    if (group === '' && resource === 'namespaces') return false;
    const bindingKey = bindingKeyOf(key);
    // Listening before looking, as for dependents.
    this.#bound.set(bindingKey, key);
    this.#bindings.set(key, bindingKey);
    await this.context.storage.awaitFresh();
    if (this.context.storage.peek(bindingKey) !== undefined) return true;
    this.#forgetBound(key, bindingKey);
    return false;
  }

  /** Objects whose ownerReference can mean this owner: in its namespace, or anywhere when it has none. */
  #dependentsOf(clusterId: string, owner: CacheEntry): CacheEntry[] {
    const place = placeOf(owner.key);
    const isNamespaced = !place.endsWith('/');
    const entries: CacheEntry[] = [];
    for (const key of this.#index.dependentsOf(clusterId, headerOf(owner).uid)) {
      if (isNamespaced && placeOf(key) !== place) continue;
      const entry = this.context.storage.peek(key);
      if (entry !== undefined) entries.push(entry);
    }
    return entries;
  }

  /**
   * In a circle of foreground deletions each would wait for the next: dependents that wait themselves are told not to
   * block this one.
   */
  async #breakCircle(clusterId: string, entry: CacheEntry, signal: AbortSignal): Promise<void> {
    const { uid } = headerOf(entry);
    for (const dependent of this.#dependentsOf(clusterId, entry)) {
      if (!isWaiting(dependent)) continue;
      const owners = headerOf(dependent).ownerReferences.map((owner) =>
        owner.uid === uid ? { ...owner, blockOwnerDeletion: false } : owner,
      );
      const ref = this.#refOf(clusterId, dependent);
      if (ref !== undefined) await this.#putOwners(ref, dependent, owners, signal);
    }
  }

  #refOf(clusterId: string, { key }: CacheEntry): ObjectRef | undefined {
    const { group, resource, namespace, name } = parseObjectKey(key);
    const definition = this.#schemeOf(clusterId)?.definitionOf(group, resource);
    return definition === undefined ? undefined : refAt(clusterId, definition, namespace, name);
  }

  #putOwners(
    ref: ObjectRef,
    entry: CacheEntry,
    owners: readonly OwnerReference[],
    signal: AbortSignal,
  ): Promise<void> {
    return this.#patch(ref, entry, { ownerReferences: owners.length === 0 ? null : [...owners] }, signal);
  }

  #dropFinalizer(ref: ObjectRef, entry: CacheEntry, finalizer: string, signal: AbortSignal): Promise<void> {
    const finalizers = headerOf(entry).finalizers.filter((one) => one !== finalizer);
    return this.#patch(ref, entry, { finalizers: finalizers.length === 0 ? null : finalizers }, signal);
  }

  /** Guarded by uid and resourceVersion; a conflict is thrown, so that the key is looked at again. */
  async #patch(ref: ObjectRef, entry: CacheEntry, change: JsonObject, signal: AbortSignal): Promise<void> {
    const metadata = { uid: headerOf(entry).uid, resourceVersion: String(entry.revision), ...change };
    try {
      await this.context.client.patch(ref, { type: 'merge', body: { metadata } }, { signal });
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
    }
  }

  async #delete(
    ref: ObjectRef,
    entry: CacheEntry,
    propagationPolicy: 'Background' | 'Foreground' | 'Orphan',
    signal: AbortSignal,
  ): Promise<void> {
    const preconditions = { uid: headerOf(entry).uid, resourceVersion: String(entry.revision) };
    try {
      await this.context.client.delete(ref, { preconditions, propagationPolicy, signal });
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
    }
  }
}

/** Where an owner would lie: beside its dependent, or cluster-scoped. Undefined when its kind is not known here. */
function ownerPlace(
  scheme: Scheme,
  dependentKey: StorageKey,
  { apiVersion, kind, name }: OwnerReference,
):
  | { readonly key: StorageKey; readonly definition: ResourceDefinition; readonly namespace: string }
  | undefined {
  const gv = parseApiVersion(apiVersion);
  if (gv === undefined) return undefined;
  const definition =
    scheme.lookupKind(gv.group, gv.version, kind)?.definition ??
    scheme.definitions.find((one) => one.group === gv.group && one.kind === kind && one.virtual !== true);
  if (definition === undefined) return undefined;
  const { clusterId, namespace } = parseObjectKey(dependentKey);
  // A cluster-scoped object cannot name the namespace of an owner: such a reference means nothing that could be found.
  if (definition.namespaced && namespace === '') return undefined;
  const ownerNamespace = definition.namespaced ? namespace : '';
  const { group, resource } = definition.storedAs;
  const key = objectKey({ group, resource, clusterId, namespace: ownerNamespace, name });
  return { key, definition, namespace: ownerNamespace };
}

function refAt(
  cluster: string,
  definition: ResourceDefinition,
  namespace: string,
  name: string,
): ObjectRef | undefined {
  const version = definition.versions.find((one) => one.served)?.version;
  if (version === undefined) return undefined;
  const gvr = { group: definition.group, version, resource: definition.resource };
  return { cluster, gvr, namespace: namespace === '' ? undefined : namespace, name };
}

/** Where the binding of an object lies, if there is one. */
function bindingKeyOf(key: StorageKey): StorageKey {
  const { group, resource, clusterId, namespace, name } = parseObjectKey(key);
  const bindings = namespace === '' ? clusterResourceBindingsGvr : resourceBindingsGvr;
  return objectKey({
    group: bindings.group,
    resource: bindings.resource,
    clusterId,
    namespace,
    name: bindingName(group, resource, name),
  });
}

function isWaiting(entry: CacheEntry): boolean {
  return hasDeletionTimestamp(entry) && headerOf(entry).finalizers.includes(foregroundFinalizer);
}
