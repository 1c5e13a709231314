import { copyAnnotations, copyLabels, edgeAnnotations } from '#api/federation/copy-contract.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { Clock } from '#apimachinery/clock.ts';
import { retry } from '#apimachinery/lifecycle.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { listPages } from '#client/list-pages.ts';
import type { ServedKinds } from '../edge/edge-kinds.ts';
import type { ServedKind } from '../edge/served-kind.ts';

const pageSize = 50;
/**
 * A look asks once for each kind, some dozens of times in all, and says nothing unless all of them are answered: where one call of
 * seven fails, hardly any look would ever come to its end if it began anew each time.
 */
const attemptsMax = 5;
const backoff = { minMs: 100, maxMs: 1_000 };
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

export interface NamespaceEdge {
  readonly edgeClient: KubeClient;
  readonly kinds: ServedKinds;
  readonly clock: Clock;
  /** uid of our Cell. */
  readonly cellUid: string;
}

/**
 * An object of the edge's own in a namespace that copies made, or one that copies were to leave there, as
 * `<resource>.<group>/<name>`; undefined when there is none. What has owners goes and stays with them and does not count. One request at a time, metadata alone, up to one per
 * kind. Throws ApiError when the edge cannot be asked.
 */
export async function tenantOf(
  namespace: string,
  { edgeClient, kinds, clock, cellUid }: NamespaceEdge,
  signal: AbortSignal,
): Promise<string | undefined> {
  const patiently = <T>(ask: () => Promise<T>): Promise<T> =>
    retry(ask, { retryable: mayPass, attemptsMax, signal, clock, backoff });
  await patiently(() => kinds.refresh());
  const looked = new Set<string>();
  for (const kind of [...kinds.values()]) {
    const id = `${kind.group}/${kind.resource}`;
    if (!kind.namespaced || !kind.isSyncable || neverTenants.has(id) || looked.has(id)) continue;
    looked.add(id);
    const name = await patiently(() => firstTenant(kind, namespace, { edgeClient, cellUid }, signal));
    if (name !== undefined) return `${kind.resource}${kind.group === '' ? '' : `.${kind.group}`}/${name}`;
  }
  return undefined;
}

async function firstTenant(
  { group, version, resource }: ServedKind,
  namespace: string,
  { edgeClient, cellUid }: Pick<NamespaceEdge, 'edgeClient' | 'cellUid'>,
  signal: AbortSignal,
): Promise<string | undefined> {
  const collection = { cluster: undefined, gvr: { group, version, resource }, namespace };
  const options = { metadataOnly: true, limit: pageSize, signal };
  try {
    for await (const page of listPages(edgeClient, collection, options)) {
      const found = page.items.find((object) => isTenant(object, `${group}/${resource}`, cellUid));
      if (found !== undefined) return found.metadata.name;
    }
  } catch (error) {
    // Served by nobody who answers, or not for us: nothing can be seen there.
    if (!isApiError(error, 'NotFound', 'Forbidden', 'MethodNotAllowed')) throw error;
  }
  return undefined;
}

/** The edge, or the way there, is busy or broken just now. */
function mayPass(error: unknown): boolean {
  return isApiError(
    error,
    'InternalError',
    'ServerTimeout',
    'ServiceUnavailable',
    'Timeout',
    'TooManyRequests',
  );
}

function isTenant({ metadata }: KubeObject, id: string, cellUid: string): boolean {
  const { name = '', ownerReferences = [], annotations = {}, labels = {}, deletionTimestamp } = metadata;
  if (deletionTimestamp !== undefined || ownerReferences.length > 0) return false;
  if (labels[copyLabels.originCluster] !== undefined) {
    // What a copy has brought goes with it; what was to stay, or is another Cell's, does not.
    const { [edgeAnnotations.cellUid]: broughtFor = cellUid } = annotations;
    return annotations[copyAnnotations.deletionPolicy] === 'Orphan' || broughtFor !== cellUid;
  }
  if (madeWithNamespaces.has(`${id} ${name}`)) return false;
  return !(id === '/secrets' && annotations[tokenAnnotation] !== undefined);
}
