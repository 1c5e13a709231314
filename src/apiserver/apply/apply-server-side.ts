import { textAt } from '#api/builtin/read.ts';
import { badRequest, unclassified } from '#apimachinery/api-error.ts';
import { equalJson, isJsonObject, type JsonObject, type JsonValue, jsonText } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { checkConfig } from './applied-config.ts';
import { type ApplyType, rootTypeOf } from './apply-type.ts';
import { type Comparison, compareObjects, isUnmanaged } from './compare.ts';
import { applyConflict, type Conflict, conflictsExcept } from './conflict.ts';
import { equalSets, intersection, isEmptySet, union } from './field-set.ts';
import { claimedFields, createdFields } from './field-shapes.ts';
import { lastAppliedFields, updatedLastApplied, upgradingManager } from './last-applied.ts';
import { decodeManagers, encodeManagers, type Manager, sameManager, withFields } from './managed-fields.ts';
import { mergeConfig, withoutNulls } from './merge.ts';
import { pruneDropped } from './prune.ts';
import { reconcileSet } from './reconcile.ts';
import {
  loseFields,
  type ManagedFieldsRequest,
  versionedComparison,
  withoutReset,
} from './update-managed-fields.ts';

interface ApplyRequest extends ManagedFieldsRequest {
  /** The configuration as it was sent: apiVersion, kind, metadata.name and what the manager has an opinion on. */
  readonly applied: JsonObject;
  /** Of an object that is not there yet. */
  readonly kind?: string | undefined;
  /** Takes fields from other managers instead of answering 409. */
  readonly force: boolean;
}

const beforeFirstApply = 'before-first-apply';

/**
 * Server-side apply (KUBERNETES.md P3-P7, KEP-555): the object as it would be stored, managedFields included, before
 * defaulting and validation. When nothing changes, the result equals `live`, times of managedFields included. Neither
 * argument is changed; the result shares unchanged subtrees with both, so it must be copied before it is altered.
 *
 * Throws 409 with a cause per field that others own, 500 without a reason (as Kubernetes does) when the configuration does not
 * fit the kind's schema, 400 when it holds managedFields or is in another version than the request. That there is a manager at
 * all is the caller's to check.
 */
export function applyServerSide(request: ApplyRequest): { readonly object: KubeObject } {
  const { applied, live, manager, apiVersion } = request;
  const type = rootTypeOf(request.schema);
  const config = checkedConfig(request, type);
  const base: KubeObject = live ?? { apiVersion, kind: jsonText(applied['kind']), metadata: {} };
  const managers = standingManagers(request, type);
  const fields = withoutReset(claimedFields(type, config), request.resetFields);
  const mine: Manager = {
    manager: manager === '' ? 'unknown' : manager,
    operation: 'Apply',
    apiVersion,
    subresource: request.subresource,
    time: request.now,
    fields,
    entry: undefined,
  };
  const last = managers.find((one) => sameManager(one, mine));
  const others = last === undefined ? managers : managers.filter((one) => one !== last);
  let object = mergeConfig(type, base, config) as KubeObject;
  if (last !== undefined) object = pruneDropped(request, object, [...others, mine], last, fields);
  const kept = others.length === 0 ? others : othersAfter(request, type, base, object, others);
  const isSameObject = live !== undefined && sameButManagedFields(live, object);
  if (isBuiltin(request)) object = withoutNulls(type, object) as KubeObject;
  const me = isSameObject ? { ...mine, time: last?.time } : timed(mine, last, live, object);
  return { object: finish(request, object, [...kept, me]) };
}

/** Go's types have no null: what was applied as null is unset in the stored object, though owned. */
function isBuiltin(request: ApplyRequest): boolean {
  return request.schema.definition?.startsWith('io.k8s.') === true;
}

/** The configuration without what stands for "unset" in metadata that clients never own. */
function checkedConfig(request: ApplyRequest, type: ApplyType): JsonObject {
  const { applied, apiVersion, live } = request;
  const kind = live?.kind ?? request.kind;
  if (applied['apiVersion'] !== apiVersion || (kind !== undefined && applied['kind'] !== kind)) {
    throw badRequest(
      `invalid object type: ${printKind(textAt(applied, 'apiVersion'), textAt(applied, 'kind'))}`,
    );
  }
  const metadata = applied['metadata'];
  if (isJsonObject(metadata) && isManagedFields(metadata['managedFields'])) {
    throw badRequest('metadata.managedFields must be nil');
  }
  const faults = checkConfig(type, applied);
  if (faults.length > 0)
    throw unclassified(`failed to create typed patch object (${describe(applied)}): ${joinFaults(faults)}`);
  if (!isJsonObject(metadata)) return { ...applied, metadata: {} };
  const given: JsonObject = {};
  for (const name in metadata) {
    if (metadata[name] !== null || !isUnmanaged(false, name)) given[name] = metadata[name];
  }
  return { ...applied, metadata: given };
}

/** Whether it is read as a list of managers, of none too (unstructured GetManagedFields). */
function isManagedFields(value: JsonValue | undefined): boolean {
  return Array.isArray(value) && value.every((entry) => isJsonObject(entry));
}

/** Several faults as structured-merge-diff tells them together. */
export function joinFaults(faults: readonly string[]): string {
  return faults.length === 1
    ? (faults[0] as string)
    : ['errors:', ...faults.map((one) => `  ${one}`)].join('\n');
}

function describe(applied: JsonObject): string {
  const kind = printKind(textAt(applied, 'apiVersion'), textAt(applied, 'kind'));
  return `${textAt(applied, 'metadata', 'namespace')}/${textAt(applied, 'metadata', 'name')}; ${kind}`;
}

/** `apps/v1, Kind=Deployment`; the core group has an empty first part. */
function printKind(apiVersion: string, kind: string): string {
  return `${apiVersion.includes('/') ? apiVersion : `/${apiVersion}`}, Kind=${kind}`;
}

/** The managers so far. An object that nobody tracked belongs, as it stands, to `before-first-apply` (P4). */
function standingManagers(request: ApplyRequest, type: ApplyType): readonly Manager[] {
  const { live } = request;
  if (live === undefined) return [];
  const managers = decodeManagers(live.metadata.managedFields, true) ?? [];
  if (managers.length > 0) {
    return managers.map((one) =>
      request.convert === undefined || one.apiVersion === request.apiVersion
        ? withFields(one, reconcileSet(type, one.fields))
        : one,
    );
  }
  const fields = withoutReset(createdFields(type, live), request.resetFields);
  if (isEmptySet(fields)) return [];
  return [
    {
      manager: beforeFirstApply,
      operation: 'Update',
      apiVersion: request.apiVersion,
      subresource: request.subresource,
      time: request.now,
      fields,
      entry: undefined,
    },
  ];
}

/** The other managers without what the configuration takes from them, which is refused where it may not. */
function othersAfter(
  request: ApplyRequest,
  type: ApplyType,
  base: KubeObject,
  object: KubeObject,
  others: readonly Manager[],
): readonly Manager[] {
  const comparison = compareObjects(type, base, object, true);
  refuseConflicts(request, type, base, object, others, comparison);
  return loseFields(request, base, object, others, comparison);
}

function refuseConflicts(
  request: ApplyRequest,
  type: ApplyType,
  base: KubeObject,
  object: KubeObject,
  others: readonly Manager[],
  comparison: Comparison,
): void {
  if (request.force) return;
  const compare = versionedComparison(request, base, object, comparison);
  let conflicts: Conflict[] = [];
  for (const manager of others) {
    const changes = compare(manager.apiVersion);
    if (changes === undefined) continue;
    const changed = withoutReset(union(changes.modified, changes.added), request.resetFields);
    const fields = intersection(manager.fields, changed);
    if (!isEmptySet(fields)) conflicts.push({ manager, fields });
  }
  if (conflicts.length === 0) return;
  if (request.manager === upgradingManager) {
    conflicts = conflictsExcept(conflicts, lastAppliedFields(type, base, request.apiVersion));
    if (conflicts.length === 0) return;
  }
  throw applyConflict(conflicts);
}

/**
 * An apply that leaves the object as it is takes no note of the time: a manager that then first appears has none
 * (managedfields managedFieldsUpdater.Apply). One that says null for what is not there has to be compared as stored: when
 * it changes neither the object nor what is owned nothing is written at all (C5).
 */
function timed(
  mine: Manager,
  last: Manager | undefined,
  live: KubeObject | undefined,
  object: KubeObject,
): Manager {
  if (last === undefined || live === undefined || last.apiVersion !== mine.apiVersion) return mine;
  if (!equalSets(last.fields, mine.fields) || !sameButManagedFields(live, object)) return mine;
  return last;
}

function sameButManagedFields(live: KubeObject, object: KubeObject): boolean {
  return live === object || equalJson(live, object);
}

function finish(request: ApplyRequest, object: KubeObject, managers: readonly Manager[]): KubeObject {
  const metadata = { ...object.metadata };
  if (request.manager === upgradingManager) {
    const annotations = updatedLastApplied(metadata.annotations, request.applied);
    if (annotations !== undefined) metadata.annotations = annotations;
  }
  const entries = encodeManagers(managers);
  if (entries.length > 0) metadata.managedFields = entries;
  else delete metadata.managedFields;
  return { ...object, metadata };
}
