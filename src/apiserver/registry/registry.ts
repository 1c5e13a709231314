import { ApiError, alreadyExists, conflict, forbidden, notFound } from '#apimachinery/api-error.ts';
import { type Clock, systemClock } from '#apimachinery/clock.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { CachedStorage, CacheEntry } from '#storage/cached-storage.ts';
import type { Guard, Operation, Revision, StorageKey, TransactionResult } from '#storage/storage.ts';
import type { ConversionWebhooks } from '../crd/conversion-webhook.ts';
import { Allocations } from './allocations.ts';
import type { Allocator } from './allocator.ts';
import { checkIdentity, isRevision, revisionOfNew } from './check-identity.ts';
import { cloneObject } from './clone-object.ts';
import { coerceToSchema } from './coercion.ts';
import { confirmed } from './confirmed-write.ts';
import { isReshaped, isStoredOtherwise, servedObjectOf, throughStorage } from './conversion.ts';
import {
  checkPreconditions,
  type DeletionOptions,
  type DeletionPlan,
  isFinallyDeleted,
  isPlainRemoval,
  planDeletion,
} from './deletion.ts';
import { encodeConverted, encodeObject } from './encode-object.ts';
import { encodeStored } from './encode-stored.ts';
import { contended, type Lost, lostTo } from './lost-guard.ts';
import { generatedName, renameNew } from './next-name.ts';
import {
  completeNew,
  dedupeOwnerReferences,
  isNoop,
  prepareForCreate,
  prepareForUpdate,
  raiseGeneration,
  settleCreated,
} from './prepare.ts';
import type { SharedObjects } from './shared-objects.ts';
import { fromStorageError } from './storage-errors.ts';
import { entryOf, hasDeletionTimestamp, headerOf, objectOf, schemaMarkOf } from './stored-object.ts';
import {
  carriesClusterAnnotation,
  isInert,
  keyOf,
  stripClusterAnnotation,
  type Target,
  withClusterAnnotation,
} from './target.ts';
import { isMarkedStale } from './unreadable-value.ts';
import { validateObject } from './validate-object.ts';
import { takeVoucher } from './vouched.ts';
import type { DeletionOutcome, Propose, UpdateOptions, WriteOptions, WriteOutcome } from './writes.ts';

/** Tries of a guarded write before the caller is told of the conflict. */
const conflictTriesMax = 30;
/** Writes through which a kind's own warnings are told: of a status, a binding and the like there are none. */
const warnedSubresources: ReadonlySet<string> = new Set(['', 'scale']);

export interface RegistryOptions {
  readonly storage: CachedStorage;
  readonly shared?: SharedObjects | undefined;
  readonly allocators?: readonly Allocator[] | undefined;
  readonly clock?: Pick<Clock, 'now'> | undefined;
  /** Converts objects of CRDs that name a webhook for it. */
  readonly conversions?: ConversionWebhooks | undefined;
  /** Whether an update that changes nothing must be written all the same: the value is sealed with an old key (O5). */
  readonly mustRewrite?: ((entry: CacheEntry) => boolean) | undefined;
}

/**
 * All reads and writes of single objects, once for all kinds. A write is prepared from what is stored, then committed
 * under a guard on that revision; when the guard fails, everything is done again from the newer state, so that between a
 * check and the write that depends on it nothing can slip in.
 */
export class Registry {
  readonly storage: CachedStorage;
  readonly shared: SharedObjects | undefined;
  readonly #allocations: Allocations;
  readonly #clock: Pick<Clock, 'now'>;
  readonly conversions: ConversionWebhooks | undefined;
  readonly #mustRewrite: ((entry: CacheEntry) => boolean) | undefined;

  constructor(options: RegistryOptions) {
    this.storage = options.storage;
    this.shared = options.shared;
    this.#allocations = new Allocations(options.storage, options.allocators ?? []);
    this.#clock = options.clock ?? systemClock;
    this.#mustRewrite = options.mustRewrite;
    this.conversions = options.conversions;
  }

  /** What the cache holds, or the shared object; callers await `storage.awaitFresh()` first for a linearizable read. */
  peek(target: Target): CacheEntry | undefined {
    return this.storage.peek(keyOf(target)) ?? this.#sharedEntry(target);
  }

  /** The object in its served version as writers see it: without the annotation that only the registry sets. */
  read(entry: CacheEntry, target: Target): KubeObject {
    const object = servedObjectOf(entry, target.served);
    if (carriesClusterAnnotation(target.workspace)) stripClusterAnnotation(object);
    return object;
  }

  /**
   * Stores a new object. `object` is decoded, pruned and defaulted, and becomes the registry's. The name comes from the
   * object, or from its generateName. Throws ApiErrors: AlreadyExists, Invalid, whatever admission says.
   */
  async create(target: Target, object: KubeObject, options: WriteOptions): Promise<WriteOutcome> {
    const namesRevision = isRevision(object.metadata.resourceVersion);
    const { metadata } = object;
    const isGenerated = metadata.name === undefined && metadata.generateName !== undefined;
    if (isGenerated) {
      // First: a Job's pods are labelled with it (Store.Create before rest.BeforeCreate).
      metadata.name = generatedName(target, object);
      // Kubernetes tries each name with a copy (createWithGenerateNameRetry), which shares no map with a template.
      if (metadata.labels !== undefined) metadata.labels = { ...metadata.labels };
    }
    prepareForCreate(object, target, this.#clock.now());
    dedupeOwnerReferences(object.metadata, options.warnings);
    if (carriesClusterAnnotation(target.workspace)) stripClusterAnnotation(object);
    const tracking = options.track === undefined ? object : options.track(object, undefined);
    const tracked = tracking instanceof Promise ? await tracking : tracking;
    const { uid, creationTimestamp } = tracked.metadata;
    if (options.admission?.mutates('CREATE', tracked, undefined) === true) {
      takeVoucher(tracked);
      const mutated = options.admission.mutate('CREATE', tracked, undefined, isGenerated);
      if (mutated !== undefined) {
        await mutated;
        settleCreated(tracked, { uid, creationTimestamp }, target);
      }
    } else {
      const looked = options.admission?.look('CREATE', tracked, undefined);
      if (looked !== undefined) await looked;
    }

    let nameTries = 1;
    for (let attempt = 0; ; attempt++) {
      validateObject(tracked, undefined, target, '', options.warnings);
      this.#warn(target, tracked, undefined, options);
      const validated = options.admission?.validate('CREATE', tracked, undefined);
      if (validated !== undefined) await validated;
      if (options.coerces === true) coerceToSchema(target.served.version.schema, tracked);
      if (namesRevision && !options.dryRun) throw revisionOfNew();
      const { workspace, served, namespace } = target;
      const named: Target = { workspace, served, namespace, name: tracked.metadata.name! };
      const key = keyOf(named);
      if (this.peek(named) !== undefined) {
        if (!isGenerated && (await this.#isGoneElsewhere(named))) continue;
        if (!isGenerated) throw this.#taken(named);
        renameNew(target, tracked, nameTries++);
        continue;
      }
      completeNew(tracked, target);
      const allocation = this.#allocations.allocate(named, {
        object: tracked,
        old: undefined,
        dryRun: options.dryRun,
        attempt,
      });
      if (options.dryRun) return this.#dryRun(named, allocation.object, true);
      const encoding = encodeConverted(named, allocation.object, this.conversions);
      const value = encoding instanceof Promise ? await encoding : encoding;
      const result = await this.#transact(
        [{ key, revision: 0 as Revision }, ...allocation.guards],
        [{ type: 'put', key, value }, ...allocation.operations],
      );
      if (result.committed) {
        return { type: 'written', created: true, entry: entryOf({ key, value, revision: result.revision }) };
      }
      if (result.failedGuard.key !== key) {
        await contended(attempt);
        continue;
      }
      if (!isGenerated) throw this.#taken(named);
      renameNew(target, tracked, nameTries++);
    }
  }

  /**
   * Replaces an object by what `propose` makes of it. `propose` is called again with the newer state whenever somebody
   * else was faster, unless its proposal names a resourceVersion that is not the live one: that is a Conflict.
   */
  update(target: Target, options: UpdateOptions, propose: Propose): Promise<WriteOutcome> {
    return confirmed(this.storage, keyOf(target), options.warnings, isTransacted, (run) =>
      this.#update(target, options, (live, attempt) => propose(live, attempt + run)),
    );
  }

  async #update(target: Target, options: UpdateOptions, propose: Propose): Promise<WriteOutcome> {
    const { definition } = target.served;
    const key = keyOf(target);
    let current = this.storage.peek(key);
    for (let attempt = 0; ; attempt++) {
      const entry = current ?? this.#sharedEntry(target);
      if (entry === undefined) {
        if (options.createWhenAbsent !== true) throw notFound(definition, target.name);
        const proposal = await propose(undefined, attempt);
        try {
          return await this.create(target, proposal, options);
        } catch (error) {
          if (!isLostRace(error) || attempt >= conflictTriesMax) throw error;
        }
        current = this.storage.peek(key);
        continue;
      }
      const reading = this.#readable(entry, target);
      const readable = reading instanceof Promise ? await reading : reading;
      const outcome = await this.#updateOnce(
        target,
        { entry: readable, stored: entry },
        current === undefined,
        options,
        propose,
        attempt,
      );
      if ('outcome' in outcome) return outcome.outcome;
      if (outcome.elsewhere) await contended(attempt);
      else if (attempt >= conflictTriesMax) throw conflict(definition, target.name);
      current = this.#newest(outcome, key);
    }
  }

  /** The entry in the served version, where a webhook has to convert it: same key, same revision. */
  #readable(entry: CacheEntry, { served, workspace }: Target): CacheEntry | Promise<CacheEntry> {
    if (served.definition.conversion === undefined || this.conversions === undefined) return entry;
    return this.conversions.entry(entry, served, workspace.id);
  }

  /** Removes an object, or marks it as dying while something holds it (X1–X4). Throws NotFound, Conflict, Forbidden. */
  delete(
    target: Target,
    deletion: DeletionOptions,
    options: Pick<WriteOptions, 'admission'>,
  ): Promise<DeletionOutcome> {
    const isSettled = (outcome: DeletionOutcome) =>
      !deletion.dryRun && (outcome.type === 'removed' || (outcome.type === 'waiting' && outcome.isMarked));
    return confirmed(this.storage, keyOf(target), undefined, isSettled, () =>
      this.#delete(target, deletion, options),
    );
  }

  async #delete(
    target: Target,
    deletion: DeletionOptions,
    options: Pick<WriteOptions, 'admission'>,
  ): Promise<DeletionOutcome> {
    const { definition } = target.served;
    const key = keyOf(target);
    const inert = isInert(target.workspace, definition);
    let current = this.storage.peek(key);
    for (let attempt = 0; ; attempt++) {
      if (current === undefined) {
        if (this.#sharedEntry(target) === undefined) throw notFound(definition, target.name);
        const why = 'it is shared by all workspaces and cannot be deleted; it can be changed in this one';
        throw forbidden(definition, target.name, why);
      }
      const entry = current;
      const { uid, finalizers } = headerOf(entry);
      checkPreconditions(
        deletion.preconditions,
        { uid, resourceVersion: String(entry.revision) },
        definition,
        target.name,
      );
      const reading = options.admission === undefined ? entry : this.#readable(entry, target);
      const readable = reading instanceof Promise ? await reading : reading;
      const validated = options.admission?.validate('DELETE', undefined, () =>
        servedObjectOf(readable, target.served),
      );
      if (validated !== undefined) await validated;
      const plan: DeletionPlan = isPlainRemoval(finalizers, definition, deletion)
        ? { type: 'remove' }
        : planDeletion(objectOf(entry), definition, deletion, this.#clock.now(), inert);
      if (plan.type === 'waiting') return { type: 'waiting', entry, isMarked: false };
      const written = await this.#commitDeletion(target, entry, plan, deletion.dryRun);
      if ('outcome' in written) return written.outcome;
      if (written.elsewhere) await contended(attempt);
      else if (attempt >= conflictTriesMax) throw conflict(definition, target.name);
      current = this.#newest(written, key);
    }
  }

  /** Who waits for a name to become free is told that it will (registry.Store.Create). */
  #taken(target: Target): ApiError {
    const taken = alreadyExists(target.served.definition, target.name);
    const entry = this.peek(target);
    if (entry === undefined || !hasDeletionTimestamp(entry)) return taken;
    const { message, details } = taken;
    return new ApiError('AlreadyExists', `object is being deleted: ${message}`, { details });
  }

  /** Another server has deleted it, and this cache did not know yet. */
  async #isGoneElsewhere(target: Target): Promise<boolean> {
    if (this.storage.awaitSettled !== undefined) return false;
    await this.storage.awaitFresh();
    return this.peek(target) === undefined;
  }

  async #commitDeletion(
    target: Target,
    entry: CacheEntry,
    plan: Exclude<DeletionPlan, { type: 'waiting' }>,
    dryRun: boolean,
  ): Promise<{ readonly outcome: DeletionOutcome } | Lost> {
    const { key } = entry;
    const { uid } = headerOf(entry);
    if (plan.type === 'remove') {
      const { marks } = plan;
      if (dryRun) return { outcome: { type: 'removed', entry, uid, marks } };
      const released = this.#allocations.release(target, entry);
      const result = await this.#transact(
        [{ key, revision: entry.revision }, ...released.guards],
        [{ type: 'delete', key }, ...released.operations],
      );
      if (!result.committed) return lostTo(result, key);
      const last: CacheEntry = { key, value: entry.value, revision: result.revision, memo: entry.memo };
      return { outcome: { type: 'removed', entry: last, uid, marks } };
    }
    // The body is as it was, so are the defaults in it.
    const value = encodeStored(plan.object, target.served.definition, schemaMarkOf(entry));
    if (dryRun) {
      const unwritten = entryOf({ key, value, revision: entry.revision });
      const object = servedObjectOf(unwritten, target.served);
      return { outcome: { type: 'would-wait', entry: unwritten, object } };
    }
    const result = await this.#transact([{ key, revision: entry.revision }], [{ type: 'put', key, value }]);
    if (!result.committed) return lostTo(result, key);
    const marked = entryOf({ key, value, revision: result.revision });
    return { outcome: { type: 'waiting', entry: marked, isMarked: true } };
  }

  async #updateOnce(
    target: Target,
    { entry, stored }: { readonly entry: CacheEntry; readonly stored: CacheEntry },
    isShared: boolean,
    options: UpdateOptions,
    propose: Propose,
    attempt: number,
  ): Promise<{ readonly outcome: WriteOutcome } | Lost> {
    const { definition } = target.served;
    const { subresource, admission } = options;
    const { key } = entry;
    const old = this.read(entry, target);
    const proposed = await propose(old, attempt);
    dedupeOwnerReferences(proposed.metadata, options.warnings);
    checkIdentity(proposed, old, target, options.uidIsContent === true);
    if (carriesClusterAnnotation(target.workspace)) stripClusterAnnotation(proposed);
    let object = prepareForUpdate(proposed, old, target, subresource);
    this.#allocations.prepareForUpdate(target, object, old);
    // What a version says twice is settled before who owns it is: kube-apiserver converts what it decodes.
    const tracking =
      options.track === undefined ? object : options.track(throughStorage(target.served, object), old);
    object = tracking instanceof Promise ? await tracking : tracking;
    if (admission?.mutates('UPDATE', object, old) === true) {
      object = cloneObject(object);
      const mutated = admission.mutate('UPDATE', object, old);
      if (mutated !== undefined) await mutated;
      // What is not the writer's to change is not the plugins' either.
      object = prepareForUpdate(object, old, target, subresource);
    } else {
      const looked = admission?.look('UPDATE', object, old);
      if (looked !== undefined) await looked;
    }
    raiseGeneration(object, old, target);
    validateObject(object, old, target, subresource, options.warnings);
    // Who is refused by admission is warned all the same (rest.BeforeUpdate).
    if (warnedSubresources.has(subresource)) this.#warn(target, object, old, options);
    const validated = admission?.validate('UPDATE', object, () => old);
    if (validated !== undefined) await validated;
    if (options.coerces === true) coerceToSchema(target.served.version.schema, object);

    if (isNoop(object, old) && !this.#mustBeWritten(target, stored, object)) {
      return { outcome: { type: 'unchanged', entry } };
    }
    if (isFinallyDeleted(object, definition)) {
      return this.#finishDeletion(target, entry, object, options.dryRun);
    }
    const allocation = this.#allocations.allocate(target, {
      object,
      old,
      dryRun: options.dryRun,
      attempt,
    });
    if (options.dryRun) return { outcome: this.#dryRun(target, allocation.object, false, entry.revision) };
    const encoding = encodeConverted(target, allocation.object, this.conversions);
    const value = encoding instanceof Promise ? await encoding : encoding;
    const revision = isShared ? (0 as Revision) : entry.revision;
    const result = await this.#transact(
      [{ key, revision }, ...allocation.guards],
      [{ type: 'put', key, value }, ...allocation.operations],
    );
    if (!result.committed) return lostTo(result, key);
    return {
      outcome: {
        type: 'written',
        created: false,
        entry: entryOf({ key, value, revision: result.revision }),
      },
    };
  }

  /** The update took the last finalizer of a dying object away. */
  async #finishDeletion(
    target: Target,
    entry: CacheEntry,
    object: KubeObject,
    dryRun: boolean,
  ): Promise<{ readonly outcome: WriteOutcome } | Lost> {
    if (dryRun) return { outcome: this.#dryRun(target, object, false, entry.revision) };
    const { key } = entry;
    const released = this.#allocations.release(target, entry);
    const result = await this.#transact(
      [{ key, revision: entry.revision }, ...released.guards],
      [{ type: 'delete', key }, ...released.operations],
    );
    if (!result.committed) return lostTo(result, key);
    const shown = this.#shown(target, object);
    // The revision that it had: what was to be written never was (generic registry.Store.deleteWithoutFinalizers).
    shown.metadata.resourceVersion = String(entry.revision);
    return { outcome: { type: 'deleted', object: shown } };
  }

  #sharedEntry(target: Target): CacheEntry | undefined {
    return this.shared
      ?.of(target.workspace, target.served.definition.storedAs)
      ?.get(target.workspace, target.namespace, target.name);
  }

  #shown(target: Target, object: KubeObject): KubeObject {
    return carriesClusterAnnotation(target.workspace)
      ? withClusterAnnotation(object, target.workspace.id)
      : object;
  }

  #dryRun(target: Target, object: KubeObject, created: boolean, revision?: Revision): WriteOutcome {
    const shown = this.#shown(target, this.#asStored(target, object));
    if (revision !== undefined) shown.metadata.resourceVersion = String(revision);
    return { type: 'dry-run', created, object: shown };
  }

  /** What a write would leave of it (KUBERNETES.md R7). */
  #asStored(target: Target, object: KubeObject): KubeObject {
    const { workspace, served } = target;
    const converted = throughStorage(served, object);
    if (converted !== object) return converted;
    if (!isReshaped(served) || served.definition.conversion !== undefined) return object;
    if (isInert(workspace, served.definition)) return object;
    const value = encodeObject(target, object);
    return this.read(entryOf({ key: keyOf(target), value, revision: 0 as Revision }), target);
  }

  /** Whether what changes nothing for who reads it is to be written all the same (C5, O5). */
  #mustBeWritten({ workspace, served }: Target, entry: CacheEntry, object: KubeObject): boolean {
    if (isMarkedStale(entry) || this.#mustRewrite?.(entry) === true) return true;
    return !isInert(workspace, served.definition) && isStoredOtherwise(entry, object, served);
  }

  /** Once, however often the write is tried. */
  #warn(target: Target, object: KubeObject, old: KubeObject | undefined, options: WriteOptions): void {
    const { definition } = target.served;
    if (definition.strategy.warnings === undefined || isInert(target.workspace, definition)) return;
    for (const warning of definition.strategy.warnings(object, old)) {
      if (!options.warnings.includes(warning)) options.warnings.push(warning);
    }
  }

  #newest({ current, elsewhere }: Lost, key: StorageKey): CacheEntry | undefined {
    return elsewhere ? this.storage.peek(key) : current;
  }

  async #transact(guards: readonly Guard[], operations: readonly Operation[]): Promise<TransactionResult> {
    try {
      return await this.storage.transact({ guards, operations });
    } catch (error) {
      throw fromStorageError(error);
    }
  }
}

function isTransacted({ type }: WriteOutcome): boolean {
  return type === 'written' || type === 'deleted';
}

/** The object appeared between the look and the create. */
function isLostRace(error: unknown): boolean {
  return error instanceof ApiError && error.reason === 'AlreadyExists';
}
