import { thirdPartyPodSpecs } from '../interpreter/third-party.ts';
import { resourceKey } from './kinds.ts';
import { type FieldPath, parseFieldPath } from './paths.ts';
import {
  allowedRoutes,
  className,
  clusterRoleSelector,
  clusterScopedName,
  confine,
  drop,
  namespaceName,
  namespaceSelector,
  type ReferenceRewrite,
  roleRef,
  subject,
  where,
} from './references.ts';

export interface ReferenceRule {
  readonly path: FieldPath;
  readonly rewrite: ReferenceRewrite;
}

type Rules = readonly (readonly [path: string, rewrite: ReferenceRewrite])[];

const storageClass = className('storage.k8s.io', 'storageclasses');
const volumeAttributesClass = className('storage.k8s.io', 'volumeattributesclasses');
const ingressClass = className('networking.k8s.io', 'ingressclasses');
const gatewayClass = className('gateway.networking.k8s.io', 'gatewayclasses');
const clusterIssuer = className('cert-manager.io', 'clusterissuers');

const under = (prefix: string, rules: Rules): Rules =>
  rules.map(([path, rewrite]) => [`${prefix}.${path}`, rewrite]);

const claimSpec: Rules = [
  ['storageClassName', storageClass],
  ['volumeAttributesClassName', volumeAttributesClass],
  ['volumeName', clusterScopedName('', 'persistentvolumes')],
  ['dataSourceRef.namespace', namespaceName],
];

const affinityTerm: Rules = [
  ['namespaces[]', namespaceName],
  ['namespaceSelector', namespaceSelector],
];

/** Names of ConfigMaps, Secrets, claims and service accounts lie in the pod's own namespace and stay. */
const podSpec: Rules = [
  ...['podAffinity', 'podAntiAffinity'].flatMap((kind) => [
    ...under(`affinity.${kind}.requiredDuringSchedulingIgnoredDuringExecution[]`, affinityTerm),
    ...under(
      `affinity.${kind}.preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm`,
      affinityTerm,
    ),
  ]),
  ['priorityClassName', className('scheduling.k8s.io', 'priorityclasses')],
  ['runtimeClassName', className('node.k8s.io', 'runtimeclasses')],
  ...under('volumes[].ephemeral.volumeClaimTemplate.spec', claimSpec),
];

const podTemplate = under('spec.template.spec', podSpec);

const volumeSecretRefs = [
  'controllerPublishSecretRef',
  'nodeStageSecretRef',
  'nodePublishSecretRef',
  'controllerExpandSecretRef',
  'nodeExpandSecretRef',
];

const webhooks: Rules = [
  ['webhooks[].clientConfig.service.namespace', namespaceName],
  ['webhooks[]', confine('rules')],
];

const policyBinding = (policies: string): Rules => [
  ['spec.policyName', clusterScopedName('admissionregistration.k8s.io', policies)],
  ['spec.paramRef.namespace', namespaceName],
  ['spec.matchResources', confine('resourceRules')],
];

const routeFilters: Rules = [['requestMirror.backendRef.namespace', namespaceName]];

const route: Rules = [
  ['spec.parentRefs[].namespace', namespaceName],
  ['spec.rules[].backendRefs[].namespace', namespaceName],
  ...under('spec.rules[].backendRefs[].filters[]', routeFilters),
  ...under('spec.rules[].filters[]', routeFilters),
];

const listeners: Rules = [
  ['spec.listeners[].tls.certificateRefs[].namespace', namespaceName],
  ['spec.listeners[].tls.frontendValidation.caCertificateRefs[].namespace', namespaceName],
  ['spec.listeners[].allowedRoutes.namespaces', allowedRoutes],
];

const issuer: Rules = [
  ['spec.acme.solvers[].http01.gatewayHTTPRoute.parentRefs[].namespace', namespaceName],
  ['spec.acme.solvers[].http01.ingress.ingressClassName', ingressClass],
  ['spec.acme.solvers[].http01.ingress.class', ingressClass],
  ['spec.vault.auth.kubernetes.serviceAccountRef.namespace', namespaceName],
];

/** By `<resource>.<group>`: where an object names namespaces or cluster-scoped objects. */
const table: { readonly [resource: string]: Rules | undefined } = {
  pods: under('spec', podSpec),
  podtemplates: under('template.spec', podSpec),
  replicationcontrollers: podTemplate,
  'deployments.apps': podTemplate,
  'replicasets.apps': podTemplate,
  'daemonsets.apps': podTemplate,
  'statefulsets.apps': [...podTemplate, ...under('spec.volumeClaimTemplates[].spec', claimSpec)],
  'jobs.batch': podTemplate,
  'cronjobs.batch': under('spec.jobTemplate', podTemplate),
  persistentvolumeclaims: under('spec', claimSpec),
  persistentvolumes: [
    ['spec.storageClassName', storageClass],
    ['spec.volumeAttributesClassName', volumeAttributesClass],
    ['spec.claimRef.namespace', namespaceName],
    ...volumeSecretRefs.map((ref) => [`spec.csi.${ref}.namespace`, namespaceName] as const),
    ...['cephfs', 'rbd', 'iscsi', 'flexVolume', 'scaleIO', 'cinder'].map(
      (source) => [`spec.${source}.secretRef.namespace`, namespaceName] as const,
    ),
    ['spec.azureFile.secretNamespace', namespaceName],
    ['spec.glusterfs.endpointsNamespace', namespaceName],
    ['spec.storageos.secretRef.namespace', namespaceName],
  ],
  'storageclasses.storage.k8s.io': [
    ...[
      'provisioner',
      'controller-publish',
      'node-stage',
      'node-publish',
      'controller-expand',
      'node-expand',
    ].map((step) => [`parameters['csi.storage.k8s.io/${step}-secret-namespace']`, namespaceName] as const),
    ["metadata.annotations['storageclass.kubernetes.io/is-default-class']", drop],
  ],
  'volumesnapshots.snapshot.storage.k8s.io': [
    ['spec.volumeSnapshotClassName', className('snapshot.storage.k8s.io', 'volumesnapshotclasses')],
    [
      'spec.source.volumeSnapshotContentName',
      clusterScopedName('snapshot.storage.k8s.io', 'volumesnapshotcontents'),
    ],
  ],
  'volumesnapshotcontents.snapshot.storage.k8s.io': [
    ['spec.volumeSnapshotRef.namespace', namespaceName],
    ['spec.volumeSnapshotClassName', className('snapshot.storage.k8s.io', 'volumesnapshotclasses')],
  ],
  'ingresses.networking.k8s.io': [
    ['spec.ingressClassName', ingressClass],
    ["metadata.annotations['kubernetes.io/ingress.class']", ingressClass],
    ["metadata.annotations['cert-manager.io/cluster-issuer']", clusterIssuer],
  ],
  'ingressclasses.networking.k8s.io': [
    ['spec.parameters.namespace', namespaceName],
    ["metadata.annotations['ingressclass.kubernetes.io/is-default-class']", drop],
  ],
  'networkpolicies.networking.k8s.io': [
    ['spec.ingress[].from[].namespaceSelector', namespaceSelector],
    ['spec.egress[].to[].namespaceSelector', namespaceSelector],
  ],
  'priorityclasses.scheduling.k8s.io': [['globalDefault', drop]],
  'rolebindings.rbac.authorization.k8s.io': [
    ['subjects[]', subject],
    ['roleRef', roleRef],
  ],
  'clusterrolebindings.rbac.authorization.k8s.io': [
    ['subjects[]', subject],
    ['roleRef', roleRef],
  ],
  'clusterroles.rbac.authorization.k8s.io': [['aggregationRule.clusterRoleSelectors[]', clusterRoleSelector]],
  'mutatingwebhookconfigurations.admissionregistration.k8s.io': webhooks,
  'validatingwebhookconfigurations.admissionregistration.k8s.io': webhooks,
  'validatingadmissionpolicies.admissionregistration.k8s.io': [
    ['spec.matchConstraints', confine('resourceRules')],
  ],
  'mutatingadmissionpolicies.admissionregistration.k8s.io': [
    ['spec.matchConstraints', confine('resourceRules')],
  ],
  'validatingadmissionpolicybindings.admissionregistration.k8s.io': policyBinding(
    'validatingadmissionpolicies',
  ),
  'mutatingadmissionpolicybindings.admissionregistration.k8s.io': policyBinding('mutatingadmissionpolicies'),
  'flowschemas.flowcontrol.apiserver.k8s.io': [
    [
      'spec.priorityLevelConfiguration.name',
      className('flowcontrol.apiserver.k8s.io', 'prioritylevelconfigurations'),
    ],
    ['spec.rules[].subjects[].serviceAccount.namespace', namespaceName],
    ['spec.rules[].resourceRules[].namespaces[]', namespaceName],
  ],
  'gateways.gateway.networking.k8s.io': [
    ['spec.gatewayClassName', gatewayClass],
    ['spec.tls.frontend.default.validation.caCertificateRefs[].namespace', namespaceName],
    ['spec.tls.frontend.perPort[].tls.validation.caCertificateRefs[].namespace', namespaceName],
    ['spec.tls.backend.clientCertificateRef.namespace', namespaceName],
    ['spec.allowedListeners.namespaces', allowedRoutes],
    ...listeners,
  ],
  'listenersets.gateway.networking.k8s.io': [['spec.parentRef.namespace', namespaceName], ...listeners],
  'gatewayclasses.gateway.networking.k8s.io': [['spec.parametersRef.namespace', namespaceName]],
  'httproutes.gateway.networking.k8s.io': route,
  'grpcroutes.gateway.networking.k8s.io': route,
  'tcproutes.gateway.networking.k8s.io': route,
  'tlsroutes.gateway.networking.k8s.io': route,
  'udproutes.gateway.networking.k8s.io': route,
  'referencegrants.gateway.networking.k8s.io': [['spec.from[].namespace', namespaceName]],
  'certificates.cert-manager.io': [['spec.issuerRef.name', where('kind', 'ClusterIssuer', clusterIssuer)]],
  'issuers.cert-manager.io': issuer,
  'clusterissuers.cert-manager.io': issuer,
  'servicemonitors.monitoring.coreos.com': [
    ['spec.namespaceSelector.matchNames[]', namespaceName],
    ['spec.namespaceSelector.any', drop],
  ],
  'podmonitors.monitoring.coreos.com': [
    ['spec.namespaceSelector.matchNames[]', namespaceName],
    ['spec.namespaceSelector.any', drop],
  ],
};

const compiled = new Map<string, readonly ReferenceRule[]>();

/** The rules for one resource; empty when it refers to nothing outside its namespace, or is not known. */
export function referenceRules(group: string, resource: string): readonly ReferenceRule[] {
  const key = resourceKey(group, resource);
  let rules = compiled.get(key);
  if (rules === undefined) {
    rules = (Object.hasOwn(table, key) ? (table[key] ?? []) : []).map(([path, rewrite]) => ({
      path: parseFieldPath(path),
      rewrite,
    }));
    compiled.set(key, rules);
  }
  return rules;
}

/** Where this resource holds a pod's spec; undefined when it holds none. */
export const podSpecPaths: { readonly [resource: string]: string | undefined } = {
  pods: 'spec',
  podtemplates: 'template.spec',
  replicationcontrollers: 'spec.template.spec',
  'deployments.apps': 'spec.template.spec',
  'replicasets.apps': 'spec.template.spec',
  'daemonsets.apps': 'spec.template.spec',
  'statefulsets.apps': 'spec.template.spec',
  'jobs.batch': 'spec.template.spec',
  'cronjobs.batch': 'spec.jobTemplate.spec.template.spec',
  ...thirdPartyPodSpecs,
};
