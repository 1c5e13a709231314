import type { PropagationSpec } from '#api/policy/placement.ts';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeClient } from '#client/client.ts';
import type { Unread } from './unread.ts';

const priorityClassesGvr = {
  group: 'scheduling.k8s.io',
  version: 'v1',
  resource: 'priorityclasses',
} as const;

/** The PriorityClass that a decision would wait for; undefined where none is named, it is there, or was when the binding was written. */
export function readMissingPriorityClass(
  federationClient: KubeClient,
  workspace: string,
  policy: PropagationSpec | undefined,
  binding: ResourceBinding,
  unread: Unread,
): Promise<string | undefined> {
  const { priorityClassSource, priorityClassName: name = '' } = policy?.schedulePriority ?? {};
  if (priorityClassSource !== 'KubePriorityClass' || binding.spec.schedulePriority !== undefined)
    return Promise.resolve(undefined);
  return unread.or(
    `PriorityClass ${name}`,
    async () => {
      try {
        await federationClient.get({ cluster: workspace, gvr: priorityClassesGvr, name });
        return undefined;
      } catch (error) {
        if (isApiError(error, 'NotFound')) return name;
        throw error;
      }
    },
    undefined,
  );
}
