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

/** What stands in a namespace that copies made, each as `<resource>.<group>/<name>`. */
export interface NamespaceContent {
  /** An object of the edge's own, or one that copies were to leave there; undefined when there is none. */
  readonly tenant?: string | undefined;
  /** One that a copy of the cell has brought, and that has not gone by itself yet; undefined when there is none. */
  readonly brought?: string | undefined;
}

/**
 * What has owners goes and stays with them and does not count. One request at a time, metadata alone, up to one per kind; ends with
 * the first tenant. Throws ApiError when the edge cannot be asked.
 */
export async function contentOf(
  namespace: string,
  { edgeClient, kinds, clock, cellUid }: NamespaceEdge,
  signal: AbortSignal,
): Promise<NamespaceContent> {
  const patiently = <T>(ask: () => Promise<T>): Promise<T> =>
    retry(ask, { retryable: mayPass, attemptsMax, signal, clock, backoff });
  await patiently(() => kinds.refresh());
  const looked = new Set<string>();
  let brought: string | undefined;
  for (const kind of [...kinds.values()]) {
    const id = `${kind.group}/${kind.resource}`;
    if (!kind.namespaced || !kind.isSyncable || neverTenants.has(id) || looked.has(id)) continue;
    looked.add(id);
    const found = await patiently(() => contentOfKind(kind, namespace, { edgeClient, cellUid }, signal));
    const nameOf = (name: string) => `${kind.resource}${kind.group === '' ? '' : `.${kind.group}`}/${name}`;
    if (found.tenant !== undefined) return { tenant: nameOf(found.tenant) };
    if (found.brought !== undefined) brought ??= nameOf(found.brought);
  }
  return { brought };
}

async function contentOfKind(
  { group, version, resource }: ServedKind,
  namespace: string,
  { edgeClient, cellUid }: Pick<NamespaceEdge, 'edgeClient' | 'cellUid'>,
  signal: AbortSignal,
): Promise<NamespaceContent> {
  let brought: string | undefined;
  const collection = { cluster: undefined, gvr: { group, version, resource }, namespace };
  const options = { metadataOnly: true, limit: pageSize, signal };
  try {
    for await (const page of listPages(edgeClient, collection, options)) {
      for (const object of page.items) {
        const { name = '' } = object.metadata;
        const whose = whoseIs(object, `${group}/${resource}`, cellUid);
        if (whose === 'tenant') return { tenant: name };
        if (whose === 'brought') brought ??= name;
      }
    }
  } catch (error) {
    // Served by nobody who answers, or not for us: nothing can be seen there.
    if (!isApiError(error, 'NotFound', 'Forbidden', 'MethodNotAllowed')) throw error;
  }
  return { brought };
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

function whoseIs({ metadata }: KubeObject, id: string, cellUid: string): keyof NamespaceContent | undefined {
  const { name = '', ownerReferences = [], annotations = {}, labels = {}, deletionTimestamp } = metadata;
  if (deletionTimestamp !== undefined || ownerReferences.length > 0) return undefined;
  if (labels[copyLabels.originCluster] !== undefined) {
    const broughtFor = annotations[edgeAnnotations.cellUid];
    // A controller's, which copies the labels of what it is made for, and goes with it.
    if (broughtFor === undefined) return undefined;
    const isLeft = annotations[copyAnnotations.deletionPolicy] === 'Orphan' || broughtFor !== cellUid;
    return isLeft ? 'tenant' : 'brought';
  }
  if (madeWithNamespaces.has(`${id} ${name}`)) return undefined;
  return id === '/secrets' && annotations[tokenAnnotation] !== undefined ? undefined : 'tenant';
}
