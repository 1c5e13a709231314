/** [deprecated in 1.x, unavailable in 1.x, replacement]; source: APILifecycle* of the Go types, release 1.36. */
type Lifecycle = readonly [deprecated: number, removed: number | undefined, replacement?: string];

const lifecycles: { readonly [versionKind: string]: Lifecycle } = {
  'v1 ComponentStatus': [19, undefined],
  'v1 Endpoints': [33, undefined, 'discovery.k8s.io/v1 EndpointSlice'],
  'admissionregistration.k8s.io/v1alpha1 MutatingAdmissionPolicy': [35, 38],
  'admissionregistration.k8s.io/v1alpha1 MutatingAdmissionPolicyBinding': [35, 38],
  'certificates.k8s.io/v1alpha1 ClusterTrustBundle': [34, 37],
  'coordination.k8s.io/v1alpha2 LeaseCandidate': [35, 38],
  'coordination.k8s.io/v1beta1 LeaseCandidate': [36, 39],
  'networking.k8s.io/v1beta1 IPAddress': [34, 37],
  'networking.k8s.io/v1beta1 ServiceCIDR': [34, 37],
  'resource.k8s.io/v1alpha3 DeviceTaintRule': [36, 39],
  'resource.k8s.io/v1beta1 DeviceClass': [35, 38],
  'resource.k8s.io/v1beta1 ResourceClaim': [35, 38],
  'resource.k8s.io/v1beta1 ResourceClaimTemplate': [35, 38],
  'resource.k8s.io/v1beta1 ResourceSlice': [35, 38],
  'resource.k8s.io/v1beta2 DeviceClass': [36, 39],
  'resource.k8s.io/v1beta2 ResourceClaim': [36, 39],
  'resource.k8s.io/v1beta2 ResourceClaimTemplate': [36, 39],
  'resource.k8s.io/v1beta2 ResourceSlice': [36, 39],
  'storage.k8s.io/v1beta1 VolumeAttributesClass': [34, 37, 'storage.k8s.io/v1 VolumeAttributesClass'],
};

/** The Warning text for a use of a deprecated version, in the words of apiserver's deprecation.WarningMessage. */
export function deprecationWarningOf(group: string, version: string, kind: string): string | undefined {
  const name = `${group === '' ? version : `${group}/${version}`} ${kind}`;
  const lifecycle = lifecycles[name];
  if (lifecycle === undefined) return undefined;
  const [deprecated, removed, replacement] = lifecycle;
  const unavailable = removed === undefined ? '' : `, unavailable in v1.${removed}+`;
  const instead = replacement === undefined ? '' : `; use ${replacement}`;
  return `${name} is deprecated in v1.${deprecated}+${unavailable}${instead}`;
}

/** The release (`1.38`) from which on kube-apiserver no longer serves the version; undefined when none is known. */
export function removedReleaseOf(group: string, version: string, kind: string): string | undefined {
  const removed = lifecycles[`${group === '' ? version : `${group}/${version}`} ${kind}`]?.[1];
  return removed === undefined ? undefined : `1.${removed}`;
}
