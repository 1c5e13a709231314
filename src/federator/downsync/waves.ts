import type { ObjectPlace } from '../cell/copy-keys.ts';

/**
 * Waves in which much is brought to an edge at once: what others refer to first. It is an order, not a barrier: what comes
 * too early is put right by the edge's own controllers, and one object that fails holds no wave up. Only CRDs and namespaces
 * are waited for (Edge.sync).
 */
const waves: readonly (readonly string[])[] = [
  ['customresourcedefinitions.apiextensions.k8s.io'],
  ['namespaces'],
  [
    'configmaps',
    'limitranges',
    'networkpolicies.networking.k8s.io',
    'persistentvolumeclaims',
    'persistentvolumes',
    'priorityclasses.scheduling.k8s.io',
    'resourcequotas',
    'rolebindings.rbac.authorization.k8s.io',
    'clusterrolebindings.rbac.authorization.k8s.io',
    'clusterroles.rbac.authorization.k8s.io',
    'roles.rbac.authorization.k8s.io',
    'runtimeclasses.node.k8s.io',
    'secrets',
    'serviceaccounts',
    'storageclasses.storage.k8s.io',
  ],
  ['services', 'endpoints', 'endpointslices.discovery.k8s.io'],
  [
    'cronjobs.batch',
    'daemonsets.apps',
    'deployments.apps',
    'jobs.batch',
    'pods',
    'replicasets.apps',
    'replicationcontrollers',
    'statefulsets.apps',
  ],
];

const waveOf = new Map(waves.flatMap((kinds, wave) => kinds.map((kind): [string, number] => [kind, wave])));
/** Autoscalers, routes, webhooks, custom resources: what acts on the others. */
const last = waves.length;

/**
 * Priority, below all that somebody changes just now, of one of many objects that are brought to an edge; `isWithdrawn`: or
 * taken away, which goes the other way round.
 */
export function wavePriority(place: Pick<ObjectPlace, 'group' | 'resource'>, isWithdrawn: boolean): number {
  const { group, resource } = place;
  const wave = waveOf.get(group === '' ? resource : `${resource}.${group}`) ?? last;
  return isWithdrawn ? wave - last - 1 : -1 - wave;
}
