import { copyAnnotations, deletionHeldReason } from '#api/federation/copy-contract.ts';
import { ApiError, isApiError } from '#apimachinery/api-error.ts';
import { isJsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient, ObjectRef, PropagationPolicy } from '#client/client.ts';
import type { Owns } from '#client/queue/work-sharing.ts';
import { type Origin, originOf, sameOrigin } from '../projection/origin.ts';
import type { RenderedCopy } from '../projection/render.ts';
import {
  asKnown,
  type CopyIndex,
  type CopyRecord,
  copyRecordOf,
  isAlike,
  placeKeyIn,
  placeKeyOf,
} from './copy-index.ts';
import { syncErrorReason } from './sync-error.ts';

/** The scheduler's field manager in cell workspaces. */
export const copyFieldManager = 'cellplane-scheduler';

export type CopyOutcome =
  | { readonly type: 'unchanged' }
  | { readonly type: 'written' }
  /** Something of another origin lies there; nothing was touched. */
  | { readonly type: 'collision'; readonly message: string; readonly place: string }
  /** The copy that is there is going away; its deletion is an event that brings us back. */
  | { readonly type: 'leaving' };

/** Nothing of another origin is in the way; `there`: the copy that is there, if one is. */
interface Clear {
  readonly type: 'clear';
  readonly there: CopyRecord | undefined;
}

/** A syncer's notes and statuses come one after the other: what has changed so often while we looked is tried again later. */
const looksMax = 3;

/**
 * Writes and deletes copies in cell workspaces. Before any write the origin of what lies there is compared: a copy of
 * another origin is never touched (DESIGN.md, invariant Names). What is written over, or deleted, is the copy of that revision
 * which the decision rests on, or one that holds the same: what has another content since was decided by somebody else, and is
 * not for us to undo before all is decided anew (decision 218).
 */
export class CopyWriter {
  readonly #client: KubeClient;
  readonly #index: CopyIndex;
  readonly #controlPlaneId: string;
  readonly #owns: Owns;

  /** `owns`: whether the project's work is this scheduler's. */
  constructor(client: KubeClient, index: CopyIndex, controlPlaneId: string, owns: Owns) {
    this.#client = client;
    this.#index = index;
    this.#controlPlaneId = controlPlaneId;
    this.#owns = owns;
  }

  /**
   * A scheduler that was stopped after its decision writes nothing more of a project that another one has taken over, and may have
   * decided about anew. What it had sent, or sends after this look at the clock, is refused by what it was written over; only what
   * it makes where nothing was is not.
   */
  #mustOwn({ cluster, path }: Origin): void {
    if (!this.#owns(cluster)) throw new Error(`the project ${path} is another scheduler’s by now`);
  }

  /**
   * Brings one copy about. `decidedOver`: by place, the copies as they were known when it was decided; absent: it is decided by
   * what is known now. Throws ApiError when the cell workspace refuses it, Conflict when all is to be decided anew.
   */
  async ensure(
    cellId: string,
    copy: RenderedCopy,
    signal: AbortSignal,
    decidedOver?: ReadonlyMap<string, CopyRecord>,
  ): Promise<CopyOutcome> {
    const { place, object } = copy;
    const placeKey = placeKeyIn(cellId, place, place.namespace, place.name);
    if (await this.wantIfLeaving(cellId, copy, signal)) return { type: 'leaving' };
    const known = this.#index.get(placeKey);
    const ours = originOf(object.metadata);
    if (ours === undefined) throw new RangeError('a copy must carry its origin');
    this.#mustOwn(ours);
    const there = known !== undefined && sameOrigin(known.origin, ours) ? known : undefined;
    if (there !== undefined && there.contentHash === copy.contentHash) return { type: 'unchanged' };
    if (decidedOver !== undefined && !isAlike(there, decidedOver.get(placeKey))) throw changed(place);
    if (there !== undefined) {
      await this.#apply(cellId, copy, there, signal);
      return { type: 'written' };
    }
    if (known === undefined && (await this.#create(cellId, copy, signal))) return { type: 'written' };
    const found = await this.#look(cellId, copy, signal);
    if (found.type !== 'clear') return found;
    this.#mustOwn(ours);
    if (found.there !== undefined && found.there.contentHash !== copy.contentHash) throw changed(place);
    await this.#apply(cellId, copy, found.there, signal);
    return { type: 'written' };
  }

  /** Whether a copy of that name is on its way out; if its deletion is held, its syncer is told that it need not go at the edge. */
  async wantIfLeaving(
    cellId: string,
    { place, object }: RenderedCopy,
    signal: AbortSignal,
  ): Promise<boolean> {
    const known = this.#index.get(placeKeyIn(cellId, place, place.namespace, place.name));
    if (known?.deleting !== true) return false;
    const ours = originOf(object.metadata);
    if (ours !== undefined && mayBeTakenOver(known, ours)) await this.#want(known, ours.uid, signal);
    return true;
  }

  /**
   * What is not known to be there is mostly not there: one request, which touches nothing else. False: something is. What a
   * custom kind's server has kept is looked at, of others only what it says about it.
   */
  async #create(cellId: string, copy: RenderedCopy, signal: AbortSignal): Promise<boolean> {
    const options = { fieldManager: copyFieldManager, metadataOnly: !copy.custom, ifAbsent: true, signal };
    try {
      this.#written(cellId, copy, await this.#client.apply(refOf(cellId, copy), copy.object, options));
      return true;
    } catch (error) {
      if (isApiError(error, 'AlreadyExists')) return false;
      throw error;
    }
  }

  /** Whether anything hinders writing: read anew, whatever the watch has told. */
  async #look(cellId: string, copy: RenderedCopy, signal: AbortSignal): Promise<CopyOutcome | Clear> {
    const present = await this.#read(refOf(cellId, copy), signal);
    if (present === undefined) return { type: 'clear', there: undefined };
    const theirs = originOf(present.metadata);
    const ours = originOf(copy.object.metadata);
    if (theirs === undefined || ours === undefined || !sameOrigin(theirs, ours)) {
      const whose =
        theirs === undefined ? 'no copy' : `the copy of ${theirs.path} ${theirs.namespace}/${theirs.name}`;
      const { resource, name, namespace = '' } = copy.place;
      return {
        type: 'collision',
        message: `${resource} ${name} is there and is ${whose}`,
        place: placeKeyIn(cellId, copy.place, namespace, name),
      };
    }
    const there = this.#told(cellId, copy.place, present);
    return there?.deleting === true ? { type: 'leaving' } : { type: 'clear', there };
  }

  async #read(ref: ObjectRef, signal: AbortSignal): Promise<KubeObject | undefined> {
    try {
      return await this.#client.get(ref, { metadataOnly: true, signal });
    } catch (error) {
      if (isApiError(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  /**
   * Over that copy, in the state that is known, or where nothing is. Not forced at first: a conflict shows who else holds fields,
   * and only a copy of ours is then taken back. A conflict by what a syncer has noted since costs a look.
   */
  async #apply(
    cellId: string,
    copy: RenderedCopy,
    known: CopyRecord | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    let over = known;
    for (let looks = 0; ; looks++) {
      try {
        this.#written(cellId, copy, await this.#applyOver(cellId, copy, over, looks > 0, signal));
        return;
      } catch (error) {
        if (!isApiError(error, 'Conflict', 'AlreadyExists') || looks === looksMax) throw error;
        const found = await this.#look(cellId, copy, signal);
        if (found.type !== 'clear') throw error;
        over = this.#asDecided(cellId, copy, known, found.there);
      }
    }
  }

  /** What is found where something else was known, if it may be written over without deciding anew. */
  #asDecided(
    cellId: string,
    { place, contentHash, object }: RenderedCopy,
    known: CopyRecord | undefined,
    there: CopyRecord | undefined,
  ): CopyRecord {
    if (there === undefined)
      this.#index.remove(placeKeyIn(cellId, place, place.namespace, place.name), known?.uid);
    const ours = originOf(object.metadata);
    if (ours !== undefined) this.#mustOwn(ours);
    if (there !== undefined && (there.contentHash === contentHash || holdsSame(there, known))) return there;
    throw changed(place);
  }

  #applyOver(
    cellId: string,
    copy: RenderedCopy,
    over: CopyRecord | undefined,
    force: boolean,
    signal: AbortSignal,
  ): Promise<KubeObject> {
    const ref = refOf(cellId, copy);
    const options = { fieldManager: copyFieldManager, metadataOnly: !copy.custom, signal };
    if (over === undefined) return this.#client.apply(ref, copy.object, { ...options, ifAbsent: true });
    const { uid, resourceVersion } = over;
    const metadata = { ...copy.object.metadata, uid, resourceVersion };
    return this.#client.apply(ref, { ...copy.object, metadata }, { ...options, force });
  }

  /**
   * Says on a copy that is on its way out whether one of its name is wanted again, for a syncer that holds the deletion (decision
   * 234). What has been written since is an event that brings us back.
   */
  async #want(record: CopyRecord, byUid: string | null, signal: AbortSignal): Promise<void> {
    if ((record.wantedAgain ?? null) === byUid) return;
    this.#mustOwn(record.origin);
    const { cellId, group, version, resource, namespace, name, uid, resourceVersion } = record;
    const ref = {
      cluster: cellId,
      gvr: { group, version, resource },
      namespace: namespace === '' ? undefined : namespace,
      name,
    };
    const annotations = { [copyAnnotations.wantedAgain]: byUid };
    try {
      await this.#client.patch(
        ref,
        { type: 'merge', body: { metadata: { uid, resourceVersion, annotations } } },
        { fieldManager: copyFieldManager, signal },
      );
    } catch (error) {
      if (!isApiError(error, 'NotFound', 'Conflict')) throw error;
    }
  }

  /** Throws when the server has not kept all of it. */
  #written(cellId: string, copy: RenderedCopy, written: KubeObject): void {
    if (!copy.custom || covers(written, copy.object)) {
      this.#learn(cellId, copy, written);
      return;
    }
    // A definition that the cell has just got takes a moment to be served: until then new fields are pruned.
    this.#learn(cellId, copy, written, '');
    throw new ApiError('ServiceUnavailable', `the cell does not keep all fields of ${copy.place.name} yet`);
  }

  /** `contentHash`: what it is known to hold, where that is not what it says. */
  #learn(cellId: string, { place }: RenderedCopy, object: KubeObject, contentHash?: string): void {
    const record = copyRecordOf(cellId, place, object.metadata, this.#controlPlaneId);
    if (record !== undefined)
      this.#index.learn(contentHash === undefined ? record : { ...record, contentHash });
  }

  /** What a look has found, as far as it is newer than what is known. */
  #told(cellId: string, place: RenderedCopy['place'], object: KubeObject): CopyRecord | undefined {
    const told = copyRecordOf(cellId, place, object.metadata, this.#controlPlaneId);
    if (told === undefined) return undefined;
    const record = asKnown(told, this.#index.get(placeKeyOf(told)));
    this.#index.learn(record);
    return record;
  }

  /**
   * Deletes a copy that is no longer wanted, in the state that `record` shows. The syncer's finalizer holds it until the edge has
   * let go. Gone already counts as done. `propagationPolicy` is for the edge: the server writes it onto the copy.
   */
  async withdraw(
    record: CopyRecord,
    propagationPolicy: PropagationPolicy,
    signal: AbortSignal,
  ): Promise<void> {
    if (record.deleting) {
      if (record.wantedAgain !== undefined) await this.#want(record, null, signal);
      return;
    }
    const { cellId, group, version, resource, namespace, name, uid } = record;
    const gvr = { group, version, resource };
    const ref = { cluster: cellId, gvr, namespace: namespace === '' ? undefined : namespace, name };
    let { resourceVersion } = record;
    for (let looks = 0; ; looks++) {
      this.#mustOwn(record.origin);
      try {
        const preconditions = { uid, resourceVersion };
        await this.#client.delete(ref, { preconditions, propagationPolicy, signal });
        return;
      } catch (error) {
        if (isApiError(error, 'NotFound')) {
          this.#index.remove(placeKeyOf(record), uid);
          return;
        }
        if (!isApiError(error, 'Conflict') || looks === looksMax) throw error;
      }
      const present = await this.#read(ref, signal);
      if (present === undefined) continue;
      // Another object of that name by now, whose own event is on its way.
      if (present.metadata.uid !== uid) return;
      const there = this.#told(cellId, record, present);
      if (there?.deleting === true) return;
      if (there === undefined || !holdsSame(there, record)) throw changed(record);
      ({ resourceVersion } = there);
    }
  }
}

/** Of these another object is another run, which what stands at the edge has behind it. */
const runsOnce: ReadonlySet<string> = new Set(['jobs.batch', 'pods.']);

/** Whether what stands at the edge may stay for the object that is there now, its deletion being held. */
function mayBeTakenOver({ group, resource, origin, syncError }: CopyRecord, ours: Origin): boolean {
  if (!sameOrigin(origin, ours) || syncErrorReason(syncError) !== deletionHeldReason) return false;
  return origin.uid === ours.uid || !runsOnce.has(`${resource}.${group}`);
}

/** Whether no scheduler has written what is there since; others than schedulers leave the hash as it was. */
function holdsSame(there: CopyRecord, known: CopyRecord | undefined): boolean {
  if (known === undefined) return false;
  return known.contentHash === '' || there.contentHash === '' || there.contentHash === known.contentHash;
}

function changed({ resource, name }: { readonly resource: string; readonly name: string }): ApiError {
  return new ApiError('Conflict', `the copy ${resource} ${name} was written since this was decided`);
}

function refOf(cellId: string, { place }: RenderedCopy): ObjectRef {
  const { group, version, resource, namespace, name } = place;
  return { cluster: cellId, gvr: { group, version, resource }, namespace, name };
}

/** Whether everything that a body says was kept, metadata aside. */
function covers(stored: KubeObject, wanted: KubeObject): boolean {
  for (const key in wanted) if (key !== 'metadata' && !holds(stored[key], wanted[key])) return false;
  return true;
}

function holds(stored: JsonValue | undefined, wanted: JsonValue | undefined): boolean {
  if (Array.isArray(wanted)) {
    if (!Array.isArray(stored) || stored.length !== wanted.length) return false;
    return wanted.every((item, i) => holds(stored[i], item));
  }
  if (!isJsonObject(wanted)) return wanted === undefined || wanted === null || stored === wanted;
  if (!isJsonObject(stored)) return false;
  for (const key in wanted) if (!holds(stored[key], wanted[key])) return false;
  return true;
}
