import { copyAnnotations, copyLabels, edgeAnnotations } from '#api/federation/copy-contract.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { Clock } from '#apimachinery/clock.ts';
import { linkedController, retry } from '#apimachinery/lifecycle.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { CollectionRef, KubeClient } from '#client/client.ts';
import { listPages } from '#client/list-pages.ts';
import type { ServedKinds } from '../edge/edge-kinds.ts';
import type { ServedKind } from '../edge/served-kind.ts';
import { toldByWatch } from '../edge/told-by-watch.ts';

const pageSize = 50;
/** Where each of them takes a second, the dozens of kinds are to keep nobody waiting for a minute. */
const watchesMax = 8;
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

/** The objects of a collection, in one of the ways in which an edge tells of them. */
type Telling = (
  edge: NamespaceEdge,
  collection: CollectionRef,
  signal: AbortSignal,
) => AsyncIterable<KubeObject>;

/**
 * What has owners goes and stays with them and does not count. One list at a time, metadata alone, up to one per kind; ends with the
 * first tenant. Where lists tell of nothing, watches are asked as well (decision 228): nothing brings back what goes with a namespace.
 * Throws ApiError when the edge cannot be asked.
 */
export async function contentOf(
  namespace: string,
  edge: NamespaceEdge,
  signal: AbortSignal,
): Promise<NamespaceContent> {
  await patiently(edge, signal, () => edge.kinds.refresh());
  const kinds = kindsIn(edge.kinds);
  let brought: string | undefined;
  for (const kind of kinds) {
    const found = await contentOfKind(kind, namespace, edge, listed, signal);
    if (found.tenant !== undefined) return found;
    brought ??= found.brought;
  }
  return brought === undefined ? contentByWatches(kinds, namespace, edge, signal) : { brought };
}

async function contentByWatches(
  kinds: readonly ServedKind[],
  namespace: string,
  edge: NamespaceEdge,
  signal: AbortSignal,
): Promise<NamespaceContent> {
  let brought: string | undefined;
  for (let at = 0; at < kinds.length; at += watchesMax) {
    const together = linkedController(signal);
    try {
      const found = await Promise.all(
        kinds
          .slice(at, at + watchesMax)
          .map((kind) => contentOfKind(kind, namespace, edge, watched, together.signal)),
      );
      const tenant = found.find((one) => one.tenant !== undefined);
      if (tenant !== undefined) return tenant;
      brought ??= found.find((one) => one.brought !== undefined)?.brought;
    } finally {
      together.abort();
    }
  }
  return { brought };
}

/** One of each resource in which somebody's work may lie. */
function kindsIn(kinds: ServedKinds): ServedKind[] {
  const found = new Map<string, ServedKind>();
  for (const kind of kinds.values()) {
    const id = `${kind.group}/${kind.resource}`;
    if (kind.namespaced && kind.isSyncable && !neverTenants.has(id) && !found.has(id)) found.set(id, kind);
  }
  return [...found.values()];
}

async function contentOfKind(
  { group, version, resource }: ServedKind,
  namespace: string,
  edge: NamespaceEdge,
  telling: Telling,
  signal: AbortSignal,
): Promise<NamespaceContent> {
  const collection = { cluster: undefined, gvr: { group, version, resource }, namespace };
  const nameOf = ({ metadata: { name = '' } }: KubeObject) =>
    `${resource}${group === '' ? '' : `.${group}`}/${name}`;
  const look = async (): Promise<NamespaceContent> => {
    let brought: string | undefined;
    for await (const object of telling(edge, collection, signal)) {
      const whose = whoseIs(object, `${group}/${resource}`, edge.cellUid);
      if (whose === 'tenant') return { tenant: nameOf(object) };
      if (whose === 'brought') brought ??= nameOf(object);
    }
    return { brought };
  };
  try {
    return await patiently(edge, signal, look);
  } catch (error) {
    // Served by nobody who answers, or not for us: nothing can be seen there.
    if (!isApiError(error, 'NotFound', 'Forbidden', 'MethodNotAllowed')) throw error;
    return {};
  }
}

async function* listed(
  { edgeClient }: NamespaceEdge,
  collection: CollectionRef,
  signal: AbortSignal,
): AsyncGenerator<KubeObject, void, undefined> {
  const options = { metadataOnly: true, limit: pageSize, signal };
  for await (const { items } of listPages(edgeClient, collection, options)) yield* items;
}

function watched(
  { edgeClient, clock }: NamespaceEdge,
  collection: CollectionRef,
  signal: AbortSignal,
): AsyncIterable<KubeObject> {
  return toldByWatch(edgeClient, collection, { clock, signal });
}

function patiently<T>({ clock }: NamespaceEdge, signal: AbortSignal, ask: () => Promise<T>): Promise<T> {
  return retry(ask, { retryable: mayPass, attemptsMax, signal, clock, backoff });
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
