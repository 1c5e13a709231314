import { LRUCache } from 'lru-cache';
import { copyAnnotations, syncAnnotations } from '#api/federation/copy-contract.ts';
import type { ObjectMeta } from '#apimachinery/object.ts';
import { originKeyOf, type ProjectObjectKey } from '../object-key.ts';
import { type Origin, originOf } from '../projection/origin.ts';
import { isNewer } from '../watches/resource-versions.ts';

/** One copy in a cell workspace, as its metadata tells. */
export interface CopyRecord {
  readonly key: ProjectObjectKey;
  /** Logical cluster of the cell's workspace. */
  readonly cellId: string;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation: number;
  readonly deleting: boolean;
  readonly contentHash: string;
  readonly syncedHash: string | undefined;
  readonly syncError: string | undefined;
  /** uid of the object that was told to want it again while its deletion was held. */
  readonly wantedAgain: string | undefined;
  readonly origin: Origin;
}

/** A place in a cell workspace: `<cell id>|<resource>.<group>|<namespace>/<name>`. */
export function placeKeyOf(place: {
  readonly cellId: string;
  readonly group: string;
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
}): string {
  return placeKeyIn(place.cellId, place, place.namespace, place.name);
}

/** Likewise, where the parts are not members of one object. */
export function placeKeyIn(
  cellId: string,
  { group, resource }: { readonly group: string; readonly resource: string },
  namespace: string | undefined,
  name: string | undefined,
): string {
  return `${cellId}|${resource}.${group}|${namespace ?? ''}/${name ?? ''}`;
}

export interface WatchedResource {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
}

/** Undefined when the object is no copy, or one of another control plane. */
export function copyRecordOf(
  cellId: string,
  { group, version, resource }: WatchedResource,
  metadata: ObjectMeta,
  controlPlaneId: string,
): CopyRecord | undefined {
  const origin = originOf(metadata);
  if (origin === undefined || origin.controlPlane !== controlPlaneId) return undefined;
  const annotations = metadata.annotations ?? {};
  return {
    key: originKeyOf(origin),
    cellId,
    group,
    version,
    resource,
    namespace: metadata.namespace ?? '',
    name: metadata.name ?? '',
    uid: metadata.uid ?? '',
    resourceVersion: metadata.resourceVersion ?? '',
    generation: metadata.generation ?? 0,
    deleting: metadata.deletionTimestamp !== undefined,
    contentHash: annotations[copyAnnotations.contentHash] ?? '',
    syncedHash: annotations[syncAnnotations.syncedHash],
    syncError: annotations[syncAnnotations.syncError],
    wantedAgain: annotations[copyAnnotations.wantedAgain],
    origin,
  };
}

/** Whether two records tell of one copy that has not been written since, but for notes and statuses; or of none. */
export function isAlike(now: CopyRecord | undefined, before: CopyRecord | undefined): boolean {
  return now?.uid === before?.uid && now?.contentHash === before?.contentHash;
}

/**
 * What is told of a copy, beside what is known of it. Its content changed and its hash did not: somebody else wrote it, and what
 * it holds is not what the hash says, whatever is noted on it afterwards, until we have written it ourselves.
 */
export function asKnown(told: CopyRecord, former: CopyRecord | undefined): CopyRecord {
  if (former?.uid !== told.uid) return told;
  const isOthers =
    former.contentHash === told.contentHash &&
    former.generation !== told.generation &&
    former.resourceVersion !== told.resourceVersion;
  return isOthers || former.contentHash === '' ? { ...told, contentHash: '' } : told;
}

/** As many as go while an answer may be under way; it comes a moment after what it tells of, or its call is given up. */
const goneRememberedMax = 10_000;

/**
 * All copies of this control plane's objects in all cell workspaces, by origin and by place. Fed by watches and by the
 * answers to our own writes, whichever is newer.
 */
export class CopyIndex {
  readonly #byPlace = new Map<string, CopyRecord>();
  readonly #byOrigin = new Map<ProjectObjectKey, Map<string, CopyRecord>>();
  /** Uids of copies that are gone. */
  readonly #gone = new LRUCache<string, true>({ max: goneRememberedMax });
  readonly #perResource = new Map<string, number>();
  /** `<cell id>|<resource>.<group>` → project → how many of its copies lie there and are not going. */
  readonly #users = new Map<string, Map<string, number>>();
  /** `<cell id>|<namespace>` → how many copies lie in it. */
  readonly #perNamespace = new Map<string, number>();

  get(place: string): CopyRecord | undefined {
    return this.#byPlace.get(place);
  }

  /** By place. */
  ofOrigin(key: ProjectObjectKey): ReadonlyMap<string, CopyRecord> {
    return this.#byOrigin.get(key) ?? noCopies;
  }

  keys(): IterableIterator<ProjectObjectKey> {
    return this.#byOrigin.keys();
  }

  /** All of a `<resource>.<group>`; looks at every copy there is. */
  *ofResource(resource: string): IterableIterator<CopyRecord> {
    if (!this.holdsResource(resource)) return;
    for (const record of this.#byPlace.values())
      if (`${record.resource}.${record.group}` === resource) yield record;
  }

  holdsResource(resource: string): boolean {
    return this.#perResource.has(resource);
  }

  /** Whether no other project has copies of this `<resource>.<group>` in the cell workspace. */
  isSoleUser(resource: string, projectId: string, cellId: string): boolean {
    const users = this.#users.get(`${cellId}|${resource}`);
    return users === undefined || users.size === 0 || (users.size === 1 && users.has(projectId));
  }

  /** Whether the project has copies of this `<resource>.<group>` in the cell workspace that are not going. */
  isUser(resource: string, projectId: string, cellId: string): boolean {
    return this.#users.get(`${cellId}|${resource}`)?.has(projectId) ?? false;
  }

  countInNamespace(cellId: string, namespace: string): number {
    return this.#perNamespace.get(`${cellId}|${namespace}`) ?? 0;
  }

  /** As an answer tells it, which may come when the watch has told of its end: then it stays gone. */
  learn(record: CopyRecord): void {
    if (!this.#gone.has(record.uid)) this.put(record);
  }

  /** As the watch tells it. Returns false when what is known is as new, and says as much. */
  put(record: CopyRecord): boolean {
    if (this.#gone.size > 0) this.#gone.delete(record.uid);
    const place = placeKeyOf(record);
    const present = this.#byPlace.get(place);
    if (present !== undefined) {
      if (!isNewer(record.resourceVersion, present.resourceVersion) && !saysMore(record, present))
        return false;
      if (countsAlike(record, present)) {
        this.#byPlace.set(place, record);
        this.#byOrigin.get(record.key)?.set(place, record);
        return true;
      }
      this.#drop(place, present);
    }
    this.#byPlace.set(place, record);
    let copies = this.#byOrigin.get(record.key);
    if (copies === undefined) {
      copies = new Map();
      this.#byOrigin.set(record.key, copies);
    }
    copies.set(place, record);
    add(this.#perResource, `${record.resource}.${record.group}`, 1);
    this.#countUser(record, 1);
    if (record.namespace !== '') add(this.#perNamespace, `${record.cellId}|${record.namespace}`, 1);
    return true;
  }

  /** Forgets the copy at a place; `uid`: the one that is gone, a newer one stays. */
  remove(place: string, uid?: string): CopyRecord | undefined {
    if (uid !== undefined) this.#gone.set(uid, true);
    const present = this.#byPlace.get(place);
    if (present === undefined || (uid !== undefined && present.uid !== uid)) return undefined;
    this.#drop(place, present);
    return present;
  }

  /** Forgets all copies in a cell workspace that is gone. Returns the keys that they were of. */
  removeCell(cellId: string): Set<ProjectObjectKey> {
    const keys = new Set<ProjectObjectKey>();
    for (const [place, record] of this.#byPlace) {
      if (record.cellId !== cellId) continue;
      keys.add(record.key);
      this.#drop(place, record);
    }
    return keys;
  }

  #countUser({ cellId, group, resource, deleting, origin }: CopyRecord, change: number): void {
    if (deleting) return;
    const at = `${cellId}|${resource}.${group}`;
    let users = this.#users.get(at);
    if (users === undefined) {
      users = new Map();
      this.#users.set(at, users);
    }
    add(users, origin.cluster, change);
    if (users.size === 0) this.#users.delete(at);
  }

  #drop(place: string, record: CopyRecord): void {
    this.#byPlace.delete(place);
    const copies = this.#byOrigin.get(record.key);
    copies?.delete(place);
    if (copies?.size === 0) this.#byOrigin.delete(record.key);
    add(this.#perResource, `${record.resource}.${record.group}`, -1);
    this.#countUser(record, -1);
    if (record.namespace !== '') add(this.#perNamespace, `${record.cellId}|${record.namespace}`, -1);
  }
}

/** Of the same revision: whether its content is known by now, because we have written it. */
function saysMore(record: CopyRecord, present: CopyRecord): boolean {
  const { resourceVersion, contentHash } = present;
  return record.resourceVersion === resourceVersion && contentHash === '' && record.contentHash !== '';
}

/** Of the same place: whether one takes the other's room in every index, as it does when a copy only changes. */
function countsAlike(a: CopyRecord, b: CopyRecord): boolean {
  return a.key === b.key && a.deleting === b.deleting && a.origin.cluster === b.origin.cluster;
}

const noCopies: ReadonlyMap<string, CopyRecord> = new Map();

function add(counts: Map<string, number>, key: string, change: number): void {
  const count = (counts.get(key) ?? 0) + change;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}
