import type { GroupResource } from '#apimachinery/gvk.ts';
import { isInert } from '../registry/target.ts';
import type { AdmissionAttributes, AdmissionOperation } from './admission.ts';

/** Whether the request does this to objects of the kind themselves (no subresource), where the kind is not inert. */
export function concerns(
  { context, operation }: AdmissionAttributes,
  wanted: AdmissionOperation,
  { group, resource }: GroupResource,
): boolean {
  const { served, workspace, subresource } = context;
  if (operation !== wanted || subresource !== '' || workspace === undefined) return false;
  const { definition } = served;
  return definition.resource === resource && definition.group === group && !isInert(workspace, definition);
}

export const pods: GroupResource = { group: '', resource: 'pods' };
