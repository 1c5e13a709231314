/**
 * Short names and categories of built-in resources, which no public document carries
 * (source: ShortNames and Categories of Kubernetes' pkg/registry/<group>/<resource>/storage; KUBERNETES.md D2).
 */
const shortNames: { readonly [groupResource: string]: readonly string[] } = {
  componentstatuses: ['cs'],
  configmaps: ['cm'],
  endpoints: ['ep'],
  events: ['ev'],
  limitranges: ['limits'],
  namespaces: ['ns'],
  nodes: ['no'],
  persistentvolumeclaims: ['pvc'],
  persistentvolumes: ['pv'],
  pods: ['po'],
  replicationcontrollers: ['rc'],
  resourcequotas: ['quota'],
  serviceaccounts: ['sa'],
  services: ['svc'],
  'customresourcedefinitions.apiextensions.k8s.io': ['crd', 'crds'],
  'daemonsets.apps': ['ds'],
  'deployments.apps': ['deploy'],
  'replicasets.apps': ['rs'],
  'statefulsets.apps': ['sts'],
  'horizontalpodautoscalers.autoscaling': ['hpa'],
  'cronjobs.batch': ['cj'],
  'certificatesigningrequests.certificates.k8s.io': ['csr'],
  'events.events.k8s.io': ['ev'],
  'ingresses.networking.k8s.io': ['ing'],
  'ipaddresses.networking.k8s.io': ['ip'],
  'networkpolicies.networking.k8s.io': ['netpol'],
  'poddisruptionbudgets.policy': ['pdb'],
  'priorityclasses.scheduling.k8s.io': ['pc'],
  'storageclasses.storage.k8s.io': ['sc'],
  'volumeattributesclasses.storage.k8s.io': ['vac'],
};

const all = ['all'] as const;
const apiExtensions = ['api-extensions'] as const;

const categories: { readonly [groupResource: string]: readonly string[] } = {
  pods: all,
  replicationcontrollers: all,
  services: all,
  'daemonsets.apps': all,
  'deployments.apps': all,
  'replicasets.apps': all,
  'statefulsets.apps': all,
  'horizontalpodautoscalers.autoscaling': all,
  'cronjobs.batch': all,
  'jobs.batch': all,
  'mutatingadmissionpolicies.admissionregistration.k8s.io': apiExtensions,
  'mutatingadmissionpolicybindings.admissionregistration.k8s.io': apiExtensions,
  'mutatingwebhookconfigurations.admissionregistration.k8s.io': apiExtensions,
  'validatingadmissionpolicies.admissionregistration.k8s.io': apiExtensions,
  'validatingadmissionpolicybindings.admissionregistration.k8s.io': apiExtensions,
  'validatingwebhookconfigurations.admissionregistration.k8s.io': apiExtensions,
  'customresourcedefinitions.apiextensions.k8s.io': apiExtensions,
  'apiservices.apiregistration.k8s.io': apiExtensions,
};

const none: readonly string[] = [];

export interface ResourceNames {
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
}

/** The singular is the lower-case kind for every built-in resource (`endpoints` included, whose kind is Endpoints). */
export function resourceNames(group: string, resource: string, kind: string): ResourceNames {
  const key = group === '' ? resource : `${resource}.${group}`;
  return {
    singular: kind.toLowerCase(),
    shortNames: shortNames[key] ?? none,
    categories: categories[key] ?? none,
  };
}
