import { returnedFromLabel } from '#api/federation/return-contract.ts';
import type { KubeObject, ObjectMeta } from '#apimachinery/object.ts';

/**
 * Kinds that grant authority or act beyond a namespace: propagated only where a cell's `spec.allow` names them. By
 * resource, since that is what a copy is filed under; `spec.allow` names the kind.
 */
const privilegedResources: ReadonlySet<string> = new Set([
  'roles.rbac.authorization.k8s.io',
  'rolebindings.rbac.authorization.k8s.io',
  'clusterroles.rbac.authorization.k8s.io',
  'clusterrolebindings.rbac.authorization.k8s.io',
  'mutatingwebhookconfigurations.admissionregistration.k8s.io',
  'validatingwebhookconfigurations.admissionregistration.k8s.io',
  'validatingadmissionpolicies.admissionregistration.k8s.io',
  'validatingadmissionpolicybindings.admissionregistration.k8s.io',
  'mutatingadmissionpolicies.admissionregistration.k8s.io',
  'mutatingadmissionpolicybindings.admissionregistration.k8s.io',
  'priorityclasses.scheduling.k8s.io',
  'runtimeclasses.node.k8s.io',
  'ingressclasses.networking.k8s.io',
  'storageclasses.storage.k8s.io',
  'volumeattributesclasses.storage.k8s.io',
  'csidrivers.storage.k8s.io',
  'deviceclasses.resource.k8s.io',
  'devicetaintrules.resource.k8s.io',
  'persistentvolumes',
  'flowschemas.flowcontrol.apiserver.k8s.io',
  'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io',
]);

export const crdResource = 'customresourcedefinitions.apiextensions.k8s.io';

export function resourceKey(group: string, resource: string): string {
  return group === '' ? resource : `${resource}.${group}`;
}

export function isPrivilegedResource(group: string, resource: string): boolean {
  return privilegedResources.has(resourceKey(group, resource));
}

/** Cluster-wide by its kind's nature, yet the platform's rather than the project's: see `className` references. */
export const platformClasses = [
  { group: 'storage.k8s.io', version: 'v1', resource: 'storageclasses' },
  { group: 'networking.k8s.io', version: 'v1', resource: 'ingressclasses' },
  { group: 'scheduling.k8s.io', version: 'v1', resource: 'priorityclasses' },
  { group: 'node.k8s.io', version: 'v1', resource: 'runtimeclasses' },
] as const;

/** As far as the metadata tells; see `isPropagatedObject` for the rest. */
export function isPropagatedMetadata(group: string, resource: string, metadata: ObjectMeta): boolean {
  const { namespace = '', name = '', ownerReferences, labels } = metadata;
  // What came back from an edge is not sent there again.
  if (labels?.[returnedFromLabel] !== undefined) return false;
  if (namespace.startsWith('kube-')) return false;
  if (group === '') {
    if (resource === 'namespaces' && name.startsWith('kube-')) return false;
    if (resource === 'configmaps' && name === 'kube-root-ca.crt') return false;
    if (resource === 'serviceaccounts' && name === 'default') return false;
    if (resource === 'services' && name === 'kubernetes' && namespace === 'default') return false;
    if (resource === 'pods' && hasController(ownerReferences)) return false;
  }
  if (group === 'apps' && resource === 'replicasets' && hasController(ownerReferences)) return false;
  if (group === 'rbac.authorization.k8s.io') {
    if (labels?.['kubernetes.io/bootstrapping'] === 'rbac-defaults' || name.startsWith('system:'))
      return false;
  }
  return true;
}

function hasController(references: ObjectMeta['ownerReferences']): boolean {
  return references?.some(({ controller }) => controller === true) ?? false;
}

/** What only the body tells: Secrets that hold a service account's token stay at home. */
export function isPropagatedObject(object: KubeObject): boolean {
  return !(
    object.kind === 'Secret' &&
    object.apiVersion === 'v1' &&
    object['type'] === 'kubernetes.io/service-account-token'
  );
}
