import { isCrd } from '#api/apiextensions/crd.ts';
import { edgeVersionOf } from '#api/federation/edge-versions.ts';
import type { JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';

/** A resource that an API server serves, in one version. */
export interface ServedKind {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly hasStatus: boolean;
  /** It can be listed, watched, applied and deleted: what cannot holds nothing of ours. */
  readonly isSyncable: boolean;
}

const syncVerbs = ['list', 'watch', 'patch', 'delete'];

/** `ServedKind.isSyncable` of the verbs that discovery tells. */
export function isSyncable(verbs: readonly unknown[]): boolean {
  return syncVerbs.every((verb) => verbs.includes(verb));
}

/**
 * Whether the edge's status goes to the copy. A definition is served in the cell workspace by what its status says there: that
 * is the API server's to write, and an edge's may not end it; what the edge makes of it is told as a sync error.
 */
export function bringsStatus(kind: ServedKind): boolean {
  return kind.hasStatus && !isCrd(kind);
}

/** The status of an object of the edge as it goes to the copy, which may be in another version. */
export function statusOf(
  { group, version, resource }: ServedKind,
  object: KubeObject,
): JsonValue | undefined {
  const converted = edgeVersionOf(group, version, resource);
  return converted === undefined ? object['status'] : converted.statusOf(object);
}
