import type { JsonObject } from '#apimachinery/json.ts';
import { cloneJson, equalJson } from '#apimachinery/json.ts';
import type { KubeObject, ManagedFieldsEntry, ObjectMeta, OwnerReference } from '#apimachinery/object.ts';
import type { Strategy } from '#apimachinery/resource-definition.ts';
import { nowTime } from '#apimachinery/rfc3339.ts';
import { newUid } from '#apimachinery/uid.ts';
import { isInert, separatesStatus, type Target } from './target.ts';

/** Gives a new object, which has its name, its identity, and takes away what users may not set (C1, C6, C7). In place. */
export function prepareForCreate(object: KubeObject, target: Target, nowMs: number): void {
  const { definition } = target.served;
  const { metadata } = object;
  metadata.uid = newUid();
  metadata.creationTimestamp = nowTime(nowMs);
  // To take away what is not there costs more than to look.
  if ('deletionTimestamp' in metadata) delete metadata.deletionTimestamp;
  if ('deletionGracePeriodSeconds' in metadata) delete metadata.deletionGracePeriodSeconds;
  if ('resourceVersion' in metadata) delete metadata.resourceVersion;
  if (definition.namespaced) metadata.namespace = target.namespace;
  else delete metadata.namespace;
  setFirstGeneration(metadata, definition);
  if ('status' in object && dropsNewStatus(target)) delete object['status'];
  if (!isInert(target.workspace, definition)) definition.strategy.prepareForCreate?.(object);
}

/** After admission and validation (rest.BeforeCreate: Canonicalize; and what defaulting adds when it is read back). In place. */
export function completeNew(object: KubeObject, { served, workspace }: Target): void {
  const { definition } = served;
  if (!isInert(workspace, definition)) definition.strategy.completeNew?.(object);
}

function setFirstGeneration(metadata: ObjectMeta, { strategy }: Target['served']['definition']): void {
  // Kinds that do not count keep what the creator says.
  if (strategy.generation !== 'none' && strategy.generation !== 'of-changes') metadata.generation = 1;
  else if (metadata.generation === 0) delete metadata.generation;
}

/** C7: whether a new object's status is not the creator's to give. */
function dropsNewStatus({ served }: Target): boolean {
  return separatesStatus(served) && served.definition.strategy.keepsStatusOnCreate !== true;
}

/** Takes back what admission may have changed of a new object beyond what a user could have (C1, C7). In place. */
export function settleCreated(
  object: KubeObject,
  identity: { readonly uid: string | undefined; readonly creationTimestamp: string | undefined },
  target: Target,
): void {
  const { definition } = target.served;
  const { metadata } = object;
  if (identity.uid !== undefined) metadata.uid = identity.uid;
  if (identity.creationTimestamp !== undefined) metadata.creationTimestamp = identity.creationTimestamp;
  delete metadata.deletionTimestamp;
  delete metadata.deletionGracePeriodSeconds;
  delete metadata.resourceVersion;
  if (definition.namespaced) metadata.namespace = target.namespace;
  else delete metadata.namespace;
  setFirstGeneration(metadata, definition);
  if (!dropsNewStatus(target)) return;
  delete object['status'];
  const { prepareForCreate } = definition.strategy;
  if (prepareForCreate === undefined || isInert(target.workspace, definition)) return;
  // The status that the kind gives to what it has become.
  const prepared = cloneJson(object as JsonObject) as KubeObject;
  prepareForCreate(prepared);
  if (prepared['status'] !== undefined) object['status'] = prepared['status'];
}

/**
 * Brings a proposed state into line with what it replaces: fields that are not the writer's to change come from `old`
 * (C3, C6, C7). In place on `object`, which must not share anything with `old`; returns the object to go on with.
 */
export function prepareForUpdate(
  object: KubeObject,
  old: KubeObject,
  target: Target,
  subresource: string,
): KubeObject {
  const { definition } = target.served;
  const merged = mergeSubresource(object, old, target, subresource);
  const { metadata } = merged;
  for (const key of kept) {
    const before = old.metadata[key];
    if (metadata[key] === undefined && before !== undefined) metadata[key] = before;
  }
  if (old.metadata.creationTimestamp !== undefined)
    metadata.creationTimestamp = old.metadata.creationTimestamp;
  // A writer who still has the object as it was before somebody asked for its deletion does not undo that; one who asks
  // for it in this way is refused by validation (rest.BeforeUpdate).
  const { deletionTimestamp, deletionGracePeriodSeconds } = old.metadata;
  if (deletionTimestamp !== undefined) {
    metadata.deletionTimestamp = deletionTimestamp;
    if (deletionGracePeriodSeconds === undefined) delete metadata.deletionGracePeriodSeconds;
    else metadata.deletionGracePeriodSeconds = deletionGracePeriodSeconds;
  }
  delete metadata.resourceVersion;
  if (old.metadata.generation === undefined) delete metadata.generation;
  else metadata.generation = old.metadata.generation;
  if (!isInert(target.workspace, definition)) {
    definition.strategy.prepareForUpdate?.(merged, old, subresource);
  }
  return merged;
}

const kept = ['name', 'namespace', 'uid'] as const;

/** C7: the main path writes all but status, `/status` writes status alone; others have been merged by their handler. */
function mergeSubresource(
  object: KubeObject,
  old: KubeObject,
  target: Target,
  subresource: string,
): KubeObject {
  if (subresource === 'status') {
    const metadata = statusMetadata(object.metadata, old.metadata, target.served.definition.strategy);
    const merged: KubeObject = { ...old, metadata };
    if (object['status'] === undefined) delete merged['status'];
    else merged['status'] = object['status'];
    return merged;
  }
  if (subresource === '' && separatesStatus(target.served)) {
    if (old['status'] === undefined) delete object['status'];
    else object['status'] = old['status'];
  }
  return object;
}

/** Of a status writer's metadata only managedFields count, but for the older kinds, which take all or most of it. */
function statusMetadata(
  metadata: ObjectMeta,
  old: ObjectMeta,
  { statusKeepsMetadata }: Strategy,
): ObjectMeta {
  if (statusKeepsMetadata !== undefined) {
    const written: ObjectMeta = { ...metadata };
    for (const key of statusKeepsMetadata) {
      delete written[key];
      if (old[key] !== undefined) Object.assign(written, { [key]: old[key] });
    }
    return written;
  }
  const merged: ObjectMeta = { ...old };
  if (metadata.managedFields === undefined) delete merged.managedFields;
  else merged.managedFields = metadata.managedFields;
  return merged;
}

/** C6: raises the generation when something other than metadata (and status) changed. In place. */
export function raiseGeneration(object: KubeObject, old: KubeObject, target: Target): void {
  const { definition } = target.served;
  const { generation } = definition.strategy;
  if (generation === 'none' || generation === 'constant') return;
  const ignoresStatus = definition.origin !== 'custom' || separatesStatus(target.served);
  const countsLabels = generation === 'spec-and-labels';
  const isRelabelled = countsLabels && !equalJson(object.metadata.labels ?? {}, old.metadata.labels ?? {});
  if (!isRelabelled && !differs(object, old, ignoresStatus)) return;
  object.metadata.generation = (old.metadata.generation ?? 0) + 1;
}

function differs(object: JsonObject, old: JsonObject, ignoresStatus: boolean): boolean {
  for (const key in object) {
    if (isIdentity(key) || (ignoresStatus && key === 'status')) continue;
    if (!equalJson(object[key], old[key])) return true;
  }
  for (const key in old) {
    if (isIdentity(key) || (ignoresStatus && key === 'status')) continue;
    if (old[key] !== undefined && (object[key] === undefined || !Object.hasOwn(object, key))) return true;
  }
  return false;
}

function isIdentity(key: string): boolean {
  return key === 'metadata' || key === 'apiVersion' || key === 'kind';
}

/**
 * C5: whether writing `object` over `old` would change nothing. The time at which a manager last wrote the same fields
 * does not count.
 */
export function isNoop(object: KubeObject, old: KubeObject): boolean {
  if (differs(object, old, false)) return false;
  const { managedFields, resourceVersion: _a, ...metadata } = object.metadata;
  const { managedFields: oldManagedFields, resourceVersion: _b, ...oldMetadata } = old.metadata;
  return equalJson(metadata, oldMetadata) && sameManagers(managedFields, oldManagedFields);
}

function sameManagers(
  a: readonly ManagedFieldsEntry[] | undefined,
  b: readonly ManagedFieldsEntry[] | undefined,
): boolean {
  const count = a?.length ?? 0;
  if (count !== (b?.length ?? 0)) return false;
  for (let i = 0; i < count; i++) {
    const { time: _a, ...one } = a![i]!;
    const { time: _b, ...other } = b![i]!;
    if (!equalJson(one, other)) return false;
  }
  return true;
}

/** Drops repeated ownerReferences as Kubernetes does, telling so. In place. */
export function dedupeOwnerReferences(metadata: ObjectMeta, warnings: string[]): void {
  const owners = metadata.ownerReferences;
  if (owners === undefined || owners.length < 2) return;
  const unique: OwnerReference[] = [];
  const repeated = new Set<string>();
  for (const owner of owners) {
    if (unique.some((one) => equalJson(one, owner))) repeated.add(owner.uid);
    else unique.push(owner);
  }
  if (repeated.size === 0) return;
  metadata.ownerReferences = unique;
  warnings.push(
    `.metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: ${[...repeated].join(', ')}`,
  );
}
