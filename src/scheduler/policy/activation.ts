import type { PropagationSpec } from '#api/policy/placement.ts';
import type { Activation, ResourceBinding } from '#api/work/resource-binding.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { contentHashOf } from '../projection/content-hash.ts';
import type { PolicyMatch, ResolvedPolicy } from './policy-index.ts';

/** Whether edits of the policy act on an object only when that is edited next (PLACEMENT.md 1, activationPreference). */
export function isLazy({ spec }: ResolvedPolicy): boolean {
  return spec.activationPreference === 'Lazy';
}

/**
 * The policy as it acts on an object: as it was when the object was last edited, which the binding has kept, else as it is.
 * Undefined: the object is placed nowhere, and was not edited since the policy was. Times are those of managedFields, so to
 * the second: what was written in the same second counts as edited after it.
 */
export function activeMatch(
  match: PolicyMatch,
  object: KubeObject,
  present: ResourceBinding | undefined,
): PolicyMatch | undefined {
  const { policy } = match;
  if (!isLazy(policy)) return match;
  if (present === undefined) return isEditedSince(policy, object) ? match : undefined;
  const { activation, policy: owner } = present.spec;
  if (activation === undefined || owner?.uid !== policy.uid) return match;
  if (activation.template !== templateDigest(object)) return match;
  return { ...match, policy: { ...policy, spec: activation.policy as PropagationSpec } };
}

/**
 * An object that was created with nothing in it has no managedFields, and gets none by any later Update, with Kubernetes as
 * here: then its resource version tells, which grows with every write in the one store that both stand in (KEP-5504).
 */
function isEditedSince(
  { editedAt: policyEditedAt = '', writtenIn }: ResolvedPolicy,
  object: KubeObject,
): boolean {
  if (editedAt(object) >= policyEditedAt) return true;
  const { managedFields = [], resourceVersion } = object.metadata;
  if (managedFields.length > 0 || resourceVersion === undefined || writtenIn === undefined) return false;
  return Number(resourceVersion) > Number(writtenIn);
}

/** What the binding keeps of a lazy policy. The same object as before where nothing changed. */
export function activationOf(
  { policy }: PolicyMatch,
  object: KubeObject,
  present: ResourceBinding | undefined,
): Activation | undefined {
  if (!isLazy(policy)) return undefined;
  const template = templateDigest(object);
  const before = present?.spec.activation;
  if (before?.template === template && before.policy === policy.spec) return before;
  return { template, policy: policy.spec };
}

/** Equal while nobody edits the object; its status is not part of it. */
function templateDigest(object: KubeObject): string {
  const { metadata, status: _status, ...content } = object;
  const { labels = {}, annotations = {} } = metadata;
  return contentHashOf({ ...content, labels, annotations });
}

/** When anything but the status was written last; RFC 3339 in whole seconds, as the server writes it. */
export function editedAt({ metadata }: KubeObject): string {
  let latest = metadata.creationTimestamp ?? '';
  for (const { time = '', subresource } of metadata.managedFields ?? [])
    if (subresource !== 'status' && time > latest) latest = time;
  return latest;
}
