import type { ServedResource } from '#apimachinery/scheme.ts';

const none: readonly string[] = [];
const status: readonly string[] = ['status'];
const allButStatus: readonly string[] = ['!status'];

/**
 * What a write through an endpoint resets, in the form that ManagedFieldsRequest takes: the main path of a kind with a
 * status subresource leaves status alone, the status path everything else (KUBERNETES.md C7).
 */
export function resetFieldsOf(
  { definition, version }: ServedResource,
  subresource: string,
): readonly string[] {
  if (subresource === 'status') return allButStatus;
  if (subresource !== '' || definition.strategy.separateStatus === false) return none;
  return version.subresources.some((one) => one.name === 'status') ? status : none;
}
