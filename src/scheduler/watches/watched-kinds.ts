import type { KubeObject } from '#apimachinery/object.ts';
import { crdsGvr } from '../copies/cell-crds.ts';
import type { WatchedResource } from '../copies/copy-index.ts';
import { keyOf, type ProjectObjectKey } from '../object-key.ts';
import { platformClasses } from '../projection/kinds.ts';
import { watchName } from './resource-watches.ts';

/** Kinds that the scheduler watches for its own sake, whatever policies select. */

export const namespacesResource: WatchedResource = { group: '', version: 'v1', resource: 'namespaces' };
const clusterRolesResource: WatchedResource = {
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  resource: 'clusterroles',
};
export const roleBindingsResource: WatchedResource = { ...clusterRolesResource, resource: 'rolebindings' };
export const clusterRoleBindingsName = 'clusterrolebindings.rbac.authorization.k8s.io';
export const crdsName = watchName(crdsGvr);

/** Classes that projects may bring by CRD; references to them follow the rule for platform classes. */
export const customClasses: readonly WatchedResource[] = [
  { group: 'gateway.networking.k8s.io', version: 'v1', resource: 'gatewayclasses' },
  { group: 'cert-manager.io', version: 'v1', resource: 'clusterissuers' },
  { group: 'snapshot.storage.k8s.io', version: 'v1', resource: 'volumesnapshotclasses' },
];
export const classNames: ReadonlySet<string> = new Set(
  [...platformClasses, clusterRolesResource, ...customClasses].map(watchName),
);

/** What references and mapped namespaces depend on. */
export const alwaysWatched: readonly WatchedResource[] = [
  namespacesResource,
  crdsGvr,
  clusterRolesResource,
  ...platformClasses,
];

const alwaysNames: ReadonlySet<string> = new Set([...alwaysWatched, ...customClasses].map(watchName));

export function isAlwaysWatched(resource: WatchedResource): boolean {
  return alwaysNames.has(watchName(resource));
}

export function pickResource({ group, version, resource }: WatchedResource): WatchedResource {
  return { group, version, resource };
}

/** The key of an object found under `<resource>.<group>`. */
export function keyInWatch(
  watch: string,
  cluster: string,
  { namespace = '', name = '' }: KubeObject['metadata'],
): ProjectObjectKey {
  const dot = watch.indexOf('.');
  return keyOf({ resource: watch.slice(0, dot), group: watch.slice(dot + 1), cluster, namespace, name });
}
