import { ApiError, conflict, uidMismatch } from '#apimachinery/api-error.ts';
import { invalid, invalidObject } from '#apimachinery/field-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { Target } from './target.ts';

/** C3: a stale resourceVersion or another uid is a conflict; none at all only where the kind allows it. */
export function checkIdentity(
  proposed: KubeObject,
  old: KubeObject,
  { served: { definition }, name }: Target,
  uidIsContent: boolean,
): void {
  const { uid, resourceVersion } = proposed.metadata;
  if (!uidIsContent && uid !== undefined && uid !== '' && uid !== old.metadata.uid) {
    throw conflict(definition, name, uidMismatch(uid, old.metadata.uid));
  }
  if (resourceVersion === undefined || resourceVersion === '' || resourceVersion === '0') {
    if (definition.strategy.unconditionalUpdate ?? definition.origin !== 'custom') return;
    // By its resource, as generic registry.Store.Update has it, not by its kind.
    throw invalidObject({ group: definition.group, kind: definition.resource }, name, [
      { ...invalid('metadata.resourceVersion', 0, 'must be specified for an update') },
    ]);
  }
  if (resourceVersion !== old.metadata.resourceVersion) throw conflict(definition, name);
}

/** Whether a text says a revision: what says none is passed over in a new object (etcd3 store.Create). */
export const isRevision = (text: string | undefined): boolean => /^0*[1-9]\d*$/.test(text ?? '');

const uint64Max = '18446744073709551615';

/** Whether a text that is given for a revision is none, nor the want of one. */
export function isNoRevision(text = ''): boolean {
  return text !== '' && (!/^\d{1,20}$/.test(text) || (text.length === 20 && text > uint64Max));
}

/** C1: what does not exist yet has no revision; told when all else about it is right (etcd3 store.Create). */
export function revisionOfNew(): ApiError {
  return new ApiError('InternalError', 'resourceVersion should not be set on objects to be created');
}
