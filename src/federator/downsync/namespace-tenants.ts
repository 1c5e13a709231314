import { copyLabels } from '#api/federation/copy-contract.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { listPages } from '#client/list-pages.ts';
import type { ServedKinds } from '../edge/edge-kinds.ts';
import type { ServedKind } from '../edge/served-kind.ts';

const pageSize = 50;
/** Made by the control plane itself in whatever namespace: nobody's work is lost with them. */
const neverTenants: ReadonlySet<string> = new Set([
  '/endpoints',
  '/events',
  'coordination.k8s.io/leases',
  'discovery.k8s.io/endpointslices',
  'events.k8s.io/events',
]);
const madeWithNamespaces: ReadonlySet<string> = new Set([
  '/configmaps kube-root-ca.crt',
  '/configmaps openshift-service-ca.crt',
  '/serviceaccounts default',
]);
const tokenAnnotation = 'kubernetes.io/service-account.name';

/**
 * An object of the edge's own in a namespace that copies made, as `<resource>.<group>/<name>`; undefined when there is
 * none. What has owners goes and stays with them and does not count. One request at a time, metadata alone, up to one per
 * kind. Throws ApiError when the edge cannot be asked.
 */
export async function tenantOf(
  namespace: string,
  edgeClient: KubeClient,
  kinds: ServedKinds,
  signal: AbortSignal,
): Promise<string | undefined> {
  await kinds.refresh();
  const looked = new Set<string>();
  for (const kind of [...kinds.values()]) {
    const id = `${kind.group}/${kind.resource}`;
    if (!kind.namespaced || !kind.isSyncable || neverTenants.has(id) || looked.has(id)) continue;
    looked.add(id);
    const name = await firstTenant(kind, namespace, edgeClient, signal);
    if (name !== undefined) return `${kind.resource}${kind.group === '' ? '' : `.${kind.group}`}/${name}`;
  }
  return undefined;
}

async function firstTenant(
  { group, version, resource }: ServedKind,
  namespace: string,
  edgeClient: KubeClient,
  signal: AbortSignal,
): Promise<string | undefined> {
  const collection = { cluster: undefined, gvr: { group, version, resource }, namespace };
  const labelSelector = `!${copyLabels.originCluster}`;
  const options = { metadataOnly: true, labelSelector, limit: pageSize, signal };
  try {
    for await (const page of listPages(edgeClient, collection, options)) {
      const found = page.items.find((object) => isTenant(object, `${group}/${resource}`));
      if (found !== undefined) return found.metadata.name;
    }
  } catch (error) {
    // Served by nobody who answers, or not for us: nothing can be seen there.
    if (!isApiError(error, 'NotFound', 'Forbidden', 'MethodNotAllowed')) throw error;
  }
  return undefined;
}

function isTenant({ metadata }: KubeObject, id: string): boolean {
  const { name = '', ownerReferences = [], annotations = {}, deletionTimestamp } = metadata;
  if (deletionTimestamp !== undefined || ownerReferences.length > 0) return false;
  if (madeWithNamespaces.has(`${id} ${name}`)) return false;
  return !(id === '/secrets' && annotations[tokenAnnotation] !== undefined);
}
