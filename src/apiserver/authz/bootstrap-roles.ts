import type { KubeObject } from '#apimachinery/object.ts';
import { allAuthenticated, allUnauthenticated, systemMasters } from '../request/user.ts';
import { type PolicyRule, rbacGroup } from './policy-rule.ts';

/**
 * The roles and bindings that Kubernetes finds or makes in every cluster (KUBERNETES.md U4), as far as their subjects
 * exist here, with kcp's `system:kcp:workspace:access`. They hold in every workspace without lying in its storage; an
 * object that a workspace stores under the same name takes the shared one's place.
 */

const read = ['get', 'list', 'watch'];
const write = ['create', 'delete', 'deletecollection', 'patch', 'update'];
const readWrite = [...write, ...read].sort();
/** Events are the same objects in both. */
const eventGroups = ['', 'events.k8s.io'];

export const aggregateLabelPrefix = `${rbacGroup}/aggregate-to-`;
const aggregateLabel = (role: string): string => `${aggregateLabelPrefix}${role}`;

const apps = [
  'controllerrevisions',
  'daemonsets',
  'daemonsets/status',
  'deployments',
  'deployments/scale',
  'deployments/status',
  'replicasets',
  'replicasets/scale',
  'replicasets/status',
  'statefulsets',
  'statefulsets/scale',
  'statefulsets/status',
];
const clusterPolicies = ['clusteroverridepolicies', 'clusterpropagationpolicies'];
const projectPolicies = ['overridepolicies', 'propagationpolicies'];

const viewRules: PolicyRule[] = [
  resources(read, '', [
    'configmaps',
    'endpoints',
    'persistentvolumeclaims',
    'persistentvolumeclaims/status',
    'pods',
    'replicationcontrollers',
    'replicationcontrollers/scale',
    'serviceaccounts',
    'services',
    'services/status',
  ]),
  resources(read, '', [
    'bindings',
    'limitranges',
    'namespaces/status',
    'pods/log',
    'pods/status',
    'replicationcontrollers/status',
    'resourcequotas',
    'resourcequotas/status',
  ]),
  resources(read, '', ['namespaces']),
  { verbs: read, apiGroups: eventGroups, resources: ['events'] },
  resources(read, 'discovery.k8s.io', ['endpointslices']),
  resources(read, 'apps', apps),
  resources(read, 'autoscaling', ['horizontalpodautoscalers', 'horizontalpodautoscalers/status']),
  resources(read, 'batch', ['cronjobs', 'cronjobs/status', 'jobs', 'jobs/status']),
  resources(read, 'policy', ['poddisruptionbudgets', 'poddisruptionbudgets/status']),
  resources(read, 'extensions', [
    'daemonsets',
    'daemonsets/status',
    'deployments',
    'deployments/scale',
    'deployments/status',
    'ingresses',
    'ingresses/status',
    'networkpolicies',
    'replicasets',
    'replicasets/scale',
    'replicasets/status',
    'replicationcontrollers/scale',
  ]),
  resources(read, 'networking.k8s.io', ['ingresses', 'ingresses/status', 'networkpolicies']),
  resources(read, 'resource.k8s.io', ['resourceclaims', 'resourceclaims/status', 'resourceclaimtemplates']),
];

const editRules: PolicyRule[] = [
  resources(read, '', [
    'pods/attach',
    'pods/exec',
    'pods/portforward',
    'pods/proxy',
    'secrets',
    'services/proxy',
  ]),
  resources(['impersonate'], '', ['serviceaccounts']),
  resources(write, '', ['pods', 'pods/attach', 'pods/exec', 'pods/portforward', 'pods/proxy']),
  resources(['create'], '', ['pods/eviction']),
  resources(write, '', [
    'configmaps',
    'persistentvolumeclaims',
    'replicationcontrollers',
    'replicationcontrollers/scale',
    'secrets',
    'serviceaccounts',
    'services',
    'services/proxy',
  ]),
  resources(['create'], '', ['serviceaccounts/token']),
  { verbs: write, apiGroups: eventGroups, resources: ['events'] },
  resources(write, 'apps', [
    'daemonsets',
    'deployments',
    'deployments/rollback',
    'deployments/scale',
    'replicasets',
    'replicasets/scale',
    'statefulsets',
    'statefulsets/scale',
  ]),
  resources(write, 'autoscaling', ['horizontalpodautoscalers']),
  resources(write, 'batch', ['cronjobs', 'jobs']),
  resources(write, 'policy', ['poddisruptionbudgets']),
  resources(write, 'extensions', [
    'daemonsets',
    'deployments',
    'deployments/rollback',
    'deployments/scale',
    'ingresses',
    'networkpolicies',
    'replicasets',
    'replicasets/scale',
    'replicationcontrollers/scale',
  ]),
  resources(write, 'networking.k8s.io', ['ingresses', 'networkpolicies']),
  resources(readWrite, 'coordination.k8s.io', ['leases']),
  resources(write, 'resource.k8s.io', ['resourceclaims', 'resourceclaimtemplates']),
];

/**
 * Our kinds: who may edit a namespace may say where its objects go; what concerns the whole project is its
 * administrator's; only the scheduler writes bindings. TemplateRevisions hold copies of Secrets and are nobody's.
 */
const federationViewRules: PolicyRule[] = [
  resources(read, 'policy.karmada.io', [
    ...projectPolicies,
    ...clusterPolicies,
    'federatedresourcequotas',
    'federatedresourcequotas/status',
  ]),
  resources(read, 'work.karmada.io', [
    'clusterresourcebindings',
    'clusterresourcebindings/status',
    'resourcebindings',
    'resourcebindings/status',
  ]),
  resources(read, 'apps.karmada.io', ['workloadrebalancers', 'workloadrebalancers/status']),
  resources(read, 'config.karmada.io', ['resourceinterpretercustomizations']),
  resources(read, 'federation.cellplane.io', ['cells']),
];
const federationEditRules: PolicyRule[] = [
  resources(write, 'policy.karmada.io', projectPolicies),
  resources(write, 'apps.karmada.io', ['workloadrebalancers']),
];
const federationAdminRules: PolicyRule[] = [
  resources(write, 'policy.karmada.io', clusterPolicies),
  resources(write, 'config.karmada.io', ['resourceinterpretercustomizations']),
];

const adminRules: PolicyRule[] = [
  resources(['create'], 'authorization.k8s.io', ['localsubjectaccessreviews']),
  resources(readWrite, rbacGroup, ['rolebindings', 'roles']),
];

/** What the aggregation controller would gather from the shared roles alone. */
const viewAll = [...federationViewRules, ...viewRules];
const editAll = [...federationEditRules, ...editRules, ...viewAll];
const adminAll = [...federationAdminRules, ...adminRules, ...editAll];

export const workspaceAccessRole = 'system:kcp:workspace:access';

export const bootstrapClusterRoles: readonly KubeObject[] = [
  clusterRole('cluster-admin', [resources(['*'], '*', ['*']), { verbs: ['*'], nonResourceURLs: ['*'] }]),
  aggregatedRole('admin', adminAll, []),
  aggregatedRole('edit', editAll, ['admin']),
  aggregatedRole('view', viewAll, ['edit']),
  clusterRole('system:aggregate-to-admin', adminRules, ['admin']),
  clusterRole('system:aggregate-to-edit', editRules, ['edit']),
  clusterRole('system:aggregate-to-view', viewRules, ['view']),
  clusterRole('system:cellplane:aggregate-to-admin', federationAdminRules, ['admin']),
  clusterRole('system:cellplane:aggregate-to-edit', federationEditRules, ['edit']),
  clusterRole('system:cellplane:aggregate-to-view', federationViewRules, ['view']),
  clusterRole('system:discovery', [
    urls(
      '/api',
      '/api/*',
      '/apis',
      '/apis/*',
      '/healthz',
      '/livez',
      '/openapi',
      '/openapi/*',
      '/readyz',
      '/version',
      '/version/',
    ),
  ]),
  clusterRole('system:public-info-viewer', [urls('/healthz', '/livez', '/readyz', '/version', '/version/')]),
  clusterRole('system:basic-user', [
    resources(['create'], 'authorization.k8s.io', ['selfsubjectaccessreviews', 'selfsubjectrulesreviews']),
    resources(['create'], 'authentication.k8s.io', ['selfsubjectreviews']),
  ]),
  clusterRole('system:service-account-issuer-discovery', [
    urls(
      '/.well-known/openid-configuration',
      '/.well-known/openid-configuration/',
      '/openid/v1/jwks',
      '/openid/v1/jwks/',
    ),
  ]),
  clusterRole('system:auth-delegator', [
    resources(['create'], 'authentication.k8s.io', ['tokenreviews']),
    resources(['create'], 'authorization.k8s.io', ['subjectaccessreviews']),
  ]),
  clusterRole('system:monitoring', [
    urls(
      '/flagz',
      '/healthz',
      '/healthz/*',
      '/livez',
      '/livez/*',
      '/metrics',
      '/metrics/slis',
      '/readyz',
      '/readyz/*',
      '/statusz',
    ),
    resources(['get'], '', ['nodes/metrics']),
  ]),
  clusterRole(workspaceAccessRole, [{ verbs: ['access'], nonResourceURLs: ['/'] }]),
];

/** Lets API servers behind APIServices read by which names and authorities the aggregator shows itself (O1). */
export const bootstrapRoles: readonly KubeObject[] = [
  {
    apiVersion: `${rbacGroup}/v1`,
    kind: 'Role',
    metadata: {
      name: 'extension-apiserver-authentication-reader',
      namespace: 'kube-system',
      annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'true' },
      labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults' },
    },
    rules: [
      {
        verbs: ['get', 'list', 'watch'],
        apiGroups: [''],
        resources: ['configmaps'],
        resourceNames: ['extension-apiserver-authentication'],
      },
    ],
  },
];

export const bootstrapClusterRoleBindings: readonly KubeObject[] = [
  clusterRoleBinding('cluster-admin', [systemMasters]),
  clusterRoleBinding('system:discovery', [allAuthenticated]),
  clusterRoleBinding('system:public-info-viewer', [allAuthenticated, allUnauthenticated]),
  clusterRoleBinding('system:basic-user', [allAuthenticated]),
  clusterRoleBinding('system:service-account-issuer-discovery', ['system:serviceaccounts']),
  clusterRoleBinding('system:monitoring', ['system:monitoring']),
];

/** Everyone who is authenticated may enter the root workspace: from there a user finds its own. */
export const rootAccessBinding: KubeObject = clusterRoleBinding(
  'system:kcp:authenticated:access',
  [allAuthenticated],
  {
    role: workspaceAccessRole,
  },
);

function resources(verbs: string[], group: string, names: string[]): PolicyRule {
  return { verbs, apiGroups: [group], resources: names };
}

function urls(...nonResourceURLs: string[]): PolicyRule {
  return { verbs: ['get'], nonResourceURLs };
}

function clusterRole(name: string, rules: PolicyRule[], aggregatedTo: readonly string[] = []): KubeObject {
  return { ...head('ClusterRole', name, aggregatedTo), rules };
}

/** admin contains edit contains view, each with whatever else bears its label (aggregationRule). */
function aggregatedRole(name: string, rules: PolicyRule[], aggregatedTo: readonly string[]): KubeObject {
  return {
    ...head('ClusterRole', name, aggregatedTo),
    aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [aggregateLabel(name)]: 'true' } }] },
    rules,
  };
}

function clusterRoleBinding(
  name: string,
  groups: readonly string[],
  { role = name }: { readonly role?: string } = {},
): KubeObject {
  return {
    ...head('ClusterRoleBinding', name, []),
    roleRef: { apiGroup: rbacGroup, kind: 'ClusterRole', name: role },
    subjects: groups.map((group) => ({ apiGroup: rbacGroup, kind: 'Group', name: group })),
  };
}

function head(kind: string, name: string, aggregatedTo: readonly string[]): KubeObject {
  const labels: { [key: string]: string } = { 'kubernetes.io/bootstrapping': 'rbac-defaults' };
  for (const role of aggregatedTo) labels[aggregateLabel(role)] = 'true';
  return {
    apiVersion: `${rbacGroup}/v1`,
    kind,
    metadata: {
      name,
      labels,
      annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'true' },
    },
  };
}
