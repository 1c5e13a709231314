import { clusterPropagationPoliciesGvr, propagationPoliciesGvr } from '#api/policy/group.ts';
import type { PropagationSpec } from '#api/policy/placement.ts';
import { resourceBindingsGvr } from '#api/work/group.ts';
import type { BoundPolicy, ResourceBinding } from '#api/work/resource-binding.ts';
import { parseApiVersion } from '#apimachinery/gvk.ts';
import { isJsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import type { Peers } from '#scheduler/algorithm/decision.ts';
import { AffinityGroups, membershipOf } from '#scheduler/deciding/affinity-groups.ts';
import { boundPartsOf, keyOf } from '#scheduler/object-key.ts';
import type { Unread } from './unread.ts';

/** The policy that a binding names; undefined: gone a moment ago, or not for this user to read. */
export async function readBoundPolicy(
  federationClient: KubeClient,
  projectWorkspace: string,
  { kind, namespace, name, workspace }: BoundPolicy,
  unread: Unread,
): Promise<PropagationSpec | undefined> {
  const gvr = kind === 'PropagationPolicy' ? propagationPoliciesGvr : clusterPropagationPoliciesGvr;
  const cluster = workspace ?? projectWorkspace;
  const object = await unread.or(
    `${kind} ${name} of ${cluster}`,
    () => federationClient.get({ cluster, gvr, namespace, name }),
    undefined,
  );
  return isJsonObject(object?.['spec']) ? (object['spec'] as PropagationSpec) : undefined;
}

/**
 * Where the workloads of the object's groups are (`workloadAffinity`): by the bindings of its namespace, the policies that they
 * name, and the labels of what they bind. Undefined where the policy has none.
 */
export async function readPeers(
  federationClient: KubeClient,
  workspace: string,
  object: KubeObject,
  policy: PropagationSpec | undefined,
  binding: ResourceBinding,
  unread: Unread,
): Promise<Peers | undefined> {
  const { namespace } = object.metadata;
  if (policy?.placement?.workloadAffinity === undefined || namespace === undefined) return undefined;
  const groups = new AffinityGroups();
  const own = boundPartsOf(binding, workspace);
  const membership = membershipOf(policy.placement, own, object.metadata.labels);
  const policies = new Map<string, PropagationSpec | undefined>();
  const { items } = await federationClient.list({ cluster: workspace, gvr: resourceBindingsGvr, namespace });
  for (const other of items as ResourceBinding[]) {
    const { policy: bound, resource, clusters = [], gracefulEvictionTasks = [] } = other.spec;
    if (bound === undefined || keyOf(boundPartsOf(other, workspace)) === keyOf(own)) continue;
    const key = JSON.stringify([bound.workspace, bound.namespace, bound.name]);
    if (!policies.has(key))
      policies.set(key, await readBoundPolicy(federationClient, workspace, bound, unread));
    const placement = policies.get(key)?.placement;
    if (placement?.workloadAffinity === undefined) continue;
    const { group = '', version = '' } = parseApiVersion(resource.apiVersion) ?? {};
    const gvr = { group, version, resource: resource.resource };
    const ref = { cluster: workspace, gvr, namespace, name: resource.name };
    const peer = await unread.or(
      `labels of ${resource.resource}/${resource.name}`,
      () => federationClient.get(ref, { metadataOnly: true }),
      undefined,
    );
    const labels = peer?.metadata.labels;
    const parts = boundPartsOf(other, workspace);
    const cells = [
      ...clusters.map(({ name }) => name),
      ...gracefulEvictionTasks.map(({ fromCluster }) => fromCluster),
    ];
    groups.set(keyOf(parts), membershipOf(placement, parts, labels), cells);
  }
  return groups.peersOf(keyOf(own), membership);
}
