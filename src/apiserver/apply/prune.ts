import type { KubeObject } from '#apimachinery/object.ts';
import { appliedFields } from './applied-config.ts';
import { type ApplyType, rootTypeOf } from './apply-type.ts';
import { difference, type FieldSet, intersection, isEmptySet, leaf, union } from './field-set.ts';
import type { Manager } from './managed-fields.ts';
import { withNamedFields } from './named-fields.ts';
import { self } from './path-element.ts';
import { removeFields } from './remove.ts';
import type { ManagedFieldsRequest } from './update-managed-fields.ts';

/** Every object keeps its metadata, whoever owns what in it. */
const metadataMember: FieldSet = { 'f:metadata': { [self]: leaf, 'f:name': leaf } };

/** The name, which no set shows, holds the metadata: members that nobody owns must not go with its last owned one. */
const keptMetadata: FieldSet = { 'f:metadata': leaf };

/**
 * The merged object without what the applier owned by its last apply, does not apply any more, and nobody else owns
 * (KUBERNETES.md P5). Done in the version of the last apply. `managers` are all that own anything now, the applier
 * with its new fields among them.
 */
export function pruneDropped(
  request: ManagedFieldsRequest,
  merged: KubeObject,
  managers: readonly Manager[],
  last: Manager,
  applied: FieldSet,
): KubeObject {
  const otherVersion = request.convert !== undefined && last.apiVersion !== request.apiVersion;
  if (!otherVersion) {
    if (last.fields === applied || isEmptySet(difference(last.fields, applied))) return merged;
    return prune(rootTypeOf(request.schema), request, merged, managers, last);
  }
  const versioned = request.convert?.(merged, last.apiVersion);
  if (versioned === undefined) return merged;
  const pruned = prune(rootTypeOf(versioned.schema), request, versioned.object, managers, last);
  if (pruned === versioned.object) return merged;
  return request.convert?.(pruned, request.apiVersion)?.object ?? merged;
}

function prune(
  type: ApplyType,
  request: ManagedFieldsRequest,
  merged: KubeObject,
  managers: readonly Manager[],
  last: Manager,
): KubeObject {
  const dropped = withNamedFields(type, last.fields);
  const all = withNamedFields(type, appliedFields(type, merged));
  const bare = removeFields(type, merged, dropped) as KubeObject;
  const owned = withOwned(type, request, merged, bare, managers, last.apiVersion);
  const left = union(withNamedFields(type, appliedFields(type, owned)), keptMetadata);
  // Only what the last apply owned may go; what nobody owns was never the applier's to remove.
  return removeFields(type, merged, intersection(difference(all, left), dropped)) as KubeObject;
}

/** The bare object with everything put back that some manager owns, version by version. */
function withOwned(
  type: ApplyType,
  request: ManagedFieldsRequest,
  merged: KubeObject,
  bare: KubeObject,
  managers: readonly Manager[],
  version: string,
): KubeObject {
  const sets = ownedByVersion(request, managers, version);
  const mine = union(sets.get(version) ?? {}, metadataMember);
  sets.delete(version);
  let result = addBack(type, merged, bare, mine);
  for (const [other, owned] of sets) {
    const mergedThere = request.convert?.(merged, other);
    const resultThere = request.convert?.(result, other);
    if (mergedThere === undefined || resultThere === undefined) continue;
    const there = rootTypeOf(mergedThere.schema);
    const added = addBack(there, mergedThere.object, resultThere.object, union(owned, metadataMember));
    result = request.convert?.(added, version)?.object ?? result;
  }
  return result;
}

function addBack(type: ApplyType, merged: KubeObject, bare: KubeObject, owned: FieldSet): KubeObject {
  const all = withNamedFields(type, appliedFields(type, merged));
  const there = withNamedFields(type, appliedFields(type, bare));
  const keep = union(there, withNamedFields(type, owned));
  return removeFields(type, merged, difference(all, keep)) as KubeObject;
}

/** Without a converter all versions name the same paths. */
function ownedByVersion(
  request: ManagedFieldsRequest,
  managers: readonly Manager[],
  version: string,
): Map<string, FieldSet> {
  const sets = new Map<string, FieldSet>();
  for (const manager of managers) {
    const key = request.convert === undefined ? version : manager.apiVersion;
    sets.set(key, union(sets.get(key) ?? {}, manager.fields));
  }
  return sets;
}
