import type { JsonValue } from '#apimachinery/json.ts';
import type { KubeObject, ManagedFieldsEntry } from '#apimachinery/object.ts';
import type { Schema } from '#apimachinery/schema.ts';
import { type ApplyType, rootTypeOf } from './apply-type.ts';
import { type Comparison, compareObjects, isSame } from './compare.ts';
import { difference, type FieldSet, isEmptySet, union, withoutSubtrees } from './field-set.ts';
import { createdFields } from './field-shapes.ts';
import {
  capUpdateManagers,
  decodeManagers,
  encodeManagers,
  isReset,
  type Manager,
  sameManager,
  withFields,
} from './managed-fields.ts';
import { fieldElement, type PathElement } from './path-element.ts';

/**
 * Gives an object in another version of its kind, with that version's schema; undefined when the version is no longer
 * served, or the object does not convert: managers of that version are then forgotten, as upstream does.
 */
export type ManagedFieldsConverter = (
  object: KubeObject,
  apiVersion: string,
) => { readonly object: KubeObject; readonly schema: Schema } | undefined;

export interface ManagedFieldsRequest {
  /** Of the version that the objects are in. */
  readonly schema: Schema;
  /** The stored object in the request's version; undefined when it is being created. */
  readonly live: KubeObject | undefined;
  readonly manager: string;
  /** The request's version, `apps/v1`. */
  readonly apiVersion: string;
  /** Empty for the object itself. */
  readonly subresource: string;
  /** RFC 3339 in whole seconds, UTC. */
  readonly now: string;
  /** Absent: versions differ in nothing but apiVersion, so that paths mean the same in all of them. */
  readonly convert?: ManagedFieldsConverter | undefined;
  /**
   * Dotted paths that a write through this endpoint resets and so never owns: `status` on the main path of a kind with
   * a status subresource, `spec` on the status path (KUBERNETES.md C7). A single `!status` means all but status.
   */
  readonly resetFields?: readonly string[] | undefined;
}

export interface UpdateRequest extends ManagedFieldsRequest {
  /** As it is to be stored: decoded, defaulted, in the request's version. Its own managedFields are what was sent. */
  readonly updated: KubeObject;
  readonly operation: 'Update';
}

/**
 * The managedFields for an object that is about to be stored by create, update or a patch other than apply
 * (KUBERNETES.md P4); empty = the object is untracked and the field must be left out. No argument is changed. The
 * result may share entries with `live` and `updated`, which like all stored objects must not be changed in place.
 */
export function updateManagedFields(request: UpdateRequest): ManagedFieldsEntry[] {
  const { live, updated, subresource } = request;
  const type = rootTypeOf(request.schema);
  const sent = updated.metadata.managedFields as JsonValue | undefined;
  if (live === undefined) return createManagedFields(request, type, sent);
  const standing = live.metadata.managedFields;
  let managers: readonly Manager[] | undefined;
  if (subresource === '' && sent !== standing && sent !== undefined && sent !== null) {
    if (isReset(sent)) return [];
    managers = decodeManagers(sent, false);
  }
  const taken = managers !== undefined && managers.length > 0;
  if (!taken && (standing === undefined || standing.length === 0)) return [];
  const comparison = compareObjects(type, live, updated);
  if (isSame(comparison) && !taken) return standing as ManagedFieldsEntry[];
  if (!taken) managers = decodeManagers(standing, true) ?? [];
  return encodeManagers(recordUpdate(request, updated, managers as readonly Manager[], comparison));
}

/** What the creator owns is the whole object: its set is built and sorted in one walk, without a comparison. */
function createManagedFields(
  request: UpdateRequest,
  type: ApplyType,
  sent: JsonValue | undefined,
): ManagedFieldsEntry[] {
  const fields = withoutReset(createdFields(type, request.updated), request.resetFields);
  const others = request.subresource !== '' || isReset(sent) ? [] : (decodeManagers(sent, false) ?? []);
  const mine = managerOf(request, fields);
  if (others.length === 0) return encodeManagers([mine]);
  return encodeManagers(
    capUpdateManagers(
      mergeMine(
        mine,
        others.map((one) => withFields(one, difference(one.fields, fields))),
      ),
    ),
  );
}

function managerOf(request: UpdateRequest, fields: FieldSet): Manager {
  return {
    manager: request.manager === '' ? 'unknown' : request.manager,
    operation: 'Update',
    apiVersion: request.apiVersion,
    subresource: request.subresource,
    time: request.now,
    fields,
    entry: undefined,
  };
}

/** Whoever changes a field owns it from then on, alone; what is gone is owned by nobody. */
function recordUpdate(
  request: UpdateRequest,
  updated: KubeObject,
  managers: readonly Manager[],
  comparison: Comparison,
): readonly Manager[] {
  const live = request.live as KubeObject;
  const gained = union(
    withoutReset(comparison.modified, request.resetFields),
    withoutReset(comparison.added, request.resetFields),
  );
  const mine = managerOf(request, gained);
  const others = loseFields(request, live, updated, managers, comparison, mine);
  if (isEmptySet(gained)) return others;
  return capUpdateManagers(mergeMine(mine, others));
}

function mergeMine(mine: Manager, others: readonly Manager[]): readonly Manager[] {
  const standing = others.find((one) => sameManager(one, mine));
  if (standing === undefined) return [...others, mine];
  const merged = { ...mine, fields: union(standing.fields, mine.fields) };
  return others.map((one) => (one === standing ? merged : one));
}

/**
 * The managers without the fields that changed hands; compared in each manager's own version. The `writer` keeps what it
 * would get back: its set mostly stays the very same, sorted and with its text known.
 */
export function loseFields(
  request: ManagedFieldsRequest,
  before: KubeObject,
  after: KubeObject,
  managers: readonly Manager[],
  comparison: Comparison,
  writer?: Manager,
): readonly Manager[] {
  const compare = versionedComparison(request, before, after, comparison);
  const result: Manager[] = [];
  for (const manager of managers) {
    const changes = compare(manager.apiVersion);
    if (changes === undefined) continue;
    let fields = difference(manager.fields, changes.removed);
    if (writer === undefined || !sameManager(manager, writer)) {
      fields = difference(fields, withoutReset(changes.modified, request.resetFields));
      fields = difference(fields, withoutReset(changes.added, request.resetFields));
    }
    if (!isEmptySet(fields)) result.push(withFields(manager, fields));
  }
  return result;
}

/** Compares in the version asked for, once each; undefined when the version is gone. */
export function versionedComparison(
  request: ManagedFieldsRequest,
  before: KubeObject,
  after: KubeObject,
  comparison: Comparison,
): (apiVersion: string) => Comparison | undefined {
  const { convert } = request;
  if (convert === undefined) return () => comparison;
  const known = new Map<string, Comparison | undefined>([[request.apiVersion, comparison]]);
  return (apiVersion) => {
    if (known.has(apiVersion)) return known.get(apiVersion);
    const old = convert(before, apiVersion);
    const now = convert(after, apiVersion);
    const result =
      old === undefined || now === undefined
        ? undefined
        : compareObjects(rootTypeOf(now.schema), old.object, now.object);
    known.set(apiVersion, result);
    return result;
  };
}

const resetPaths = new WeakMap<readonly string[], readonly (readonly PathElement[])[]>();

/** `set` without what this endpoint resets. */
export function withoutReset(set: FieldSet, resetFields: readonly string[] | undefined): FieldSet {
  if (resetFields === undefined || resetFields.length === 0) return set;
  const [first] = resetFields;
  if (first?.startsWith('!') === true) {
    const only = fieldElement(first.slice(1));
    const child = set[only];
    return child === undefined ? {} : { [only]: child };
  }
  let paths = resetPaths.get(resetFields);
  if (paths === undefined) {
    paths = resetFields.map((path) => path.split('.').map(fieldElement));
    resetPaths.set(resetFields, paths);
  }
  return withoutSubtrees(set, paths);
}
