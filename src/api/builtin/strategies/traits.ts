import { isIPv4, isIPv6 } from 'node:net';
import { dns1123Label, dns1123Subdomain, type NameValidator, pathSegmentName } from '#apimachinery/names.ts';

/**
 * How the registry treats a kind beyond its content (source: AllowCreateOnUpdate, AllowUnconditionalUpdate and the
 * handling of Generation in each strategy of Kubernetes' pkg/registry).
 */

/** Kinds with a generation (KUBERNETES.md C6); the others never show one. */
const withGeneration: ReadonlySet<string> = new Set([
  'pods',
  'podtemplates',
  'replicationcontrollers',
  'daemonsets.apps',
  'deployments.apps',
  'replicasets.apps',
  'statefulsets.apps',
  'cronjobs.batch',
  'jobs.batch',
  'customresourcedefinitions.apiextensions.k8s.io',
  'flowschemas.flowcontrol.apiserver.k8s.io',
  'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io',
  'ingressclasses.networking.k8s.io',
  'ingresses.networking.k8s.io',
  'networkpolicies.networking.k8s.io',
  'poddisruptionbudgets.policy',
  'deviceclasses.resource.k8s.io',
  'devicetaintrules.resource.k8s.io',
  'resourceslices.resource.k8s.io',
  'mutatingadmissionpolicies.admissionregistration.k8s.io',
  'mutatingadmissionpolicybindings.admissionregistration.k8s.io',
  'mutatingwebhookconfigurations.admissionregistration.k8s.io',
  'validatingadmissionpolicies.admissionregistration.k8s.io',
  'validatingadmissionpolicybindings.admissionregistration.k8s.io',
  'validatingwebhookconfigurations.admissionregistration.k8s.io',
]);

/** Kinds whose generation counts otherwise. */
const otherGenerations: { readonly [groupResource: string]: Traits['generation'] } = {
  'csidrivers.storage.k8s.io': 'of-changes',
  'endpointslices.discovery.k8s.io': 'spec-and-labels',
  'priorityclasses.scheduling.k8s.io': 'constant',
};

/** Kinds whose `/status` writes metadata as well, and what of it that leaves alone (PrepareForUpdate of status strategies). */
const statusKeepsMetadata: { readonly [groupResource: string]: readonly ('labels' | 'ownerReferences')[] } = {
  'deployments.apps': ['labels'],
  pods: ['ownerReferences'],
  'certificatesigningrequests.certificates.k8s.io': [],
  'cronjobs.batch': [],
  'customresourcedefinitions.apiextensions.k8s.io': [],
  'daemonsets.apps': [],
  'horizontalpodautoscalers.autoscaling': [],
  'ingresses.networking.k8s.io': [],
  'jobs.batch': [],
  namespaces: [],
  nodes: [],
  persistentvolumeclaims: [],
  persistentvolumes: [],
  'poddisruptionbudgets.policy': [],
  'replicasets.apps': [],
  replicationcontrollers: [],
  resourcequotas: [],
  services: [],
  'statefulsets.apps': [],
};

/** Kinds whose strategies reset other fields than their neighbours do (GetResetFields): of a request nobody owns the spec. */
const unownedFields: { readonly [groupResource: string]: Traits['unownedFields'] } = {
  'certificatesigningrequests.certificates.k8s.io': {
    '': ['spec', 'status'],
    approval: ['spec', 'status.certificate'],
    status: ['spec', 'status.conditions'],
  },
};

/** Kinds whose ValidateUpdate calls ValidateObjectMeta, or does not call ValidateObjectMetaUpdate. */
const metadataLooks: {
  readonly [look in 'whole' | 'twice' | 'whole first' | 'both' | 'none']: ReadonlySet<string>;
} = {
  none: new Set(['events', 'poddisruptionbudgets.policy']),
  whole: new Set([
    'limitranges',
    'endpointslices.discovery.k8s.io',
    'csinodes.storage.k8s.io',
    'volumeattachments.storage.k8s.io',
    'flowschemas.flowcontrol.apiserver.k8s.io',
    'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io',
    'mutatingwebhookconfigurations.admissionregistration.k8s.io',
    'validatingwebhookconfigurations.admissionregistration.k8s.io',
    'validatingadmissionpolicies.admissionregistration.k8s.io',
    'validatingadmissionpolicybindings.admissionregistration.k8s.io',
  ]),
  twice: new Set(['persistentvolumes']),
  'whole first': new Set([
    'namespaces',
    'nodes',
    'jobs.batch',
    'certificatesigningrequests.certificates.k8s.io',
    'ipaddresses.networking.k8s.io',
    'runtimeclasses.node.k8s.io',
    'clusterrolebindings.rbac.authorization.k8s.io',
    'clusterroles.rbac.authorization.k8s.io',
    'rolebindings.rbac.authorization.k8s.io',
    'roles.rbac.authorization.k8s.io',
    'deviceclasses.resource.k8s.io',
    'csistoragecapacities.storage.k8s.io',
    'storageclasses.storage.k8s.io',
  ]),
  both: new Set([
    'configmaps',
    'endpoints',
    'persistentvolumeclaims',
    'pods',
    'secrets',
    'serviceaccounts',
    'controllerrevisions.apps',
    'ingressclasses.networking.k8s.io',
    'ingresses.networking.k8s.io',
    'volumeattributesclasses.storage.k8s.io',
  ]),
};

/** Kinds whose names are validated by ValidateObjectMetaWithOpts, which does not look at generateName. */
const prefixesFree: ReadonlySet<string> = new Set([
  'replicationcontrollers',
  'deviceclasses.resource.k8s.io',
]);

/** KUBERNETES.md C4. */
const createdByUpdate: ReadonlySet<string> = new Set([
  'endpoints',
  'events',
  'events.events.k8s.io',
  'limitranges',
  'services',
  'leases.coordination.k8s.io',
  'leasecandidates.coordination.k8s.io',
  'runtimeclasses.node.k8s.io',
  'clusterrolebindings.rbac.authorization.k8s.io',
  'clusterroles.rbac.authorization.k8s.io',
  'rolebindings.rbac.authorization.k8s.io',
  'roles.rbac.authorization.k8s.io',
]);

/** KUBERNETES.md C3: the few built-ins whose PUT needs a resourceVersion. */
const conditionallyUpdated: ReadonlySet<string> = new Set([
  'clustertrustbundles.certificates.k8s.io',
  'podcertificaterequests.certificates.k8s.io',
  'runtimeclasses.node.k8s.io',
  'storageversionmigrations.storagemigration.k8s.io',
  'poddisruptionbudgets.policy',
  'resourcepoolstatusrequests.resource.k8s.io',
  'storageversions.internal.apiserver.k8s.io',
  'csidrivers.storage.k8s.io',
  'csinodes.storage.k8s.io',
  'csistoragecapacities.storage.k8s.io',
  'volumeattachments.storage.k8s.io',
  'leases.coordination.k8s.io',
  'leasecandidates.coordination.k8s.io',
  'mutatingadmissionpolicies.admissionregistration.k8s.io',
  'mutatingadmissionpolicybindings.admissionregistration.k8s.io',
  'mutatingwebhookconfigurations.admissionregistration.k8s.io',
  'validatingadmissionpolicies.admissionregistration.k8s.io',
  'validatingadmissionpolicybindings.admissionregistration.k8s.io',
  'validatingwebhookconfigurations.admissionregistration.k8s.io',
  'apiservices.apiregistration.k8s.io',
  'customresourcedefinitions.apiextensions.k8s.io',
]);

/** validate.LongName, which tells its limit in bytes. */
function longName(name: string): string[] {
  return dns1123Subdomain(name).map((why) =>
    why.replace(/^(must be no more than \d+) characters$/, '$1 bytes'),
  );
}

const nameValidators: { readonly [groupResource: string]: NameValidator } = {
  namespaces: dns1123Label,
  replicationcontrollers: longName,
  'deviceclasses.resource.k8s.io': longName,
  // A label that may begin with a digit since 1.36 (KEP-5311).
  services: dns1123Label,
  'ipaddresses.networking.k8s.io': canonicalAddress,
  'statefulsets.apps': dns1123Label,
  'clusterrolebindings.rbac.authorization.k8s.io': pathSegmentName,
  'clusterroles.rbac.authorization.k8s.io': pathSegmentName,
  'rolebindings.rbac.authorization.k8s.io': pathSegmentName,
  'roles.rbac.authorization.k8s.io': pathSegmentName,
  // A signer's bundles are named after it, with colons for slashes: `example.com:signer:name`.
  // Kubernetes checks no more than that it fits a path (ValidateCertificateRequestName, ValidatePodDisruptionBudget).
  'certificatesigningrequests.certificates.k8s.io': pathSegmentName,
  'poddisruptionbudgets.policy': pathSegmentName,
  'clustertrustbundles.certificates.k8s.io': (name) =>
    dns1123Subdomain(name.slice(name.lastIndexOf(':') + 1)),
};

/** DELETE keeps dependents unless told otherwise (KUBERNETES.md X4); events are nobody's owners. */
const propagations: { readonly [groupResource: string]: Traits['defaultPropagation'] } = {
  replicationcontrollers: 'Orphan',
  'jobs.batch': 'Orphan',
  events: 'unsupported',
  'events.events.k8s.io': 'unsupported',
};

/** An address as only one text says it: no leading zeros, IPv6 in RFC 5952's form. */
function canonicalAddress(name: string): string[] {
  const plain = name.replace(/(^|\.)0+(?=\d)/g, '$1');
  if (isIPv4(plain)) return plain === name ? [] : ['must not have leading 0s'];
  if (!isIPv6(name) || name.includes('%'))
    return ['must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'];
  const canonical = new URL(`http://[${name}]`).hostname.slice(1, -1);
  return canonical === name ? [] : [`must be in canonical form (${JSON.stringify(canonical)})`];
}

export interface Traits {
  readonly validateName: NameValidator;
  readonly generation: 'spec' | 'none' | 'constant' | 'of-changes' | 'spec-and-labels';
  readonly createOnUpdate: boolean;
  readonly unconditionalUpdate: boolean;
  readonly defaultPropagation: 'Background' | 'Orphan' | 'unsupported';
  readonly keepsStatusOnCreate: boolean;
  readonly statusKeepsMetadata: readonly ('labels' | 'ownerReferences')[] | undefined;
  readonly unownedFields: { readonly [subresource: string]: readonly string[] } | undefined;
  readonly toldAs: { readonly group: string; readonly kind: string } | undefined;
  readonly metadataLooks: 'change' | 'whole' | 'twice' | 'whole first' | 'both' | 'none';
  readonly prefixIsFree: boolean;
  readonly prefixIsName: boolean;
}

export function traitsOf(groupResource: string): Traits {
  return {
    validateName: nameValidators[groupResource] ?? dns1123Subdomain,
    generation: otherGenerations[groupResource] ?? (withGeneration.has(groupResource) ? 'spec' : 'none'),
    createOnUpdate: createdByUpdate.has(groupResource),
    unconditionalUpdate: !conditionallyUpdated.has(groupResource),
    defaultPropagation: propagations[groupResource] ?? 'Background',
    // A kubelet registers its node with what it has (nodeStrategy.PrepareForCreate leaves it).
    keepsStatusOnCreate: groupResource === 'nodes',
    statusKeepsMetadata: statusKeepsMetadata[groupResource],
    unownedFields: unownedFields[groupResource],
    toldAs: groupResource === 'events.events.k8s.io' ? { group: '', kind: 'Event' } : undefined,
    prefixIsFree: prefixesFree.has(groupResource),
    // It is what it is called (ipAddressStrategy: noopNameGenerator).
    prefixIsName: groupResource === 'ipaddresses.networking.k8s.io',
    metadataLooks:
      (['whole', 'twice', 'whole first', 'both', 'none'] as const).find((look) =>
        metadataLooks[look].has(groupResource),
      ) ?? 'change',
  };
}
