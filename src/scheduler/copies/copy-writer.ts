import { ApiError, isApiError } from '#apimachinery/api-error.ts';
import { isJsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient, ObjectRef, PropagationPolicy } from '#client/client.ts';
import type { Owns } from '#client/queue/work-sharing.ts';
import { type Origin, originOf, sameOrigin } from '../projection/origin.ts';
import type { RenderedCopy } from '../projection/render.ts';
import { type CopyIndex, type CopyRecord, copyRecordOf, placeKeyIn, placeKeyOf } from './copy-index.ts';

/** The scheduler's field manager in cell workspaces. */
export const copyFieldManager = 'cellplane-scheduler';

export type CopyOutcome =
  | { readonly type: 'unchanged' }
  | { readonly type: 'written' }
  /** Something of another origin lies there; nothing was touched. */
  | { readonly type: 'collision'; readonly message: string; readonly place: string }
  /** The copy that is there is going away; its deletion is an event that brings us back. */
  | { readonly type: 'leaving' };

/** Nothing of another origin is in the way; `uid`: of the copy that is there, if one is. */
interface Clear {
  readonly type: 'clear';
  readonly uid: string | undefined;
}

/**
 * Writes and deletes copies in cell workspaces. Before any write the origin of what lies there is compared: a copy of
 * another origin is never touched (DESIGN.md, invariant Names).
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
   * A binding is written under its revision, copies are not: a scheduler that was stopped in between writes nothing more of a
   * project that another one has taken over, and may have decided about anew.
   */
  #mustOwn({ cluster, path }: Origin): void {
    if (!this.#owns(cluster)) throw new Error(`the project ${path} is another scheduler’s by now`);
  }

  /** Brings one copy about. Throws ApiError when the cell workspace refuses it. */
  async ensure(cellId: string, copy: RenderedCopy, signal: AbortSignal): Promise<CopyOutcome> {
    const { place, object } = copy;
    const placeKey = placeKeyIn(cellId, place, place.namespace, place.name);
    const known = this.#index.get(placeKey);
    if (known?.deleting === true) return { type: 'leaving' };
    const ours = originOf(object.metadata);
    if (ours === undefined) throw new RangeError('a copy must carry its origin');
    this.#mustOwn(ours);
    if (known === undefined) {
      if (await this.#create(cellId, copy, signal)) return { type: 'written' };
    } else if (sameOrigin(known.origin, ours) && known.contentHash === copy.contentHash) {
      return { type: 'unchanged' };
    }
    let { uid } = known ?? {};
    if (known === undefined || !sameOrigin(known.origin, ours)) {
      const found = await this.#look(cellId, copy, signal);
      if (found.type !== 'clear') return found;
      uid = found.uid;
      this.#mustOwn(ours);
    }
    await this.#apply(cellId, copy, uid, signal);
    return { type: 'written' };
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
    let present: KubeObject;
    try {
      present = await this.#client.get(refOf(cellId, copy), { metadataOnly: true, signal });
    } catch (error) {
      if (isApiError(error, 'NotFound')) return { type: 'clear', uid: undefined };
      throw error;
    }
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
    this.#learn(cellId, copy, present);
    const { uid, deletionTimestamp } = present.metadata;
    return deletionTimestamp === undefined ? { type: 'clear', uid } : { type: 'leaving' };
  }

  /**
   * Over the copy of that uid and no other, or where nothing is: what has taken its room since is of an origin that was not
   * compared. Not forced at first: a conflict shows who else holds fields, and only a copy of ours is then taken back.
   */
  async #apply(
    cellId: string,
    copy: RenderedCopy,
    uid: string | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { place } = copy;
    let written: KubeObject;
    try {
      written = await this.#applyOver(cellId, copy, uid, false, signal);
    } catch (error) {
      if (!isApiError(error, 'Conflict', 'AlreadyExists')) throw error;
      const found = await this.#look(cellId, copy, signal);
      if (found.type !== 'clear') throw error;
      if (found.uid === undefined)
        this.#index.remove(placeKeyIn(cellId, place, place.namespace, place.name), uid);
      written = await this.#applyOver(cellId, copy, found.uid, true, signal);
    }
    this.#written(cellId, copy, written);
  }

  #applyOver(
    cellId: string,
    copy: RenderedCopy,
    uid: string | undefined,
    force: boolean,
    signal: AbortSignal,
  ): Promise<KubeObject> {
    const ref = refOf(cellId, copy);
    const options = { fieldManager: copyFieldManager, metadataOnly: !copy.custom, signal };
    if (uid === undefined) return this.#client.apply(ref, copy.object, { ...options, ifAbsent: true });
    const { metadata } = copy.object;
    return this.#client.apply(ref, { ...copy.object, metadata: { ...metadata, uid } }, { ...options, force });
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
      this.#index.put(contentHash === undefined ? record : { ...record, contentHash });
  }

  /**
   * Deletes a copy that is no longer wanted, guarded by its uid. The syncer's finalizer holds it until the edge has let go.
   * Gone already counts as done. `propagationPolicy` is for the edge: the server writes it onto the copy.
   */
  async withdraw(
    record: CopyRecord,
    propagationPolicy: PropagationPolicy,
    signal: AbortSignal,
  ): Promise<void> {
    if (record.deleting) return;
    this.#mustOwn(record.origin);
    const { cellId, group, version, resource, namespace, name, uid } = record;
    const gvr = { group, version, resource };
    const ref = { cluster: cellId, gvr, namespace: namespace === '' ? undefined : namespace, name };
    try {
      await this.#client.delete(ref, { preconditions: { uid }, propagationPolicy, signal });
    } catch (error) {
      if (isApiError(error, 'NotFound')) this.#index.remove(placeKeyOf(record), uid);
      else if (!isApiError(error, 'Conflict')) throw error;
      // Conflict: another object of that name by now, whose own event is on its way.
    }
  }
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
