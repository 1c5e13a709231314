import { clusterPropagationPoliciesGvr, propagationPoliciesGvr } from '#api/policy/group.ts';
import type { PropagationPolicy } from '#api/policy/propagation-policy.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { matchSelectors, specificity } from '#scheduler/policy/select-resource.ts';

/** The policies of the workspace that could select objects of the namespace, as far as they may be read. */
export async function readPolicies(
  federationClient: KubeClient,
  workspace: string,
  namespace: string | undefined,
): Promise<PropagationPolicy[]> {
  const lists = await Promise.all([
    namespace === undefined
      ? []
      : readable(federationClient.list({ cluster: workspace, gvr: propagationPoliciesGvr, namespace })),
    readable(federationClient.list({ cluster: workspace, gvr: clusterPropagationPoliciesGvr })),
  ]);
  return lists.flat() as PropagationPolicy[];
}

async function readable(list: ReturnType<KubeClient['list']>): Promise<readonly KubeObject[]> {
  try {
    return (await list).items;
  } catch (error) {
    if (!isApiError(error, 'Forbidden')) throw error;
    return [];
  }
}

/** Why an object has no binding. */
export function withoutBindingText(
  object: KubeObject,
  workspace: string,
  policies: readonly PropagationPolicy[],
): string {
  const { apiVersion, kind, metadata } = object;
  const { name = '', namespace = '', labels } = metadata;
  const selecting = policies.filter(
    ({ spec }) =>
      matchSelectors(spec.resourceSelectors ?? [], { apiVersion, kind, namespace, name, labels }) !==
      specificity.none,
  );
  const policy = selecting.find(({ spec }) => spec.activationPreference !== 'Lazy') ?? selecting[0];
  if (policy === undefined) {
    const own = namespace === '' ? '' : '; a PropagationPolicy selects in its own namespace alone';
    return `no policy in ${workspace} selects it${own} (or the scheduler has not seen it yet)`;
  }
  const selects = `${namespaced(policy)} ${policy.metadata.name} selects it`;
  return policy.spec.activationPreference === 'Lazy'
    ? `${selects}, and is Lazy: it acts when the object is edited next (anything but its status)`
    : `${selects}, but the scheduler has not seen it yet, or objects of its sort are never taken to cells (docs/copies.md)`;
}

function namespaced({ metadata: { namespace } }: PropagationPolicy): string {
  return namespace === undefined ? 'ClusterPropagationPolicy' : 'PropagationPolicy';
}
