import { copyAnnotations, edgeAnnotations } from '#api/federation/copy-contract.ts';
import { ApiError, isApiError } from '#apimachinery/api-error.ts';
import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ObjectRef } from '#client/client.ts';
import { type CopyKey, copyKeyOf, parseCopyKey, targetOf } from '../cell/copy-keys.ts';
import { type EdgeObject, edgeFieldManager, edgeObjectOf } from '../edge/edge-object.ts';
import { bringsStatus, type ServedKind } from '../edge/served-kind.ts';
import { isOfFormerCell, isOfOrigin, originKeyOf } from '../origin.ts';
import { applyForm, isScalable } from './apply-form.ts';
import { AutoscaledTargets, autoscalersResource, isAutoscaler } from './autoscaled-targets.ts';
import { type CopyNotes, parseSyncError } from './copy-notes.ts';
import { CopyReader } from './copy-reader.ts';
import { type ApplyReason, isStale } from './decide.ts';
import { DriftRecord } from './drift-record.ts';
import type { KnownEdge } from './known-edge.ts';
import { appliedFieldsOf, fieldsNotOwned } from './managed-trie.ts';
import { retainedFields, retainedForm } from './retained-form.ts';
import { edgeRefOf, type SyncContext } from './sync-context.ts';
import { present, type SyncItem, type SyncOutcome } from './sync-item.ts';
import { SyncRefusal } from './sync-refusal.ts';

/** Holds spec.replicas from the moment on when an autoscaler decides about them until it first does. */
const replicasManager = 'cellplane-federator-replicas';

/**
 * A revision that no object of ours can have: stores hand out higher ones long before they hold a namespace for it. An apply
 * that names it creates what is absent, and is refused for anything that is there (KUBERNETES.md P3; decision 150).
 */
const noRevision = '1';

/** An object that was just read at the edge. */
interface AtEdge {
  readonly object: KubeObject;
  /** The trie of the fields that we applied; undefined: none. */
  readonly owned: JsonObject | undefined;
  /** As the edge's watch last told of it. */
  readonly mirrored: EdgeObject | undefined;
}

/** How an edge object differs from what is applied there. */
interface Drift {
  /** Paths of the fields that are not ours any more. */
  readonly missing: readonly string[];
  /** Field manager that wrote last beside us. */
  readonly rival: string;
}

/** Applies copies at one edge, and repairs what drifted. */
export class Applier {
  readonly #context: SyncContext;
  readonly #notes: CopyNotes;
  readonly #known: KnownEdge;
  readonly #copies: CopyReader;
  readonly #drift: DriftRecord;
  readonly #autoscaled = new AutoscaledTargets();
  /** What is applied of these has changed although their copies have not. */
  readonly #changed = new Set<CopyKey>();
  /** Repairs that were begun: whether one was made that no answer came to is known when its object is seen as it should be. */
  readonly #repairing = new Map<CopyKey, Drift>();
  /** The edge refused a new object because of the revision that it named: it is asked first from then on. */
  #mustReadFirst = false;

  constructor(context: SyncContext, notes: CopyNotes, known: KnownEdge) {
    this.#context = context;
    this.#notes = notes;
    this.#known = known;
    this.#copies = new CopyReader(context);
    this.#drift = new DriftRecord(context.clock);
  }

  /** Learns which objects are autoscaled before the first of them is applied. */
  async prepare(signal: AbortSignal): Promise<void> {
    const versions = new Set<string>();
    for (const key of this.#context.copies.keys()) {
      const copy = isAutoscaler(parseCopyKey(key)) ? this.#context.copies.get(key) : undefined;
      if (copy !== undefined) versions.add(targetOf(copy).version);
    }
    for (const version of versions) {
      for await (const page of this.#context.workspace.readAll({ ...autoscalersResource, version }, signal)) {
        for (const copy of page) {
          const { name = '', namespace = '' } = copy.metadata;
          const key = copyKeyOf({ ...autoscalersResource, namespace, name });
          if (copy.metadata.deletionTimestamp === undefined) this.#autoscaled.learn(key, copy);
        }
      }
    }
  }

  /** The object has to be compared, whatever the hashes say. */
  mustCompare(key: CopyKey): boolean {
    return this.#changed.has(key);
  }

  /** An object that is as it should be has to be looked at all the same, now or later. */
  needsMore(key: CopyKey): boolean {
    return this.#changed.has(key) || this.#repairing.has(key) || this.#drift.isContested(key);
  }

  forget(key: CopyKey): void {
    this.#changed.delete(key);
    this.#known.forget(key);
    this.#drift.forget(key);
    this.#repairing.delete(key);
    this.#notes.forget(key);
    this.#retarget(this.#autoscaled.forget(key));
  }

  async apply(kind: ServedKind, item: SyncItem, why: ApplyReason, signal: AbortSignal): Promise<SyncOutcome> {
    const { key, place } = item;
    const { mirror } = this.#context;
    if (why === 'drift') {
      const waitMs = this.#drift.waitMs(key);
      if (waitMs > 0) return { state: 'present', requeueAfterMs: waitMs };
    }
    const copy = await this.#copies.read(kind, item, signal);
    // Its event is on the way.
    if (copy === undefined || copy.metadata.deletionTimestamp !== undefined) return { state: 'waiting' };
    if (isAutoscaler(place)) this.#retarget(this.#autoscaled.learn(key, copy));
    const retained = retainedFields(copy);
    let form = applyForm(copy, {
      group: place.group,
      resource: place.resource,
      autoscaled: this.#autoscaled.has(key),
      cellUid: this.#context.cell().metadata.uid ?? '',
    });
    const edgeRef = edgeRefOf(kind, place);
    const mirrored = mirror.get(kind, place.namespace, place.name);
    const seen = this.#known.newest(key, mirrored);
    const isNew = seen === undefined && why === 'absent' && item.failures === 0 && !this.#mustReadFirst;
    if (isNew) {
      const created = await this.#create(edgeRef, form, signal);
      if (created !== undefined) return this.#applied(item, copy, form, created, mirrored, signal);
    }
    let isAbsent = false;
    let drift: Drift | undefined;
    if (
      seen === undefined ||
      why !== 'changed' ||
      retained.length > 0 ||
      seen.origin !== originKeyOf(copy.metadata) ||
      item.failures > 1
    ) {
      const object = await this.#readEdge(edgeRef, signal);
      if (object === undefined) isAbsent = true;
      else {
        const owned = appliedFieldsOf(object, edgeFieldManager);
        form = retainedForm(form, object, owned ?? {}, retained);
        const compared = await this.#compare(item, copy, form, { object, owned, mirrored }, signal);
        if ('settled' in compared) return compared.settled;
        // Where the copy has changed since, an object that lacks nothing of ours is merely behind it.
        const isBehind = compared.missing.length === 0 && hashOf(copy) !== hashOf(item.copy);
        if (why === 'drift' && !isBehind) drift = compared;
      }
    } else {
      if (isStale(copy.metadata.resourceVersion ?? '', String(seen.copyRevision ?? 0))) throw late();
      setPreconditions(form, seen);
    }
    await this.#handReplicasOver(kind, item, form, edgeRef, signal);
    if (drift !== undefined) this.#repairing.set(key, drift);
    let applied: KubeObject;
    try {
      applied = isAbsent
        ? await this.#make(edgeRef, form, signal)
        : await this.#apply(edgeRef, form, true, signal);
    } catch (error) {
      // One that was refused, because a controller there wrote at the same time, has repaired nothing.
      if (isApiError(error) && error.code < 500) this.#repairing.delete(key);
      throw error;
    }
    return this.#applied(item, copy, form, applied, mirrored, signal);
  }

  /** The edge has what it should have. */
  async acknowledge(
    item: SyncItem,
    copy: KubeObject,
    edge: EdgeObject,
    signal: AbortSignal,
  ): Promise<SyncOutcome> {
    const { key, place } = item;
    const { mirror, noteTurn } = this.#context;
    this.#changed.delete(key);
    const repaired = this.#repairing.get(key);
    if (repaired !== undefined) {
      this.#repairing.delete(key);
      await this.#noteDrift(item, copy, repaired, signal);
    }
    if (edge.farError !== undefined) {
      // It has the content, and a syncer beyond it says that it could not bring it any further.
      const { reason, message = '' } = parseSyncError(edge.farError);
      const isReason = typeof reason === 'string' && /^[A-Za-z]\w{0,62}$/.test(reason);
      const error = { reason: isReason ? reason : 'SyncError', message: String(message) };
      this.#context.tally.markFailed(key, error);
      await this.#notes.synced({ key, place, copy }, edge.fieldsHash, error, signal);
      return present;
    }
    this.#context.tally.markSynced(key);
    const contestedForMs = this.#drift.contestedForMs(key);
    const kind = mirror.kindOf(place.group, place.resource);
    await this.#notes.synced(
      { key, place, copy },
      edge.fieldsHash,
      contestedForMs > 0 ? 'keep' : 'none',
      signal,
      // The object's status goes behind its note.
      kind === undefined || bringsStatus(kind) ? undefined : noteTurn,
    );
    return contestedForMs > 0 ? { state: 'present', requeueAfterMs: contestedForMs } : present;
  }

  /** Only its metadata is answered: that is all that is looked at, and content may be large. */
  #apply(edgeRef: ObjectRef, form: JsonObject, force: boolean, signal: AbortSignal): Promise<KubeObject> {
    const options = { fieldManager: edgeFieldManager, force, metadataOnly: true, signal };
    return this.#context.edgeClient.apply(edgeRef, form, options);
  }

  /** Applies what is most likely not there, without looking first; undefined: something is, and nothing was done to it. */
  async #create(edgeRef: ObjectRef, form: JsonObject, signal: AbortSignal): Promise<KubeObject | undefined> {
    setRevision(form, noRevision);
    try {
      return await this.#apply(edgeRef, form, false, signal);
    } catch (error) {
      if (!isApiError(error, 'Conflict')) throw error;
      setRevision(form, undefined);
    }
    return undefined;
  }

  /** Applies what was just not there: whoever has made it since, be it another federator of this cell, is not written over. */
  async #make(edgeRef: ObjectRef, form: JsonObject, signal: AbortSignal): Promise<KubeObject> {
    if (!this.#mustReadFirst) {
      const created = await this.#create(edgeRef, form, signal);
      if (created !== undefined) return created;
      if ((await this.#readEdge(edgeRef, signal)) !== undefined) {
        throw new ApiError('Conflict', 'the object was made at the edge by somebody else just now');
      }
      this.#mustReadFirst = true;
    }
    return this.#apply(edgeRef, form, false, signal);
  }

  /** What is to be done about an object that is there: refuses, has nothing to do, or tells what it lacks and leaves the form guarded. */
  async #compare(
    item: SyncItem,
    copy: KubeObject,
    form: JsonObject,
    { object, owned, mirrored }: AtEdge,
    signal: AbortSignal,
  ): Promise<{ readonly settled: SyncOutcome } | Drift> {
    const { key } = item;
    const isOurs =
      isOfOrigin(object.metadata, copy.metadata, owned) || isOfFormerCell(object.metadata, copy.metadata);
    if (!isOurs) refuseUnmanaged(object, copy);
    else if (
      isStale(
        copy.metadata.resourceVersion ?? '',
        object.metadata.annotations?.[edgeAnnotations.copyRevision],
      )
    ) {
      throw late();
    }
    const missing = fieldsNotOwned(form, owned ?? {});
    const edge = edgeObjectOf(object);
    const hasContent =
      edge.contentHash === hashOf(copy) && edge.cellUid === this.#context.cell().metadata.uid;
    if (hasContent && this.#drift.onlyDropped(key, missing) && !ownsReplicasBeyond(form, owned)) {
      // As our own write is: should it go before the watch tells of it, no event will.
      this.#known.applied(key, edge, mirrored);
      return { settled: await this.acknowledge(item, copy, edge, signal) };
    }
    setPreconditions(form, object);
    return { missing, rival: rivalOf(object) };
  }

  async #noteDrift(
    { key, place }: SyncItem,
    copy: KubeObject,
    { missing, rival }: Drift,
    signal: AbortSignal,
  ): Promise<void> {
    this.#context.metrics.driftRepaired++;
    const contested = this.#drift.repaired(key);
    const fields = missing.length === 0 ? 'the content hash' : missing.join(', ');
    this.#context.logger.info({ key, missing, rival, contested }, 'edge object had drifted; it was repaired');
    if (!contested) return;
    const message = `${rival} keeps changing ${fields}; it is repaired more and more rarely`;
    await this.#notes.failed({ key, place, copy }, { reason: 'DriftContested', message }, signal);
  }

  async #applied(
    item: SyncItem,
    copy: KubeObject,
    form: JsonObject,
    applied: KubeObject,
    mirrored: EdgeObject | undefined,
    signal: AbortSignal,
  ): Promise<SyncOutcome> {
    const edge = edgeObjectOf(applied);
    this.#known.applied(item.key, edge, mirrored);
    this.#drift.applied(item.key, fieldsNotOwned(form, appliedFieldsOf(applied, edgeFieldManager) ?? {}));
    return this.acknowledge(item, copy, edge, signal);
  }

  /**
   * An autoscaler takes over replicas that are ours alone: giving them up would make the edge set its default. So
   * another manager holds them as they are until the autoscaler writes (Kubernetes, Server-Side Apply, Transferring
   * ownership).
   */
  async #handReplicasOver(
    kind: ServedKind,
    { key, place }: SyncItem,
    form: JsonObject,
    edgeRef: ObjectRef,
    signal: AbortSignal,
  ): Promise<void> {
    if (!isScalable(place) || !this.#autoscaled.has(key)) return;
    const object = await this.#readEdge(edgeRef, signal);
    if (object === undefined) return;
    if (!ownsReplicasBeyond(form, appliedFieldsOf(object, edgeFieldManager))) return;
    const spec = object['spec'];
    const replicas = isJsonObject(spec) ? spec['replicas'] : undefined;
    if (replicas === undefined) return;
    const { name = '', namespace } = object.metadata;
    const handed = await this.#context.edgeClient.apply(
      edgeRef,
      {
        apiVersion: object.apiVersion ?? kind.version,
        kind: kind.kind,
        metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
        spec: { replicas },
      },
      { fieldManager: replicasManager, force: true, signal },
    );
    setPreconditions(form, handed);
  }

  /** They are looked at anew. */
  #retarget(targets: readonly CopyKey[]): void {
    for (const target of targets) {
      this.#changed.add(target);
      this.#context.enqueue(target);
    }
  }

  async #readEdge(edgeRef: ObjectRef, signal: AbortSignal): Promise<KubeObject | undefined> {
    try {
      return await this.#context.edgeClient.get(edgeRef, { signal });
    } catch (error) {
      if (isApiError(error, 'NotFound')) return undefined;
      throw error;
    }
  }
}

function hashOf(copy: KubeObject | undefined): string | undefined {
  return copy?.metadata.annotations?.[copyAnnotations.contentHash];
}

/** Another project's copy is never touched, whatever a policy says; what no copy made only if the policy says so. */
function refuseUnmanaged(object: KubeObject, copy: KubeObject): void {
  if (originKeyOf(object.metadata) !== undefined) {
    throw new SyncRefusal(
      'NameCollision',
      'the edge holds a copy of another origin under this name; it was not touched',
    );
  }
  if (copy.metadata.annotations?.[copyAnnotations.conflictResolution] === 'Overwrite') return;
  throw new SyncRefusal(
    'AlreadyExists',
    'the edge holds an object that no copy made under this name; conflictResolution Overwrite would take it over',
  );
}

function late(): ApiError {
  return new ApiError('Conflict', 'the edge was written from a newer copy than this one');
}

/** Compare-and-swap: what we write over is what we have seen (DESIGN.md, Fencing). */
function setPreconditions(form: JsonObject, seen: KubeObject): void {
  const metadata = form['metadata'];
  if (!isJsonObject(metadata)) return;
  metadata['uid'] = seen.metadata.uid;
  metadata['resourceVersion'] = seen.metadata.resourceVersion;
}

function setRevision(form: JsonObject, resourceVersion: string | undefined): void {
  const metadata = form['metadata'];
  if (!isJsonObject(metadata)) return;
  if (resourceVersion === undefined) delete metadata['resourceVersion'];
  else metadata['resourceVersion'] = resourceVersion;
}

/** We own spec.replicas at the edge although the form leaves them to an autoscaler. */
function ownsReplicasBeyond(form: JsonObject, owned: JsonObject | undefined): boolean {
  const spec = form['spec'];
  if (!isJsonObject(spec) || spec['replicas'] !== undefined) return false;
  const ownedSpec = owned?.['f:spec'];
  return isJsonObject(ownedSpec) && ownedSpec['f:replicas'] !== undefined;
}

/** Who wrote last beside us. */
function rivalOf(object: KubeObject): string {
  const others = (object.metadata.managedFields ?? []).filter(
    (entry) => entry.manager !== edgeFieldManager && entry.subresource !== 'status',
  );
  others.sort((a, b) => (b.time ?? '').localeCompare(a.time ?? ''));
  return others[0]?.manager ?? 'someone';
}
