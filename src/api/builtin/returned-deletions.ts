/**
 * Kinds whose DELETE is answered with the object that is gone, not with a Status (KUBERNETES.md X1; source:
 * ReturnDeletedObject of the stores of Kubernetes' pkg/registry).
 */
const returned: ReadonlySet<string> = new Set([
  '/persistentvolumeclaims',
  '/persistentvolumes',
  '/pods',
  '/podtemplates',
  '/resourcequotas',
  '/serviceaccounts',
  '/services',
  'resource.k8s.io/deviceclasses',
  'resource.k8s.io/devicetaintrules',
  'resource.k8s.io/resourceclaims',
  'resource.k8s.io/resourceclaimtemplates',
  'resource.k8s.io/resourcepoolstatusrequests',
  'resource.k8s.io/resourceslices',
  'storage.k8s.io/csidrivers',
  'storage.k8s.io/csinodes',
  'storage.k8s.io/storageclasses',
  'storage.k8s.io/volumeattachments',
  'storage.k8s.io/volumeattributesclasses',
]);

/** Whether a DELETE that ends an object of this resource is answered with it. */
export function returnsDeleted({
  group,
  resource,
}: {
  readonly group: string;
  readonly resource: string;
}): boolean {
  return returned.has(`${group}/${resource}`);
}
